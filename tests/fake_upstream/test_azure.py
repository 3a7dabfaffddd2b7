"""The fake provider as Azure OpenAI: paths, credentials, content filter."""

import httpx
import pytest

from tests.upstream import Upstream

CHAT = {"messages": [{"role": "user", "content": "hi"}]}
AT = "/openai/deployments/my-gpt-4o/chat/completions"
KEY = {"api-key": "k"}


@pytest.mark.parametrize("headers", [KEY, {"authorization": "Bearer eyJ.token"}])
def test_a_deployment_answers_as_its_model(upstream: Upstream, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{upstream.url}{AT}?api-version=2024-10-21", json=CHAT, headers=headers).json()
    assert answer["model"] == "gpt-4o"
    assert answer["prompt_filter_results"][0]["content_filter_results"]["hate"]["severity"] == "safe"


def test_a_bearer_that_is_no_token_is_no_credential(upstream: Upstream) -> None:
    answer = httpx.post(f"{upstream.url}{AT}?api-version=1", json=CHAT, headers={"authorization": "Bearer k"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "401")


def test_a_deployment_needs_an_api_version(upstream: Upstream) -> None:
    assert httpx.post(f"{upstream.url}{AT}", json=CHAT, headers=KEY).status_code == 404
    body = {**CHAT, "model": "my-gpt-4o"}
    answer = httpx.post(f"{upstream.url}/openai/v1/chat/completions", json=body, headers=KEY)
    assert answer.json()["model"] == "gpt-4o"


def test_a_stream_begins_with_what_the_filter_says(upstream: Upstream) -> None:
    answer = httpx.post(f"{upstream.url}{AT}?api-version=1", json={**CHAT, "stream": True}, headers=KEY)
    first, second, *_ = answer.text.split("\n\n")
    assert '"prompt_filter_results"' in first
    assert '"role":"assistant"' in second


def test_a_prompt_is_filtered(upstream: Upstream) -> None:
    body = {"messages": [{"role": "user", "content": "something forbidden"}]}
    answer = httpx.post(f"{upstream.url}{AT}?api-version=1", json=body, headers=KEY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_filter")
    assert answer.json()["error"]["innererror"]["content_filter_result"]["violence"]["filtered"]
