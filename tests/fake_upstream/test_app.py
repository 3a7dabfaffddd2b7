"""Tests of what comes before an endpoint: credentials, bodies, directives."""

from collections.abc import Iterator

import httpx
import pytest

from fake_upstream.app import path_of
from fake_upstream.call import Options
from tests.upstream import Upstream, upstream_in_thread

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def locked() -> Iterator[Upstream]:
    with upstream_in_thread(Options(require_key="sk-right")) as upstream:
        yield upstream


@pytest.mark.parametrize("headers", [{"authorization": "Bearer sk-right"}, {"api-key": "sk-right"}])
def test_it_accepts_its_key(locked: Upstream, headers: dict[str, str]) -> None:
    assert httpx.get(f"{locked.base_url}/models", headers=headers).status_code == 200


def test_it_refuses_another_key_and_shows_it_shortened(locked: Upstream) -> None:
    answer = httpx.get(f"{locked.base_url}/models", headers={"authorization": "Bearer sk-wrong-1234"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert "sk-********1234" in answer.json()["error"]["message"]


def test_it_refuses_no_key(locked: Upstream) -> None:
    assert "didn't provide" in httpx.get(f"{locked.base_url}/models").json()["error"]["message"]


def test_it_refuses_what_is_not_json(upstream: Upstream) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{upstream.base_url}/chat/completions", content=b"{", headers=headers)
    assert (answer.status_code, "parse the JSON" in answer.json()["error"]["message"]) == (400, True)


def test_it_refuses_a_misspelt_fault(upstream: Upstream) -> None:
    answer = httpx.post(f"{upstream.base_url}/chat/completions", json=CHAT, headers={"x-fake-fault": "hangg"})
    assert "hangg" in answer.json()["error"]["message"]


def test_the_script_is_stronger_than_the_header_and_the_header_than_the_model(upstream: Upstream) -> None:
    upstream.fail("bad-status=501")
    body = CHAT | {"model": "gpt-4o@bad-status=503"}
    url, headers = (f"{upstream.base_url}/chat/completions", {"x-fake-fault": "bad-status=502"})
    statuses = [httpx.post(url, json=body, headers=headers).status_code for _ in range(2)]
    assert [*statuses, httpx.post(url, json=body).status_code] == [501, 502, 503]


def test_it_sends_the_headers_a_gateway_must_not_pass_on(upstream: Upstream) -> None:
    headers = httpx.get(f"{upstream.base_url}/models").headers
    assert {"set-cookie", "openai-organization", "openai-processing-ms", "openai-version"} <= set(headers)
    assert headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("path", "without"),
    [("/v1/models", "/models"), ("/models", "/models"), ("/a/v1/files/f/content", "/files/f/content")],
)
def test_it_takes_prefix_and_version_off(path: str, without: str) -> None:
    assert path_of(path) == without
