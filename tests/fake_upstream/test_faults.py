"""Tests of every fault, as a client sees it."""

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.upstream import Upstream

HI: Any = [{"role": "user", "content": "hi"}]


def post(upstream: Upstream, fault: str, **members: Any) -> httpx.Response:
    body = {"model": "gpt-4o-mini", "messages": HI, **members}
    return httpx.post(f"{upstream.base_url}/chat/completions", json=body, headers={"x-fake-fault": fault}, timeout=2)


@contextmanager
def events(upstream: Upstream, fault: str) -> Iterator[Iterator[str]]:
    body = {"model": "gpt-4o-mini", "messages": HI, "stream": True}
    url, headers = f"{upstream.base_url}/chat/completions", {"x-fake-fault": fault}
    with httpx.stream("POST", url, json=body, headers=headers, timeout=2) as answer:
        yield (line.removeprefix("data: ") for line in answer.iter_lines() if line)


def test_429_says_when_to_come_back(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o@429=7", messages=HI)
    assert (caught.value.response.headers["retry-after"], caught.value.code) == ("7", "rate_limit_exceeded")


def test_429_quota_does_not(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o@429-quota", messages=HI)
    assert "retry-after" not in caught.value.response.headers


def test_500_then_200_succeeds_after_its_failures(upstream: Upstream) -> None:
    assert [post(upstream, "500-then-200=2").status_code for _ in range(4)] == [500, 500, 200, 500]


@pytest.mark.parametrize(("fault", "status"), [("503", 503), ("bad-status", 418), ("bad-status=599", 599)])
def test_it_answers_with_the_status_asked_for(upstream: Upstream, fault: str, status: int) -> None:
    answer = post(upstream, fault)
    assert (answer.status_code, "retry-after" in answer.headers) == (status, False)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("status", [400, 422])
def test_it_rejects_stream_options_only_when_they_are_sent(upstream: Upstream, status: int) -> None:
    fault = f"reject-stream-options={status}"
    refused = post(upstream, fault, stream=True, stream_options={"include_usage": True})
    assert (refused.status_code, refused.json()["error"]["param"]) == (status, "stream_options")
    assert post(upstream, fault, stream=True).status_code == 200


def test_it_hangs_until_the_client_leaves(upstream: Upstream) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{upstream.base_url}/models", headers={"x-fake-fault": "hang"}, timeout=0.1)
    assert upstream.wait_for_ending("client-left").chunks == 0


def test_it_hangs_in_the_middle_of_a_stream(upstream: Upstream) -> None:
    with events(upstream, "hang=2") as lines:
        assert [json.loads(next(lines))["choices"][0]["delta"].get("content") for _ in range(3)] == [
            "",
            "The",
            " quick",
        ]
        assert upstream.wait_for_ending("hung").chunks == 2


def test_it_drops_the_connection(upstream: Upstream) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        post(upstream, "drop")


@pytest.mark.parametrize(("fault", "error"), [("cut=2", httpx.ReadError), ("cut-close=2", httpx.RemoteProtocolError)])
def test_it_cuts_a_stream(upstream: Upstream, fault: str, error: type[Exception]) -> None:
    seen: list[str] = []
    with events(upstream, fault) as lines, pytest.raises(error):
        seen.extend(lines)
    assert len(seen) == 3
    assert (upstream.last().ending, upstream.last().chunks) == ("cut", 2)


@pytest.mark.parametrize(("fault", "error"), [("cut", httpx.ReadError), ("cut-close", httpx.RemoteProtocolError)])
def test_it_cuts_a_plain_answer(upstream: Upstream, fault: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        post(upstream, fault)


def test_it_ends_a_stream_without_its_terminal_event(upstream: Upstream) -> None:
    with events(upstream, "cut-clean=4") as lines:
        seen = list(lines)
    assert (len(seen), "[DONE]" in seen) == (5, False)


def test_it_sends_an_error_inside_a_stream(upstream: Upstream) -> None:
    with events(upstream, "error-event=2") as lines:
        seen = list(lines)
    assert (len(seen), json.loads(seen[-1])["error"]["type"]) == (4, "server_error")


def test_it_breaks_json(upstream: Upstream) -> None:
    with pytest.raises(json.JSONDecodeError):
        post(upstream, "malformed").json()
    with events(upstream, "malformed=1") as lines:
        seen = list(lines)
    assert (seen[2], seen[-1]) == ('{"id":"chatcmpl-broken","object":"chat.comp', "[DONE]")


def test_it_starts_late(upstream: Upstream) -> None:
    began = time.perf_counter()
    post(upstream, "slow-first-byte=120")
    assert time.perf_counter() - began >= 0.12


def test_it_paces_chunks(upstream: Upstream) -> None:
    began = time.perf_counter()
    with events(upstream, "slow=10,tokens=8") as lines:
        assert len(list(lines)) == 11
    assert time.perf_counter() - began >= 0.08


def test_it_sends_megabytes(upstream: Upstream) -> None:
    assert len(post(upstream, "huge=2").content) > 2 << 20
    with events(upstream, "huge=2") as lines:
        assert sum(map(len, lines)) > 2 << 20
    assert len(httpx.get(f"{upstream.base_url}/models", headers={"x-fake-fault": "huge=1"}).content) > 1 << 20


def test_it_sends_nothing_at_all(upstream: Upstream) -> None:
    answer = post(upstream, "empty")
    assert (answer.status_code, answer.content) == (200, b"")


def test_it_compresses(upstream: Upstream) -> None:
    body = {"model": "gpt-4o", "messages": HI}
    headers = {"x-fake-fault": "gzip"}
    with httpx.stream("POST", f"{upstream.base_url}/chat/completions", json=body, headers=headers) as answer:
        raw = b"".join(answer.iter_raw())
    assert (answer.headers["content-encoding"], json.loads(gzip.decompress(raw))["model"]) == ("gzip", "gpt-4o")
    with events(upstream, "gzip") as lines:
        assert list(lines)[-1] == "[DONE]"


def test_it_keeps_usage_to_itself(upstream: Upstream) -> None:
    assert "usage" not in post(upstream, "no-usage").json()
    streamed = post(upstream, "no-usage", stream=True, stream_options={"include_usage": True})
    assert '"completion_tokens"' not in streamed.text
