import socket
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from reporting.records import UsageEventRecord
from reporting.services import Batch
from reporting.statsd import DATAGRAM_BYTES, StatsdSender, datagrams, lines, reporting_to


def record(**changes: object) -> UsageEventRecord:
    values = {
        "id": "01a1fa78-b86b-74c0-88b2-69c25cc5d023",
        "created_at": 1_700_000_000,
        "key_id": "00000000-0000-4000-8000-000000000001",
        "method": "POST",
        "path": "/api/providers/openai/v1/chat/completions",
        "status": 200,
        "ending": "completed",
        "provider": "openai",
        "request_model": "gpt-4o",
        "input_tokens": 8,
        "output_tokens": 5,
        "cost_nano": 70,
        "latency_ms": 12,
        "time_to_first_chunk_ms": 3,
    }
    return UsageEventRecord(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def agent() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        yield listener


def sender_to(agent: socket.socket) -> StatsdSender:
    return StatsdSender(f"127.0.0.1:{agent.getsockname()[1]}")


def test_a_request_is_counted_and_timed() -> None:
    tags = "status:200,ending:completed,provider:openai,model:gpt-4o"
    assert lines(record()) == [
        f"gatehouse.requests:1|c|#{tags}",
        f"gatehouse.tokens.input:8|c|#{tags}",
        f"gatehouse.tokens.output:5|c|#{tags}",
        f"gatehouse.cost_nano_usd:70|c|#{tags}",
        f"gatehouse.latency:12|ms|#{tags}",
        f"gatehouse.time_to_first_chunk:3|ms|#{tags}",
    ]


def test_a_model_cannot_write_lines_of_its_own() -> None:
    (first, *_) = lines(record(request_model="x|c\ngatehouse.requests:9|c,#y" + "z" * 500))
    assert first.count("|") == 2
    assert "\n" not in first
    assert len(first) < 250


def test_lines_are_packed_into_datagrams_that_fit() -> None:
    many = [f"gatehouse.requests:{number}|c" for number in range(200)]
    packed = list(datagrams(many))
    assert max(map(len, packed)) <= DATAGRAM_BYTES
    assert b"\n".join(packed).decode().split("\n") == many
    assert len(packed) < 6


def test_the_agent_gets_each_event_once_though_the_batch_is_sent_again(agent: socket.socket) -> None:
    sent: list[Batch] = []

    def send(batch: Batch, payloads: Sequence[bytes]) -> None:
        sent.append(batch)

    sender = sender_to(agent)
    reporting = reporting_to(sender, send)
    payloads = [msgspec.json.encode(record()), b"no record"]
    reporting(Batch("spool", 0, 100, "host"), payloads)
    reporting(Batch("spool", 0, 100, "host"), payloads)
    reporting(Batch("spool", 100, 200, "host"), [msgspec.json.encode(record(status=429))])
    sender.close()
    assert agent.recv(65536).count(b"gatehouse.requests:1") == 1
    assert b"status:429" in agent.recv(65536)
    agent.settimeout(0.1)
    with pytest.raises(TimeoutError):
        agent.recv(65536)
    assert len(sent) == 3


def test_without_an_agent_nothing_fails(agent: socket.socket) -> None:
    sender = sender_to(agent)
    agent.close()
    for _ in range(3):
        sender.send(["gatehouse.requests:1|c"])
    sender.close()
