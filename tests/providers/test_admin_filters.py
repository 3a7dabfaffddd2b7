"""What the list of prices can be narrowed by."""

import pytest
from pytest_django import Settings

from providers.models import ModelPrice
from tests.admin_site import operator, page
from tests.providers.admin_pages import PRICES, a_price

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rings(settings: Settings) -> None:
    settings.DATA_KEYS = (("test", b"d" * 32),)


def test_it_filters_prices() -> None:
    client = operator()
    a_price(model="listed")
    a_price(model="own", source=ModelPrice.Source.OPERATOR)
    a_price(model="ended", valid_until=5)
    a_price(model="coming", valid_from=4_000_000_000, provider="vllm")
    for query, shown in (
        ({"source": "operator"}, {"own"}),
        ({"valid": "past"}, {"ended"}),
        ({"valid": "later"}, {"coming"}),
        ({"valid": "now"}, {"listed", "own"}),
        ({"provider": "vllm"}, {"coming"}),
        ({"q": "list"}, {"listed"}),
    ):
        text = page(client, PRICES, **query)
        assert {name for name in ("listed", "own", "ended", "coming") if f">{name}<" in text} == shown, query
