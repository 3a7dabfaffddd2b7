"""Tests of the load generator, in a process of its own as the benchmark runs it."""

import json
import time
from typing import Any

import pytest

from bench.load import request_bytes
from bench.measuring import BenchError, run_load
from bench.records import LoadResult, LoadSpec
from tests.upstream import Upstream

MESSAGES = [{"role": "user", "content": "hi"}]
BODY = json.dumps({"model": "gpt-4o-mini", "messages": MESSAGES})


def load(upstream: Upstream, fault: str = "", **spec: Any) -> LoadResult:
    headers = {"x-fake-fault": fault} if fault else {}
    return run_load(LoadSpec(f"{upstream.base_url}/chat/completions", headers=headers, **{"body": BODY, **spec}))


def test_it_sends_as_many_as_asked_in_a_closed_loop(upstream: Upstream) -> None:
    result = load(upstream, count=50, connections=4)
    assert (result.errors, result.chunks) == (0, result.requests)
    assert 50 <= result.requests == upstream.count() <= 53
    assert len({request.connection for request in upstream.requests()}) == 4


def test_it_keeps_a_rate_however_slow_the_answers_are(upstream: Upstream) -> None:
    result = load(upstream, "slow-first-byte=100", rate=100.0, seconds=0.3, connections=1)
    assert result.requests == 30
    assert result.seconds < 1.0
    assert min(result.first_ms) > 95


def test_it_stops_after_its_time(upstream: Upstream) -> None:
    began = time.monotonic()
    assert load(upstream, seconds=0.2).requests > 0
    assert time.monotonic() - began < 5


def test_it_reads_streams_to_their_end(upstream: Upstream) -> None:
    body = json.dumps({"model": "gpt-4o-mini", "messages": MESSAGES, "stream": True})
    result = load(upstream, "slow=2", body=body, count=2, connections=1, stream=True)
    assert result.chunks == 19 * result.requests
    assert min(result.total_ms) > 25  # 16 pauses; a timer may be early by a fraction of each
    with pytest.raises(BenchError, match="without its end"):
        load(upstream, "cut-clean", body=body, count=2, stream=True)


@pytest.mark.parametrize(("fault", "complaint"), [("429", "429: .*Rate limit"), ("drop", "connection lost")])
def test_it_calls_a_wrong_answer_wrong(upstream: Upstream, fault: str, complaint: str) -> None:
    with pytest.raises(BenchError, match=complaint):
        load(upstream, fault, count=1, connections=1)


def test_it_builds_one_request() -> None:
    sent = request_bytes(LoadSpec("http://127.0.0.1:9/v1/x", "{}", {"authorization": "Bearer k"}))
    assert sent.startswith(b"POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:9\r\n")
    assert sent.endswith(b"authorization: Bearer k\r\ncontent-length: 2\r\n\r\n{}")
