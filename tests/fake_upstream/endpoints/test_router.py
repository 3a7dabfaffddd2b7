"""Tests of which endpoint answers a path."""

from typing import Any

import httpx
import pytest

from tests.upstream import Upstream

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("prefix", ["", "/v1", "/api/providers/openai/v1"])
def test_it_answers_under_any_prefix(upstream: Upstream, prefix: str) -> None:
    answer = httpx.post(f"{upstream.url}{prefix}/chat/completions", json=CHAT)
    assert answer.json()["object"] == "chat.completion"


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "PUT"])
def test_it_echoes_a_path_nobody_knows(upstream: Upstream, method: str) -> None:
    answer: Any = httpx.request(method, f"{upstream.url}/v1/some%2Fthing/new?a=1&a=2").json()
    assert answer == {"method": method, "path": "/v1/some%2Fthing/new", "query": "a=1&a=2"}
