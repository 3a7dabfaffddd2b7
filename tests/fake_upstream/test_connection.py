"""Tests of the wire: connections, what the upstream notices when a client leaves, HTTP itself."""

import socket
import time
from urllib.parse import urlsplit

import httpx

from tests.upstream import Upstream, running_upstream

STREAM = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def exchange(upstream: Upstream, sent: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    parts = urlsplit(upstream.url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=2) as connection:
        connection.sendall(sent)
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


def test_it_sees_a_client_leave_after_some_chunks(upstream: Upstream) -> None:
    url, headers = (f"{upstream.base_url}/chat/completions", {"x-fake-fault": "slow=20,tokens=500"})
    with httpx.stream("POST", url, json=STREAM, headers=headers) as answer:
        lines = answer.iter_lines()
        while '" brown"' not in next(lines):
            pass
        left_at = time.time()
    seen = upstream.wait_for_ending("client-left")
    assert 3 <= seen.chunks <= 6
    assert seen.ended_at is not None
    assert seen.ended_at - left_at < 1.0
    gone = next(item for item in upstream.connections() if item["request_number"] == seen.number)
    assert (gone["closed_by"], gone["chunks"]) == ("client", seen.chunks)


def test_it_keeps_a_connection_for_several_requests(upstream: Upstream) -> None:
    with httpx.Client() as client:
        for _ in range(3):
            client.get(f"{upstream.base_url}/models")
    assert len({request.connection for request in upstream.requests()}) == 1


def test_it_answers_pipelined_requests_in_order(upstream: Upstream) -> None:
    first = b"GET /a HTTP/1.1\r\nhost: x\r\nx-fake-fault: slow-first-byte=30\r\n\r\n"
    received = exchange(upstream, first + b"GET /b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert received.index(b'"path":"/a"') < received.index(b'"path":"/b"')


def test_it_refuses_what_is_not_http(upstream: Upstream) -> None:
    assert exchange(upstream, b"hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_it_lets_a_careful_client_go_on(upstream: Upstream) -> None:
    asked = b"POST /x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"
    assert exchange(upstream, asked).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_it_waits_for_a_slow_reader(upstream: Upstream) -> None:
    parts = urlsplit(upstream.url)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=2) as connection:
        body = b'{"model":"gpt-4o@huge=200","stream":true,"messages":[{"content":"hi"}]}'
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        connection.sendall(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))
        time.sleep(0.3)
        assert upstream.last().chunks < 400
    assert upstream.wait_for_ending("client-left").chunks < 400


def test_it_runs_as_a_process() -> None:
    with running_upstream("--require-key", "sk-1", "--no-record", "--tokens", "2") as upstream:
        headers = {"authorization": "Bearer sk-1"}
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
        answer = httpx.post(f"{upstream.base_url}/chat/completions", json=body, headers=headers).json()
        assert answer["choices"][0]["message"]["content"] == "The quick"
        assert (upstream.count(), upstream.requests()) == (1, [])
