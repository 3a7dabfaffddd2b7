"""List keys on the command line."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from gateway_project.shared import clock
from gateway_project.shared.commands import OperatorCommand
from gateway_project.shared.money import nano_to_usd
from keys.models import Key
from keys.queries import KeyFilter, find_keys, key_object, limits_text, revocation, spend_nano


class Command(OperatorCommand):
    help = "List keys with their limits and what they spent. Secrets are not stored and cannot be shown."

    def add_arguments(self, parser: CommandParser) -> None:
        """Filters, all of which must hold."""
        parser.add_argument("--tag", action="append", default=[], help="with this tag; repeated: with all of them")
        parser.add_argument("--provider", default="", help="with a setting of this provider")
        parser.add_argument("--name", default="", help="with this in the name")
        state = parser.add_mutually_exclusive_group()
        state.add_argument("--revoked", action="store_const", const=True, default=None, help="only revoked ones")
        state.add_argument("--active", dest="revoked", action="store_const", const=False, help="only others")
        parser.add_argument("--limit", type=int, default=100, help="at most this many (100)")
        parser.add_argument("--json", action="store_true", help="print a JSON array")

    def run(self, **options: Any) -> None:
        """Find, and print."""
        wanted = KeyFilter(
            tags=options["tag"], provider=options["provider"], name=options["name"], revoked=options["revoked"]
        )
        found = find_keys(wanted)
        keys = list(found[: max(0, options["limit"])])
        spend = spend_nano([str(key.id) for key in keys])
        if options["json"]:
            self.stdout.write(json.dumps([_object(key, spend) for key in keys], indent=2))
            return
        if not keys:
            self.stdout.write("no keys")
            return
        self.print_table(_head(spend), [_row(key, spend) for key in keys])
        total = found.count()
        if total > len(keys):
            self.stdout.write(f"{total - len(keys)} more; raise --limit or filter")


def _object(key: Key, spend: Mapping[str, int] | None) -> dict[str, Any]:
    shown = key_object(key, clock.now())
    if spend is not None:
        shown["spendInUsd"] = nano_to_usd(spend.get(str(key.id), 0))
    return shown


def _head(spend: Mapping[str, int] | None) -> tuple[str, ...]:
    return ("ID", "NAME", "SECRET", "STATE", "LIMITS", *([] if spend is None else ["SPENT"]), "TAGS")


def _row(key: Key, spend: Mapping[str, int] | None) -> tuple[str, ...]:
    revoked, reason = revocation(key, clock.now())
    state = "active" if not revoked else f"revoked: {reason}" if reason else "revoked"
    spent = [] if spend is None else [f"${nano_to_usd(spend.get(str(key.id), 0)):.4f}"]
    return (str(key.id), key.name, key.secret_hint or "-", state, limits_text(key) or "-", *spent, ", ".join(key.tags))
