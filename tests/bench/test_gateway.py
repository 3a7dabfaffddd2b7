"""Tests that the benchmark can start the gateway, and that its key pays for admission."""

import httpx
import pytest

from bench.gateway import running_gateway
from bench.suite import HIT, PLAIN, ROUTE, STREAM
from tests.upstream import Upstream


@pytest.mark.end_to_end
def test_it_asks_through_the_gateway(upstream: Upstream) -> None:
    with running_gateway("uvicorn", upstream.url) as gateway:
        headers = {**gateway.headers, "content-type": "application/json"}
        plain = httpx.post(gateway.url, content=PLAIN.body, headers=headers)
        streamed = httpx.post(gateway.url, content=STREAM.body, headers=headers)
        kept = [httpx.post(gateway.routes["hit"], content=HIT.body, headers=headers) for _ in range(2)]
        routed = httpx.post(gateway.routes["route"], content=ROUTE.body, headers=headers)
    assert (routed.status_code, routed.headers["x-gateway-attempts"]) == (200, "1")
    assert [answer.headers["x-gateway-cache"] for answer in kept] == ["miss", "hit"]
    assert plain.json()["object"] == "chat.completion"
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert upstream.last().header("authorization") == "Bearer sk-bench"
