"""Tests of which models a setting allows, and of whose price holds."""

import pytest

from providers.adapters.azure import AzureAdapter
from providers.adapters.openai import OpenAIAdapter
from providers.records import ProviderRecord
from proxy.flow import Call
from proxy.pricing import allows, price_at, price_by_answer
from tests.proxy_gateway import price

AZURE, OPENAI = AzureAdapter(), OpenAIAdapter()
AT = "/deployments/prod/chat/completions"
ON_AZURE = Call(AZURE, AZURE.operation("POST", AT), AT)
CHAT = Call(OPENAI, OPENAI.operation("POST", "/chat/completions"), "/chat/completions")
MODELS = Call(OPENAI, OPENAI.operation("GET", "/models"), "/models")
RUNS = Call(OPENAI, OPENAI.operation("POST", "/threads/t/runs"), "/threads/t/runs")
MAPPED = ProviderRecord(id="s", provider="azure", parameters={"deploymentModels": '{"prod": "gpt-4o"}'})
PRICES = {("azure", "gpt-4o"): price(provider="azure"), ("azure", "named"): price(provider="azure", model="named")}


@pytest.mark.parametrize(
    ("call", "allowed", "model", "may"),
    [
        (CHAT, (), "x", True),
        (CHAT, (), "", True),
        (CHAT, ("gpt-4o",), "gpt-4o", True),
        (CHAT, ("gpt-4o",), "gpt-4", False),
        (CHAT, ("gpt-4o",), "", False),
        (MODELS, ("gpt-4o",), "", True),
        (ON_AZURE, ("gpt-4o",), "prod", True),
        (ON_AZURE, ("prod",), "prod", True),
        (ON_AZURE, ("gpt-4o",), "other", False),
    ],
)
def test_a_model_is_allowed_by_its_name_or_by_what_it_means(
    call: Call, allowed: tuple[str, ...], model: str, may: bool
) -> None:
    setting = ProviderRecord(id="s", provider="azure", parameters=MAPPED.parameters, allowed_models=frozenset(allowed))
    assert allows(call, setting, model) is may


def test_the_price_is_that_of_the_model_meant() -> None:
    assert price_at(ON_AZURE, MAPPED, PRICES, "prod") is PRICES["azure", "gpt-4o"]
    assert price_at(ON_AZURE, MAPPED, PRICES, "named") is PRICES["azure", "named"]
    assert price_at(ON_AZURE, MAPPED, PRICES, "other") is None


def test_the_answer_decides_where_nobody_can_tell_before() -> None:
    assert price_by_answer(CHAT, MAPPED, PRICES) is None
    for call in (ON_AZURE, RUNS):
        find = price_by_answer(call, MAPPED, PRICES)
        assert find is not None
        assert find("gpt-4o-2024-08-06") is PRICES["azure", "gpt-4o"]
        assert find("other") is None
