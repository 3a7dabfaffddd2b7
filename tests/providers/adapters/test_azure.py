"""Tests of the Azure adapter: what its paths mean, where requests go, who pays the price of which model."""

import pytest

from providers.adapters.azure import AzureAdapter
from providers.records import ProviderRecord

ADAPTER = AzureAdapter()
ORIGIN = "https://acme.openai.azure.com"


def setting(**changes: object) -> ProviderRecord:
    values = {"id": "s", "provider": "azure", "base_url": ORIGIN, "secrets": {"apikey": "k"}}
    return ProviderRecord(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "tail", "name", "metering", "model"),
    [
        ("POST", "/deployments/d1/chat/completions", "chat", "estimated", "d1"),
        ("POST", "/Deployments/D1/Chat/Completions", "chat", "estimated", "D1"),
        ("POST", "/deployments/d%201/chat/completions", "chat", "estimated", "d 1"),
        ("POST", "/deployments%2Fd1%2Fchat/completions", "chat", "estimated", "d1"),
        ("POST", "/deployments/d1/completions", "text_completion", "estimated", "d1"),
        ("POST", "/deployments/d1/embeddings", "embeddings", "estimated", "d1"),
        ("POST", "/deployments/d1/images/generations", "image_generation", "estimated", "d1"),
        ("POST", "/deployments/d1/audio/transcriptions", "transcription", "estimated", "d1"),
        ("POST", "/deployments/d1/audio/speech", "speech", "estimated", "d1"),
        ("POST", "/deployments/d1", "unknown", "unmetered", "d1"),
        ("GET", "/deployments/d1", "read", "free", "d1"),
        ("GET", "/deployments", "read", "free", ""),
        ("POST", "/v1/chat/completions", "chat", "estimated", ""),
        ("POST", "/v1/responses", "responses", "estimated", ""),
        ("POST", "/responses", "responses", "estimated", ""),
        ("GET", "/v1/models/Some-Model", "read", "free", "Some-Model"),
        ("POST", "/files", "files", "free", ""),
        ("POST", "/threads/t/runs", "threads", "unmetered", ""),
        ("POST", "/batches", "batches", "unmetered", ""),
    ],
)
def test_a_path_means_an_operation(method: str, tail: str, name: str, metering: str, model: str) -> None:
    operation = ADAPTER.operation(method, tail)
    assert (operation.name, operation.metering, operation.model_in_path) == (name, metering, model)


def test_the_deployment_in_the_path_is_the_model_whatever_the_body_names() -> None:
    named = ADAPTER.operation("POST", "/deployments/d1/chat/completions")
    assert ADAPTER.read_body(named, {"model": "gpt-4o", "messages": []}).model == "d1"
    plain = ADAPTER.operation("POST", "/v1/chat/completions")
    assert ADAPTER.read_body(plain, {"model": "gpt-4o", "messages": []}).model == "gpt-4o"
    images = ADAPTER.operation("POST", "/v1/images/generations")
    assert ADAPTER.read_body(images, {"prompt": "x"}).model == ""


@pytest.mark.parametrize("url", [ORIGIN, f"{ORIGIN}/openai", f"{ORIGIN}/openai/v1"])
def test_the_url_is_the_resource_and_the_clients_path(url: str) -> None:
    record = setting(base_url=url)
    tail = "/deployments/a%20b/chat/completions"
    assert ADAPTER.url(record, tail, "api-version=1&x=") == f"{ORIGIN}/openai{tail}?api-version=1&x="
    assert ADAPTER.url(record, "/v1/models", "") == f"{ORIGIN}/openai/v1/models"


def test_a_token_comes_before_a_key() -> None:
    assert ADAPTER.credentials(setting()) == (("api-key", "k"),)
    both = setting(secrets={"apikey": "k", "entraToken": "eyJ.x"})
    assert ADAPTER.credentials(both) == (("authorization", "Bearer eyJ.x"),)


def test_the_setting_says_what_a_deployment_is() -> None:
    record = setting(parameters={"deploymentModels": '{"Prod": "gpt-4o"}'})
    assert [ADAPTER.model_at(record, name) for name in ("Prod", "PROD", "other")] == ["gpt-4o", "gpt-4o", "other"]
    assert ADAPTER.model_at(setting(), "Prod") == "Prod"
    assert ADAPTER.answers_name_model


@pytest.mark.parametrize(
    ("operation", "params", "tail", "query"),
    [
        ("chat", {"deploymentId": "d/1", "apiVersion": "2024-10-21"},
         "/deployments/d%2F1/chat/completions", "api-version=2024-10-21"),
        ("embeddings", {"deploymentId": "d1"}, "/deployments/d1/embeddings", "api-version=2024-10-21"),
        ("text_completion", {"deploymentId": "d1", "apiVersion": "a&b"},
         "/deployments/d1/completions", "api-version=a%26b"),
        ("chat", {}, "/v1/chat/completions", ""),
        ("responses", {"deploymentId": "d1", "apiVersion": "2024-10-21"}, "/v1/responses", ""),
    ],
)  # fmt: skip
def test_a_step_of_a_route_names_its_deployment(operation: str, params: dict[str, str], tail: str, query: str) -> None:
    target = ADAPTER.route_target(operation, "m", params)
    assert target is not None
    assert (target.tail, target.query) == (tail, query)


def test_it_speaks_no_other_operation_in_routes() -> None:
    assert ADAPTER.route_target("speech", "m", {}) is None
