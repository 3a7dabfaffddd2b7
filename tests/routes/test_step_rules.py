"""What steps may be, and what they come to."""

from typing import Any, cast

import pytest

from providers.adapters.registry import ADAPTERS
from providers.catalog import CATALOG
from routes.rules import RouteInvalid, StepFields
from routes.step_rules import check_steps, makes_embeddings, operation_of, route_providers
from tests.routes.builders import AZURE, OPENAI


def step(**fields: Any) -> StepFields:
    return cast("StepFields", {**OPENAI, **fields})


def refused(*steps: StepFields, request_format: str = "") -> RouteInvalid:
    with pytest.raises(RouteInvalid) as caught:
        check_steps(steps, request_format)
    assert caught.value.fields[0] in caught.value.detail
    return caught.value


@pytest.mark.parametrize(
    ("request_format", "model", "operation"),
    [
        ("", "gpt-4o", "chat"),
        ("", "text-embedding-ada-002", "embeddings"),
        ("", "ada", "embeddings"),
        ("", "text-embedding-3-large", "embeddings"),
        ("", "some-model", "chat"),
        ("openai", "gpt-4o", "chat"),
        ("openai", "text-embedding-3-small", "embeddings"),
        ("openai_chat", "some-model", "chat"),
        ("openai_embeddings", "some-model", "embeddings"),
        ("openai_completions", "gpt-3.5-turbo-instruct", "text_completion"),
        ("openai_responses", "gpt-4o", "responses"),
    ],
)
def test_the_format_or_the_first_model_tells_the_operation(request_format: str, model: str, operation: str) -> None:
    assert operation_of(request_format, [model]) == operation
    assert check_steps([step(model=model)], request_format) == operation


def test_it_refuses_a_format_it_does_not_know() -> None:
    assert refused(step(), request_format="openai_chats").fields == ("requestFormat",)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("text-embedding-3-small", True),
        ("ada", True),
        ("text-similarity-ada-001", True),
        ("BAAI/bge-large-en", True),
        ("gemini-embedding-001", True),
        ("mistral-embed", True),
        ("gpt-4o", False),
        ("ft:gpt-4o-mini:acme::abc", False),
        ("o3-mini", False),
        ("meta-llama/Llama-3-8b", False),
        ("claude-sonnet-4", False),
        ("canada-law", None),
        ("my-deployment", None),
        ("o10k", None),
    ],
)
def test_a_models_name_tells_what_it_is_for_or_does_not(model: str, told: bool | None) -> None:
    assert makes_embeddings(model) is told


@pytest.mark.parametrize(
    ("models", "request_format", "wrong"),
    [
        (("gpt-4o", "text-embedding-3-small"), "", 1),
        (("text-embedding-3-small", "gpt-4o"), "", 1),
        (("mine", "gpt-4o", "ada"), "", 2),
        (("gpt-4o",), "openai_embeddings", 0),
        (("mine", "ada"), "openai_responses", 1),
    ],
)
def test_it_refuses_to_mix_chat_and_embeddings(models: tuple[str, ...], request_format: str, wrong: int) -> None:
    problem = refused(*(step(model=model) for model in models), request_format=request_format)
    assert problem.fields == (f"steps.[{wrong}].model",)
    assert "steps must have congruent models" in problem.detail


def test_it_mixes_models_that_do_not_tell() -> None:
    assert check_steps([step(model="gpt-4o"), step(model="mine")], "") == "chat"
    assert check_steps([step(model="mine"), step(model="ada")], "openai_embeddings") == "embeddings"


def test_providers_are_those_whose_adapter_speaks_an_operation() -> None:
    known = route_providers()
    assert {"openai", "azure"} <= set(known)
    assert set(known) <= {adapter.provider for adapter in ADAPTERS} & set(CATALOG)
    for provider in known:
        params = dict.fromkeys(CATALOG[provider].route_params, "a-1")
        check_steps([step(provider=provider, params=params, model="any-model")], "")


@pytest.mark.parametrize("provider", ["", "nobody", "my-custom-provider"])
def test_it_refuses_a_provider_that_no_adapter_serves(provider: str) -> None:
    problem = refused(step(), step(provider=provider))
    assert problem.fields == ("steps.[1].provider",)


