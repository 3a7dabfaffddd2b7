"""Which models have no price."""

import pytest
from pytest_django import Settings

from providers.models import ModelPrice
from providers.price_queries import models_without_price
from providers.services import create_setting

pytestmark = pytest.mark.django_db


def test_it_names_what_neither_table_nor_cost_map_prices(settings: Settings) -> None:
    settings.DATA_KEYS = (("test", b"d" * 32),)
    ModelPrice.objects.create(provider="openai", model="gpt-x", input_pico=1)
    create_setting(provider="openai", setting={"apikey": "sk-x"}, cost_map={"completionCostPerModel": {"Mapped": 0}})
    asked = [
        ("openai", "GPT-X"),
        ("openai", "gpt-x-2026-01-31"),
        ("openai", "mapped"),
        ("vllm", "gpt-x"),
        ("openai", "new"),
    ]
    assert models_without_price(asked) == [("vllm", "gpt-x"), ("openai", "new")]


def test_it_asks_nothing_when_there_is_nothing_to_ask(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert models_without_price([]) == []
