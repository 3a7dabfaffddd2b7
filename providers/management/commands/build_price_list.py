"""manage.py build_price_list: a new providers/prices.json.gz from a downloaded public list. Not run by the gateway."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from providers.price_list import LIST_PATH, convert, pack_price_list

SOURCE = "LiteLLM model_prices_and_context_window_backup.json"


class Command(BaseCommand):
    help = (
        "Make providers/prices.json.gz from LiteLLM's model_prices_and_context_window_backup.json, a file of the "
        "litellm package, which is fetched by hand at a pinned version."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the JSON file")
        parser.add_argument("--list-version", required=True, help="version of the litellm package it is from")
        parser.add_argument("--output", type=Path, default=LIST_PATH)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document = json.loads(options["file"].read_bytes(), parse_float=Decimal)
        except (OSError, ValueError) as error:
            raise CommandError(f"Cannot read {options['file']}: {error}") from error
        done = convert(document)
        packed = pack_price_list(done.rows.values(), source=SOURCE, version=options["list_version"])
        options["output"].write_bytes(packed)
        for line in done.inexact:
            self.stdout.write(f"rounded up  {line}")
        for key in done.left_out:
            self.stdout.write(f"left out    {key}", self.style.WARNING)
        self.stdout.write(f"{len(done.rows)} prices, {len(packed)} bytes.")
