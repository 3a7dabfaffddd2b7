"""What the gateway relies on, whichever server carries it."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from tests.gateway_project.servers.served_app import SLOW_SENDER_S
from tests.services import free_port

ROOT = Path(__file__).resolve().parents[3]
START_S = 30.0
HANDSHAKE = (
    b"GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Served:
    """A server process. said: its lines so far."""

    def __init__(self, kind: str, *, grace_s: float = 6.0) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway_project.servers.served_app", kind, str(self.port), str(grace_s)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait_for("listening")

    def wait_for(self, word: str, timeout_s: float = START_S) -> None:
        deadline = time.monotonic() + timeout_s
        while word not in self.said:
            assert time.monotonic() < deadline, f"no {word!r} in {self.said}"
            time.sleep(0.02)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        code = self.process.wait(START_S)
        self._reader.join(5)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        if self.process.stdout:
            self.process.stdout.close()

    @contextmanager
    def connection(self, sent: bytes) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(sent)
            yield client

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.said.append(line.strip())


def drip_until_cut(client: socket.socket) -> None:
    """One byte every fifth of a second, for at most a quarter of a minute."""
    for _ in range(75):
        try:
            client.sendall(b"x")
        except OSError:
            return
        time.sleep(0.2)


def wait_until_refused(server: Served) -> None:
    """uvicorn looks every tenth of a second whether it is to stop."""
    deadline = time.monotonic() + 0.8
    while time.monotonic() < deadline:
        try:
            httpx.get(server.url, timeout=1)
        except httpx.TransportError:
            return
    raise AssertionError("it still accepts connections")


def read_and_terminate(server: Served) -> None:
    """Read an answer without end; the server is told to stop at its first chunk."""
    with httpx.stream("GET", f"{server.url}/endless", timeout=20) as answer:
        for _ in answer.iter_raw():
            if "stopping" not in server.said:
                server.terminate()
                server.wait_for("stopping")


class ServerContract:
    """Subclassed in a module per server, which the module's KIND names."""

    def test_it_starts_the_application_before_it_listens(self, served: Served) -> None:
        assert served.said[:2] == ["started", "listening"]

    def test_it_serves_requests_and_bodies_without_naming_itself(self, served: Served) -> None:
        answer = httpx.post(served.url, content=b"x" * 90_000)
        assert answer.text == "127.0.0.1 90000"
        assert "server" not in answer.headers

    @pytest.mark.parametrize("status", [402, 413, 422, 425, 429, 451, 503, 504])
    def test_a_status_has_its_name(self, served: Served, status: int) -> None:
        answer = httpx.get(f"{served.url}/status/{status}")
        assert (answer.status_code, answer.reason_phrase) == (status, HTTPStatus(status).phrase)

    def test_a_forwarding_header_makes_nobody_local(self, served: Served) -> None:
        answer = httpx.get(served.url, headers={"x-forwarded-for": "10.1.2.3"})
        assert answer.text.startswith("127.0.0.1 ")

    def test_it_sends_chunk_by_chunk(self, served: Served) -> None:
        with httpx.stream("GET", f"{served.url}/stream") as answer:
            arrived = [time.monotonic() for _ in answer.iter_raw()]
        assert arrived[-1] - arrived[0] > 0.5

    def test_it_tells_at_once_when_the_client_left(self, served: Served) -> None:
        before = served.said.count("client left")
        with httpx.stream("GET", f"{served.url}/endless") as answer:
            next(answer.iter_raw())
        deadline = time.monotonic() + 1.0
        while served.said.count("client left") == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @pytest.mark.parametrize(
        "sent", [b"", b"GET / HTTP/1.1\r\nHost:", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"]
    )
    def test_a_sender_that_stalls_is_cut(self, served: Served, sent: bytes) -> None:
        began = time.monotonic()
        with served.connection(sent) as client:
            assert client.recv(1000) == b""
        assert time.monotonic() - began < SLOW_SENDER_S * 2 + 3

    def test_a_sender_that_drips_is_cut(self, served: Served) -> None:
        began = time.monotonic()
        with served.connection(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n") as client:
            drip_until_cut(client)
        assert time.monotonic() - began < SLOW_SENDER_S * 2 + 4

    def test_headers_without_end_are_refused(self, served: Served) -> None:
        with served.connection(b"GET / HTTP/1.1\r\nHost: a\r\n") as client:
            try:
                for _ in range(300):
                    client.sendall(b"x-filler: " + b"a" * 1000 + b"\r\n")
                answer = client.recv(1000)
            except OSError:
                answer = b""
        assert b" 200 " not in answer

    def test_an_answer_that_breaks_off_is_cut_every_time(self, served: Served) -> None:
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{served.url}/broken", timeout=5)

    def test_a_websocket_is_not_opened(self, served: Served) -> None:
        with served.connection(HANDSHAKE) as client:
            assert b" 101 " not in client.recv(1000)

    def test_sigterm_lets_a_stream_end_and_refuses_new_connections(self, own: Served) -> None:
        with httpx.stream("GET", f"{own.url}/stream", timeout=20) as answer:
            chunks = answer.iter_raw()
            next(chunks)
            own.terminate()
            own.wait_for("stopping")
            own.terminate()
            wait_until_refused(own)
            rest = b"".join(chunks)
        assert rest.endswith(b"end\n")
        assert own.wait() == 0
        assert own.said[-3:] == ["stopping", "stopped", "over"]

    def test_sigterm_does_not_wait_for_an_idle_connection(self, own: Served) -> None:
        with httpx.Client() as client:
            client.get(own.url)
            began = time.monotonic()
            own.terminate()
            assert own.wait() == 0
        assert time.monotonic() - began < 3

    def test_sigterm_does_not_wait_for_a_refused_websocket(self, own: Served) -> None:
        with own.connection(HANDSHAKE) as client:
            client.recv(1000)
        began = time.monotonic()
        own.terminate()
        assert own.wait() == 0
        assert time.monotonic() - began < 3

    def test_a_request_that_outlives_the_grace_is_cancelled(self, kind: str) -> None:
        server = Served(kind, grace_s=1.0)
        try:
            with pytest.raises(httpx.TransportError):
                read_and_terminate(server)
            assert server.wait() == 0
            assert server.said[-3:] == ["cancelled", "stopped", "over"]
        finally:
            server.close()
