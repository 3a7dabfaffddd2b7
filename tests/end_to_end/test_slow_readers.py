"""Tests of clients that take an answer slowly, or not at all."""

import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.wire import head
from tests.proxy_gateway import Caller, RunningProxy, waited_for
from tests.upstream import Upstream

BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"max_tokens":9%b}'


def asks(caller: Caller, body: bytes, *headers: bytes) -> socket.socket:
    """A client that has sent its request and reads nothing."""
    address = urlsplit(caller.gateway.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((address.hostname, address.port))
    sized = b"Content-Length: %d" % len(body)
    target = b"/api/providers/openai/v1/chat/completions"
    client.sendall(head(caller, "POST", target, b"Content-Type: application/json", sized, *headers) + body)
    return client


@pytest.mark.parametrize("stream", [b"", b',"stream":true'])
def test_a_client_that_never_reads_holds_nothing_after_its_time(
    gateway: RunningProxy, upstream: Upstream, stream: bytes
) -> None:
    caller = gateway.caller(cost_limit_nano=10**12)
    with asks(caller, BODY % stream, b"x-fake-fault: huge=60", b"x-request-timeout: 700ms"):
        event = caller.event(within_s=5)
        assert event.ending in ("upstream_failed", "cut")
        if stream:
            assert upstream.wait_for_ending("client-left", 2)
        subject = gateway.counters._subjects[caller.subject]  # type: ignore[attr-defined]
        waited_for(lambda: not subject.reservations)
    waited_for(lambda: not gateway.proxy.requests_in_flight)
    assert len(caller.events()) == 1


def test_a_slow_client_gets_everything(gateway: RunningProxy, upstream: Upstream) -> None:
    caller = gateway.caller()
    with asks(caller, BODY % b',"stream":true', b"x-fake-fault: huge=30") as client:
        time.sleep(0.3)
        assert caller.events() == []  # what it has not taken yet waits at the provider, not here
        received = 0
        client.settimeout(10)
        while piece := client.recv(65536):
            received += len(piece)
            last = piece
    assert received > 30_000_000
    assert b"data: [DONE]" in last
    assert caller.event().ending == "completed"
