"""Tests of what depends on the server that carries the proxy: streams as they come, and clients that leave."""

import contextlib
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest

from reporting.records import UsageEventRecord
from reporting.spool import list_spools, read_records
from tests.proxy_gateway import SECRET, waited_for
from tests.services import free_port
from tests.upstream import ROOT, Upstream

pytestmark = pytest.mark.end_to_end
CHAT = "/chat/completions"
BODY = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 500}


@dataclass(frozen=True)
class Served:
    url: str
    spool: Path

    def client(self, timeout: float = 10.0) -> httpx.Client:
        base = f"{self.url}/api/providers/openai/v1"
        return httpx.Client(base_url=base, headers={"authorization": f"Bearer {SECRET}"}, timeout=timeout)

    def events(self) -> list[UsageEventRecord]:
        return [
            msgspec.json.decode(record, type=UsageEventRecord)
            for spool in list_spools(self.spool)
            for record in read_records(spool, 0, 1000, 1 << 24).records
        ]

    def next_event(self, cause: Callable[[], object]) -> UsageEventRecord:
        """The event of what `cause` does."""
        before = len(self.events())
        cause()
        events: list[UsageEventRecord] = waited_for(lambda: len(found := self.events()) > before and found)
        assert len(events) == before + 1
        return events[-1]


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def served(
    request: pytest.FixtureRequest, running_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    port, spool = free_port(), tmp_path_factory.mktemp("spool")
    command = [sys.executable, "-m", "tests.end_to_end.served_proxy", request.param]
    command += [str(port), running_upstream.url, str(spool)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        yield Served(f"http://127.0.0.1:{port}", spool)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def test_a_stream_comes_as_it_is_made(served: Served, upstream: Upstream) -> None:
    def stream() -> None:
        headers = {"x-fake-fault": "slow=100,tokens=5"}
        with (
            served.client() as client,
            client.stream("POST", "/chat/completions", json=BODY, headers=headers) as answer,
        ):
            times = [time.monotonic() for line in answer.iter_lines() if '"content":"' in line]
        assert times[-1] - times[1] > 0.2

    event = served.next_event(stream)
    assert (event.ending, event.output_tokens, event.usage_source) == ("completed", 5, "upstream")


def test_a_client_that_leaves_is_noticed_within_a_second(served: Served, upstream: Upstream) -> None:
    left_at = 0.0

    def leave() -> None:
        nonlocal left_at
        headers = {"x-fake-fault": "slow=40,tokens=200"}
        with (
            served.client() as client,
            client.stream("POST", "/chat/completions", json=BODY, headers=headers) as answer,
        ):
            for _ in itertools.islice((line for line in answer.iter_lines() if line), 6):
                pass
        left_at = time.time()

    event = served.next_event(leave)
    ended = upstream.wait_for_ending("client-left")
    assert ended.ended_at is not None
    assert ended.ended_at - left_at < 1
    assert (event.ending, event.status, event.usage_source) == ("client_left", 200, "counted")
    assert 5 <= event.output_tokens <= ended.chunks < 50
    assert event.cost_nano == 8 + 2 * event.output_tokens


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_before_anything_came_is_noticed(served: Served, upstream: Upstream, stream: bool) -> None:
    def leave() -> None:
        headers = {"x-fake-fault": "slow-first-byte=5000"}
        with served.client(timeout=0.4) as client, pytest.raises(httpx.ReadTimeout):
            client.post(CHAT, json={**BODY, "stream": stream}, headers=headers)

    event = served.next_event(leave)
    assert (event.ending, event.status, event.output_tokens) == ("client_left", 499, 0)
    assert upstream.wait_for_ending("client-left").chunks == 0


def test_a_long_answer_that_breaks_is_seen_to_be_broken(served: Served, upstream: Upstream) -> None:
    def fetch() -> None:
        headers = {"x-fake-fault": "huge=10,cut"}
        # A reset throws away what was not read yet: it may strike before the answer has begun.
        with served.client() as client, contextlib.suppress(httpx.TransportError):
            assert client.post(CHAT, json={**BODY, "stream": False}, headers=headers).status_code == 502

    event = served.next_event(fetch)
    assert (event.ending, event.input_tokens) == ("upstream_failed", 8)


def test_a_large_body_arrives_whole(served: Served, upstream: Upstream) -> None:
    content = bytes(range(256)) * 3000
    with served.client() as client:
        answer = client.post("/uploads/u/parts?a=%2e%2e", content=content)
    assert answer.status_code == 200
    assert (upstream.last().body, upstream.last().target) == (content, "/v1/uploads/u/parts?a=%2e%2e")


@pytest.mark.parametrize(
    ("path", "status"), [("/models/a%2Fb%3Ac", 200), ("/files/%2e%2e/models", 400), ("/a%5Cb", 400), ("/a%00", 400)]
)
def test_paths_are_taken_as_they_were_sent(served: Served, upstream: Upstream, path: str, status: int) -> None:
    with served.client() as client:
        assert client.get(path).status_code == status
    if status == 200:
        assert upstream.last().target == "/v1" + path
    else:
        assert upstream.count() == 0
