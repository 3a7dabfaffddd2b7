"""What a setting and a price may hold; every error names the member and repeats no value."""

from typing import Any

import pytest

from providers.rules import (
    PriceInvalid,
    SettingInvalid,
    check_members,
    check_models,
    check_price,
    check_provider,
    check_required,
    cost_map_of,
    is_parameter,
    members_of,
)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "azure", "bedrock", "vllm", "deepinfra"])
def test_it_knows_the_providers(provider: str) -> None:
    assert check_provider(provider) == provider


@pytest.mark.parametrize("provider", ["", None, "nope", "OpenAI", "openai "])
def test_it_refuses_other_providers(provider: Any) -> None:
    with pytest.raises(SettingInvalid) as error:
        check_provider(provider)
    assert error.value.fields == ("provider",)


def test_it_takes_both_spellings_of_the_key() -> None:
    assert members_of({"apiKey": "a"}) == members_of({"apikey": "a"}) == members_of({"apikey": "a", "apiKey": "a"})


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ({"apikey": 1}, "setting.apikey"),
        ({"apikey": None}, "setting.apikey"),
        ({"apikey": ["canary"]}, "setting.apikey"),
        ({"apiKey": {"a": "canary"}}, "setting.apiKey"),
        ({"apikey": "canary", "apiKey": "canary-2"}, "setting.apikey"),
        ({"apikey": "canary" * 2000}, "setting.apikey"),
        ({"a b": "canary"}, "setting"),
        ({"": "canary"}, "setting"),
        ({"x" * 65: "canary"}, "setting"),
    ],
)
def test_it_refuses_members_of_the_wrong_shape(setting: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingInvalid) as error:
        members_of(setting)
    assert error.value.fields == (field,)
    assert "canary" not in error.value.detail


@pytest.mark.parametrize(
    ("provider", "members", "field"),
    [
        ("openai", {"apikey": "canary\r\nx-admin: 1"}, "setting.apikey"),
        ("openai", {"apikey": " canary"}, "setting.apikey"),
        ("openai", {"apikey": "canary-ä"}, "setting.apikey"),
        ("openai", {"url": "http://canary@host"}, "setting.url"),
        ("openai", {"url": "http://169.254.169.254"}, "setting.url"),
        ("azure", {"resourceName": "Bad_Name"}, "setting.resourceName"),
        ("azure", {"resourceName": "evil.example/"}, "setting.resourceName"),
        ("azure", {"deploymentModels": "prod=gpt-4o"}, "setting.deploymentModels"),
        ("azure", {"entraToken": "canary\n"}, "setting.entraToken"),
        ("bedrock", {"awsRegion": "us east"}, "setting.awsRegion"),
        ("bedrock", {"awsRegion": "europe"}, "setting.awsRegion"),
        ("bedrock", {"awsRegion": "us-east-1.evil.example"}, "setting.awsRegion"),
        ("bedrock", {"awsCredentialChain": "yes"}, "setting.awsCredentialChain"),
        ("openai", {"organization": "canary\n"}, "setting.organization"),
    ],
)
def test_it_refuses_wrong_values(provider: str, members: dict[str, str], field: str) -> None:
    with pytest.raises(SettingInvalid) as error:
        check_members(provider, members)
    assert error.value.fields == (field,)
    assert field in error.value.detail
    assert "canary" not in error.value.detail


def test_it_takes_what_it_does_not_know_for_a_secret() -> None:
    assert not is_parameter("openai", "organization")
    assert not is_parameter("openai", "resourceName")
    assert is_parameter("azure", "resourceName")


@pytest.mark.parametrize(
    ("provider", "names", "missing"),
    [
        ("openai", set(), ("setting.apikey",)),
        ("anthropic", {"url"}, ("setting.apikey",)),
        ("azure", {"apikey"}, ("setting.resourceName",)),
        ("azure", set(), ("setting.resourceName", "setting.apikey")),
        ("azure", {"entraToken"}, ("setting.resourceName",)),
        ("azure", {"url"}, ("setting.apikey",)),
        ("bedrock", {"awsRegion"}, ("setting.awsAccessKeyId", "setting.awsSecretAccessKey")),
        ("bedrock", {"awsCredentialChain"}, ("setting.awsRegion",)),
        ("vllm", {"apikey"}, ("setting.url",)),
        ("deepinfra", set(), ("setting.apikey",)),
    ],
)
def test_it_names_every_missing_member(provider: str, names: set[str], missing: tuple[str, ...]) -> None:
    with pytest.raises(SettingInvalid) as error:
        check_required(provider, names)
    assert error.value.fields == missing


