"""The read side of prices: what has none."""

from collections.abc import Iterable

from providers.costs import find_price
from providers.models import ProviderSetting
from providers.rules import COST_MAP_MEMBERS
from providers.snapshot import load_prices


def models_without_price(models: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of the (provider, model) pairs for which neither the price table nor any setting's cost map has a price."""
    asked = list(models)
    if not asked:
        return []
    prices, mapped = load_prices(), _mapped()
    return [
        (provider, model)
        for provider, model in asked
        if (provider, model.lower()) not in mapped and find_price(prices, provider, model) is None
    ]


def _mapped() -> set[tuple[str, str]]:
    """What the settings' own cost maps price."""
    settings = ProviderSetting.objects.filter(cost_map__isnull=False).values_list("provider", "cost_map")
    return {
        (provider, model.lower())
        for provider, cost_map in settings
        for member in COST_MAP_MEMBERS
        for model in (cost_map or {}).get(member) or {}
    }
