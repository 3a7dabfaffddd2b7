"""The form of a price: USD in, pico-dollars stored."""

import pytest
from pytest_django import Settings

from gateway_project.models import ConfigVersion
from providers.models import ModelPrice
from providers.snapshot import load_prices
from tests.admin_site import errors_of, operator, page
from tests.providers.admin_pages import PRICES, a_price, change, price_form

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rings(settings: Settings) -> None:
    settings.DATA_KEYS = (("test", b"d" * 32),)


def test_a_price_is_entered_in_usd_and_reaches_traffic() -> None:
    client, before = operator(), ConfigVersion.objects.get(pk=1).snapshot_version
    form = price_form(
        model="Our-Model",
        input_pico="2.50",
        output_pico="0.000001",
        second_pico="0.006",
        image_prices='{"hd/1024x1024": 0.08}',
        tiers='{"priority": {"input": 4.25}}',
    )
    assert client.post(f"{PRICES}add/", form).status_code == 302
    row = ModelPrice.objects.get()
    assert (row.model, row.source, row.valid_from) == ("our-model", "operator", 1_769_817_600)
    assert (row.input_pico, row.output_pico, row.second_pico) == (2_500_000, 1, 100_000_000)
    assert (row.image_prices, row.tiers) == ({"hd/1024x1024": 80_000_000_000}, {"priority": {"input_pico": 4_250_000}})
    assert load_prices()["openai", "our-model"].input_pico == 2_500_000
    assert ConfigVersion.objects.get(pk=1).snapshot_version > before
    text = page(client, change(row))
    for shown in ('value="2.5"', 'value="0.000001"', 'value="0.006"', '"hd/1024x1024": 0.08', '"input": 4.25'):
        assert shown in text
    client.post(change(row), price_form(model="our-model", input_pico="3"))
    row.refresh_from_db()
    assert (row.input_pico, row.output_pico, row.tiers) == (3_000_000, None, {})


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "input_pico"),
        ({"input_pico": "-1"}, "input_pico"),
        ({"input_pico": "0.0000001"}, "input_pico"),
        ({"input_pico": "1", "tiers": '{"priority": {"nonsense": 1}}'}, "tiers"),
        ({"input_pico": "1", "tiers": "[]"}, "tiers"),
        ({"input_pico": "1", "image_prices": '{"": "much"}'}, "image_prices"),
        ({"input_pico": "1", "valid_until": "2025-01-01T00:00"}, "valid_until"),
        ({"input_pico": "1", "valid_from": "yesterday"}, "valid_from"),
    ],
)
def test_it_says_what_is_wrong_with_a_price(fields: dict[str, str], wrong: str) -> None:
    response = operator().post(f"{PRICES}add/", price_form(**fields))
    assert list(errors_of(response)) == [wrong]
    assert not ModelPrice.objects.exists()


def test_two_prices_cannot_begin_at_once() -> None:
    a_price(valid_from=1_769_817_600)
    response = operator().post(f"{PRICES}add/", price_form(input_pico="1"))
    assert "choose another beginning" in errors_of(response)["valid_from"][0]
