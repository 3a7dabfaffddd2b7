"""Revoke a key on the command line."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from gateway_project.shared import clock
from gateway_project.shared.commands import OperatorCommand
from keys.queries import find_key_id, key_object
from keys.services import revoke_key


class Command(OperatorCommand):
    help = "Revoke a key: every proxy refuses it within a second."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which key, and why."""
        parser.add_argument("key", metavar="ID|NAME|SECRET", help="the key's id, its name or its secret")
        parser.add_argument("--reason", default="", help="told to the key's callers")
        parser.add_argument("--json", action="store_true", help="print the key as JSON")

    def run(self, **options: Any) -> None:
        """Find, and revoke."""
        try:
            key_id = find_key_id(options["key"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        if key_id is None:
            # What was given may be a secret, so it is not repeated.
            raise CommandError("there is no key with this id, name or secret")
        key = revoke_key(key_id, reason=options["reason"])
        if options["json"]:
            self.stdout.write(json.dumps(key_object(key, clock.now()), indent=2))
            return
        self.stdout.write(f"revoked {key.name} ({key.id})")
