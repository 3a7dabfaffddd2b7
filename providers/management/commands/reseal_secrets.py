"""manage.py reseal_secrets: after a new first key in GATEWAY_DATA_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from providers.sealing import SealBroken
from providers.services import reseal_secrets


class Command(BaseCommand):
    help = "Seal every provider secret under the first key of GATEWAY_DATA_KEYS; older keys can then be removed."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changed = reseal_secrets()
        except (SealBroken, ValueError) as error:
            raise CommandError(f"Nothing was changed: {error}") from error
        self.stdout.write(f"{changed} provider settings sealed under the current key.")
