"""Tests of the bare pass-through under both servers."""

from collections.abc import Iterator

import httpx
import pytest

from bench.processes import free_port, running
from bench.suite import SERVERS
from tests.upstream import Upstream

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module", params=SERVERS)
def passthrough(request: pytest.FixtureRequest, running_upstream: Upstream) -> Iterator[str]:
    port = free_port()
    with running(["-m", "bench.passthrough", request.param, str(port), running_upstream.url], port):
        yield f"http://127.0.0.1:{port}"


def test_it_forwards_plain_and_streamed_answers(passthrough: str, upstream: Upstream) -> None:
    plain = httpx.post(f"{passthrough}/v1/chat/completions", json=CHAT)
    assert plain.json()["object"] == "chat.completion"
    with httpx.stream("POST", f"{passthrough}/v1/chat/completions", json={**CHAT, "stream": True}) as answer:
        assert [line for line in answer.iter_lines() if line][-1] == "data: [DONE]"
    assert upstream.last().json() == {**CHAT, "stream": True}
