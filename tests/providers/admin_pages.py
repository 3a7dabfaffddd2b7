"""The pages of settings and prices: where they are, and what a browser sends to them."""

from typing import Any

from providers.models import ModelPrice, ProviderSetting
from providers.services import create_setting

SETTINGS, PRICES = "/admin/providers/providersetting/", "/admin/providers/modelprice/"
CANARY = "sk-canary-0123456789abcdef"


def a_setting(**options: Any) -> ProviderSetting:
    return create_setting(**{"provider": "openai", "setting": {"apikey": CANARY}, "name": "main", **options})


def change(row: ProviderSetting | ModelPrice) -> str:
    return f"{SETTINGS if isinstance(row, ProviderSetting) else PRICES}{row.pk}/change/"


def form_of(**fields: str) -> dict[str, str]:
    """What a browser sends for a setting, with everything optional left empty."""
    empty = {"name": "", "allowed_models": "", "cost_map": "", "stream_usage": "auto", "priority": "0", "weight": "1"}
    return {"provider": "openai", **empty, **fields}


def a_price(**values: Any) -> ModelPrice:
    given = {"provider": "openai", "model": "gpt-x", "input_pico": 2_500_000, "source": ModelPrice.Source.LIST}
    return ModelPrice.objects.create(**{**given, **values})


def price_form(**fields: str) -> dict[str, str]:
    return {"provider": "openai", "model": "gpt-x", "valid_from": "2026-01-31T00:00:00", **fields}
