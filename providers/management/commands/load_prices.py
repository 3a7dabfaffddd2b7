"""manage.py load_prices: the bundled price list into the table; run at every start."""

from typing import Any

from django.core.management.base import BaseCommand

from providers.price_services import load_price_list


class Command(BaseCommand):
    help = "Load the bundled price list. Changes nothing when its version is loaded already."

    def handle(self, *args: Any, **options: Any) -> None:
        loaded = load_price_list()
        if loaded.changed:
            self.stdout.write(f"Prices {loaded.version}: {loaded.added} added, {loaded.ended} ended.")
        else:
            self.stdout.write(f"Prices {loaded.version}: nothing to do.")
