"""The bundled prices as records, without a database."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from providers.price_list import read_price_list
from providers.records import PriceRecord

_NOT_IN_RECORD = ("source_text", "note", "tiers")


@cache
def bundled_prices() -> Mapping[tuple[str, str], PriceRecord]:
    """Every bundled price by (provider, model), the list's before the supplement's."""
    prices = read_price_list()
    return {(row["provider"], row["model"]): _record(row) for row in (*prices.supplement, *prices.rows)}


def _record(row: Mapping[str, Any]) -> PriceRecord:
    plain = PriceRecord(**{name: value for name, value in row.items() if name not in _NOT_IN_RECORD})
    return replace(plain, tiers={tier: replace(plain, **values) for tier, values in row.get("tiers", {}).items()})