@pytest.mark.parametrize(
    ("fields", "member"),
    [
        ({"params": {}}, "params.deploymentId"),
        ({"params": {"deploymentId": "d"}}, "params.apiVersion"),
        ({"params": {"apiVersion": "2024-10-21"}}, "params.deploymentId"),
        ({"params": {**AZURE["params"], "deploymentId": ""}}, "params.deploymentId"),
        ({"params": {**AZURE["params"], "deploymentId": "a/b"}}, "params.deploymentId"),
        ({"params": {**AZURE["params"], "deploymentId": ".."}}, "params.deploymentId"),
        ({"params": {**AZURE["params"], "deploymentId": 5}}, "params.deploymentId"),
        ({"params": {**AZURE["params"], "apiVersion": "2024&x=1"}}, "params.apiVersion"),
        ({"params": {**AZURE["params"], "region": "eu"}}, "params.region"),
        ({"provider": "openai"}, "params.deploymentId"),
    ],
)
def test_it_names_the_wrong_parameter(fields: dict[str, Any], member: str) -> None:
    wrong = cast("StepFields", {**AZURE, **fields})
    assert refused(wrong).fields == (f"steps.[0].{member}",)


@pytest.mark.parametrize(
    ("fields", "member"),
    [
        ({"model": ""}, "model"),
        ({"model": "a" * 256}, "model"),
        ({"model": "a\0"}, "model"),
        ({"retries": 11}, "retries"),
        ({"retries": -1}, "retries"),
        ({"retry_interval": "often"}, "retryInterval"),
        ({"retry_interval": "2h"}, "retryInterval"),
        ({"timeout": "0s"}, "timeout"),
        ({"timeout": "-1s"}, "timeout"),
        ({"timeout": "25h"}, "timeout"),
        ({"timeout": "5 m"}, "timeout"),
    ],
)
def test_it_names_the_wrong_member_of_a_step(fields: dict[str, Any], member: str) -> None:
    assert refused(step(), step(**fields)).fields == (f"steps.[1].{member}",)


@pytest.mark.parametrize("interval", ["", "0s", "500ms", "1s", "1m", "1h"])
def test_it_takes_any_unit_for_an_interval(interval: str) -> None:
    check_steps([step(retry_interval=interval, retries=10)], "")


WRONG_PARAMS: list[dict[str, Any]] = [
    *({name: "1"} for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "n")),
    *({name: True} for name in ("temperature", "max_tokens", "seed", "top_logprobs")),
    *({name: 0} for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "dimensions")),
    {"max_tokens": 1.5},
    {"top_logprobs": -1},
    {"stop": []},
    {"stop": ""},
    {"stop": ["a", 1]},
    {"logit_bias": {}},
    {"logit_bias": {"1": "2"}},
    {"logit_bias": [1]},
    {"logprobs": 1},
    {"model": "gpt-4o"},
    {"stream": True},
    {"messages": []},
    {"input": "x"},
]


@pytest.mark.parametrize("params", WRONG_PARAMS, ids=str)
def test_it_names_the_wrong_request_parameter(params: dict[str, Any]) -> None:
    assert refused(step(request_params=params)).fields == (f"steps.[0].requestParams.{next(iter(params))}",)


def test_it_refuses_request_parameters_that_cannot_be_kept() -> None:
    nested: list[Any] = []
    for _ in range(300):
        nested = [nested]
    for params in ({"a b": 1}, {"": 1}, {"a": "x" * 16_384}, {"a": "\0"}, {"b\0": 1}, {"a": 2**70}, {"a": nested}):
        assert refused(step(request_params=params)).fields == ("steps.[0].requestParams",)


def test_it_passes_on_request_parameters_of_any_other_name() -> None:
    params = {
        "temperature": 0,
        "max_tokens": 5,
        "seed": -1,
        "stop": ["a"],
        "logit_bias": {"50256": -100},
        "logprobs": True,
        "reasoning_effort": "low",
        "response_format": {"type": "json_object"},
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }
    assert check_steps([step(request_params=params)], "") == "chat"
    assert check_steps([step(request_params={"logprobs": 3})], "openai_completions") == "text_completion"