def test_one_member_may_stand_for_another() -> None:
    check_required("azure", {"url", "entraToken"})
    check_required("azure", {"resourceName", "entraToken"})
    check_required("ollama", set())
    assert is_parameter("azure", "deploymentModels")
    assert not is_parameter("azure", "entraToken")


def test_it_keeps_the_order_of_models_and_drops_doubles() -> None:
    assert check_models(["b", "a", "b"]) == ["b", "a"]


@pytest.mark.parametrize("models", ["gpt-4", [""], [" "], [1], [None], ["a\0b"], ["a"] * 10_001])
def test_it_refuses_models_that_are_none(models: Any) -> None:
    with pytest.raises(SettingInvalid):
        check_models(models)


def test_it_turns_usd_per_1000_tokens_into_pico_dollars_per_token() -> None:
    cost_map = cost_map_of(
        {
            "promptCostPerModel": {"GPT-4o": 0.0025, "free": 0},
            "completionCostPerModel": {"gpt-4o": 0.01},
            "embeddingsCostPerModel": {"ada": 1e-9},
        }
    )
    assert cost_map is not None
    assert cost_map.input_pico == {"gpt-4o": 2_500_000, "free": 0}
    assert cost_map.output_pico == {"gpt-4o": 10_000_000}
    assert cost_map.embeddings_pico == {"ada": 1}


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ([], "costMap"),
        ({"promptCost": {}}, "costMap.promptCost"),
        ({"promptCostPerModel": []}, "costMap.promptCostPerModel"),
        ({"promptCostPerModel": {"m": "1"}}, "costMap.promptCostPerModel.m"),
        ({"promptCostPerModel": {"m": -1}}, "costMap.promptCostPerModel.m"),
        ({"promptCostPerModel": {"m": True}}, "costMap.promptCostPerModel.m"),
        ({"promptCostPerModel": {"m": float("nan")}}, "costMap.promptCostPerModel.m"),
        ({"promptCostPerModel": {"m": float("inf")}}, "costMap.promptCostPerModel.m"),
        ({"promptCostPerModel": {"m": 1e-12}}, "costMap.promptCostPerModel.m"),
        ({"promptCostPerModel": {"m": 1e12}}, "costMap.promptCostPerModel.m"),
        ({"promptCostPerModel": {"": 1}}, "costMap.promptCostPerModel"),
        ({"promptCostPerModel": {"a\0": 1}}, "costMap.promptCostPerModel"),
    ],
)
def test_it_refuses_a_cost_map_that_is_none(raw: Any, field: str) -> None:
    with pytest.raises(SettingInvalid) as error:
        cost_map_of(raw)
    assert error.value.fields == (field,)


def test_it_knows_no_cost_map_from_an_empty_one() -> None:
    assert cost_map_of(None) is None
    assert cost_map_of({}) is not None


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"input_pico": None},
        {"input_pico": -1},
        {"input_pico": True},
        {"input_pico": 1.5},
        {"input_pico": 2**63},
        {"input_pico": 1, "image_prices": []},
        {"input_pico": 1, "image_prices": {"": "1"}},
        {"input_pico": 1, "tiers": {"priority": {"nonsense": 1}}},
        {"input_pico": 1, "tiers": {"priority": {"input_pico": -1}}},
        {"input_pico": 1, "tiers": []},
        {"input_pico": 1, "max_output_tokens": -5},
    ],
)
def test_it_refuses_a_price_that_is_none(values: dict[str, Any]) -> None:
    with pytest.raises(PriceInvalid):
        check_price("openai", "m", values)


def test_it_accepts_a_price_of_zero() -> None:
    check_price("openai", "m", {"input_pico": 0, "output_pico": 0})
    check_price("openai", "m", {"image_prices": {"hd/1024x1024": 80_000_000_000}, "tiers": {}})
