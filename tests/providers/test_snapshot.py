"""Rows as the request path sees them."""

import pytest
from structlog.testing import capture_logs

from providers.costs import cost_nano
from providers.models import ModelPrice, ProviderSetting
from providers.records import TokenUsage
from providers.services import create_setting
from providers.snapshot import load_prices, load_settings

pytestmark = pytest.mark.django_db

SECRET = "sk-canary-93bd"


def test_it_loads_a_setting_whole() -> None:
    row = create_setting(
        provider="openai",
        setting={"apikey": SECRET, "url": "http://localhost:9000"},
        name="team",
        allowed_models=["a"],
        cost_map={"promptCostPerModel": {"a": 0.001}, "completionCostPerModel": {"a": 0.002}},
        stream_usage="never",
        priority=2,
        weight=3,
    )
    record = load_settings()[str(row.pk)]
    assert record.secrets == {"apikey": SECRET}
    assert (record.base_url, record.parameters) == ("http://localhost:9000/v1", {"url": "http://localhost:9000"})
    assert record.cost_map is not None
    assert record.cost_map.input_pico == {"a": 1_000_000}
    assert (record.provider, record.name, record.allowed_models) == ("openai", "team", frozenset({"a"}))
    assert (record.stream_usage, record.priority, record.weight) == ("never", 2, 3)


def test_it_shows_no_secret_of_a_record() -> None:
    create_setting(provider="openai", setting={"apikey": SECRET})
    assert SECRET not in repr(load_settings())


@pytest.mark.parametrize(
    "damage",
    [
        {"sealed_secrets": {"apikey": "v1.d1.AAAA"}},
        {"sealed_secrets": {"apikey": "nonsense"}},
        {"parameters": {"url": "http://evil.example"}},
        {"provider": "gone"},
        {"cost_map": {"promptCostPerModel": {"a": -1}}},
    ],
)
def test_it_leaves_out_a_damaged_setting_and_says_so(damage: dict[str, object]) -> None:
    good = create_setting(provider="openai", setting={"apikey": SECRET})
    bad = create_setting(provider="openai", setting={"apikey": SECRET})
    ProviderSetting.objects.filter(pk=bad.pk).update(**damage)
    with capture_logs() as logs:
        assert list(load_settings()) == [str(good.pk)]
    assert [(entry["event"], entry["log_level"], entry["setting_id"]) for entry in logs] == [
        ("provider_setting_left_out", "error", str(bad.pk))
    ]
    assert SECRET not in str(logs)


def test_it_loads_tiers_as_whole_prices() -> None:
    ModelPrice.objects.create(
        provider="openai", model="m", input_pico=1_000, output_pico=2_000, tiers={"flex": {"input_pico": 500}}
    )
    price = load_prices()["openai", "m"]
    assert cost_nano(TokenUsage(input_tokens=2, output_tokens=1, service_tier="flex"), price) == 3
    assert cost_nano(TokenUsage(input_tokens=2, output_tokens=1), price) == 4


def test_it_loads_prices_valid_at_the_time_only() -> None:
    for start, end in ((0, 10), (10, 20), (30, None)):
        ModelPrice.objects.create(provider="p", model="m", valid_from=start, valid_until=end, input_pico=start)
    found = [load_prices(at).get(("p", "m")) for at in (9, 10, 25, 30)]
    assert [price and price.input_pico for price in found] == [0, 10, None, 30]
