"""The price table: loaded once per version, never at an operator's expense."""

import time
from dataclasses import replace

import pytest

from gateway_project.models import ConfigVersion
from gateway_project.shared.problems import ValidationFailed
from providers.models import LoadedPriceList, ModelPrice
from providers.price_list import PriceList, read_price_list
from providers.price_services import PriceExists, delete_price, load_price_list, save_price, store_price_list
from providers.snapshot import load_prices

pytestmark = pytest.mark.django_db

LIST = PriceList(
    version="1+aa",
    source="list, version 1",
    rows=({"provider": "openai", "model": "m", "input_pico": 10, "max_output_tokens": 5},),
    supplement=({"provider": "openai", "model": "old", "input_pico": 7, "source_text": "public prices, 2023-06"},),
)


def at_time(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    monkeypatch.setattr("gateway_project.shared.clock.now", lambda: at)


def newer(price: int, *, tokens: int = 5) -> PriceList:
    row = {"provider": "openai", "model": "m", "input_pico": price, "max_output_tokens": tokens}
    return replace(LIST, version="2+bb", source="list, version 2", rows=(row,))


def snapshot_version() -> int:
    return ConfigVersion.objects.get(pk=1).snapshot_version


def test_it_loads_the_bundled_list_and_says_where_each_price_is_from() -> None:
    loaded = load_price_list()
    prices = read_price_list()
    assert loaded.added == ModelPrice.objects.count() == len(prices.rows) + len(prices.supplement)
    row = ModelPrice.objects.get(provider="openai", model="gpt-4o")
    assert (row.input_pico, row.source, row.source_text) == (2_500_000, "list", prices.source)
    assert row.tiers["priority"]["input_pico"] == 4_250_000
    assert ModelPrice.objects.get(provider="openai", model="text-davinci-003").source == "supplement"


def test_it_costs_one_quick_query_when_nothing_is_to_do(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    load_price_list()
    version, started = snapshot_version(), time.perf_counter()
    with django_assert_num_queries(1):
        again = load_price_list()
    assert not again.changed
    assert time.perf_counter() - started < 0.5
    assert snapshot_version() == version


def test_it_journals_a_list_that_changed_something() -> None:
    version = snapshot_version()
    store_price_list(LIST)
    assert snapshot_version() > version
    version = snapshot_version()
    assert not store_price_list(LIST).changed
    assert snapshot_version() == version


def test_it_ends_a_price_that_a_newer_list_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    at_time(monkeypatch, 1_000)
    store_price_list(LIST)
    at_time(monkeypatch, 2_000)
    loaded = store_price_list(newer(20))
    rows = list(ModelPrice.objects.filter(model="m").order_by("valid_from").values_list("valid_from", "valid_until"))
    assert (loaded.added, loaded.ended) == (1, 1)
    assert rows == [(0, 2_000), (2_000, None)]
    assert [load_prices(at)["openai", "m"].input_pico for at in (1_999, 2_000)] == [10, 20]


def test_it_refreshes_what_is_no_price_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    at_time(monkeypatch, 1_000)
    store_price_list(LIST)
    at_time(monkeypatch, 2_000)
    loaded = store_price_list(newer(10, tokens=9))
    assert (loaded.added, loaded.ended, loaded.refreshed) == (0, 0, 1)
    assert ModelPrice.objects.get(model="m").max_output_tokens == 9


def test_it_keeps_rows_that_a_newer_list_has_dropped() -> None:
    store_price_list(LIST)
    store_price_list(replace(LIST, version="2+bb", rows=(), supplement=()))
    assert ModelPrice.objects.count() == 2
    assert LoadedPriceList.objects.get().version == "2+bb"


def test_it_prefers_the_list_to_the_supplement() -> None:
    both = replace(LIST, supplement=({"provider": "openai", "model": "m", "input_pico": 99, "source_text": "x"},))
    store_price_list(both)
    assert ModelPrice.objects.get().input_pico == 10


def test_it_never_touches_an_operators_price(monkeypatch: pytest.MonkeyPatch) -> None:
    at_time(monkeypatch, 1_000)
    mine = save_price(ModelPrice(provider="openai", model="M", input_pico=1, output_pico=1))
    store_price_list(LIST)
    at_time(monkeypatch, 2_000)
    store_price_list(newer(20))
    mine.refresh_from_db()
    assert (mine.input_pico, mine.valid_until, mine.source) == (1, None, "operator")
    assert load_prices(3_000)["openai", "m"].input_pico == 1


def test_it_lets_an_operator_price_a_listed_model_from_a_date_on() -> None:
    store_price_list(LIST)
    save_price(ModelPrice(provider="openai", model="m", input_pico=1, valid_from=5_000))
    assert [load_prices(at)["openai", "m"].input_pico for at in (4_999, 5_000)] == [10, 1]


def test_it_stores_an_operators_price_in_lower_case_and_journals_it() -> None:
    version = snapshot_version()
    row = save_price(ModelPrice(provider="openai", model=" My-Model ", input_pico=3))
    assert (row.model, row.source, row.source_text) == ("my-model", "operator", "operator")
    assert snapshot_version() > version


def test_it_refuses_two_prices_from_the_same_second_on() -> None:
    store_price_list(LIST)
    with pytest.raises(PriceExists, match="choose another beginning"):
        save_price(ModelPrice(provider="openai", model="m", input_pico=3))


def test_it_refuses_a_price_without_a_number() -> None:
    with pytest.raises(ValidationFailed):
        save_price(ModelPrice(provider="openai", model="m"))


def test_it_journals_a_deletion() -> None:
    row = save_price(ModelPrice(provider="openai", model="m", input_pico=3))
    version = snapshot_version()
    delete_price(row)
    assert not ModelPrice.objects.exists()
    assert snapshot_version() > version
