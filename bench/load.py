"""The load generator, a process of its own: `python -m bench.load '{"url": ...}'` prints a result as JSON.

Raw HTTP/1.1 over keep-alive connections, parsed by httptools: it costs a fraction of what it measures.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from urllib.parse import urlsplit

import httptools
import uvloop

from bench.records import LoadResult, LoadSpec

_GIVE_UP_S = 30.0


def request_bytes(spec: LoadSpec) -> bytes:
    """The one request that is sent over and over."""
    parts = urlsplit(spec.url)
    body = spec.body.encode()
    headers = {"host": parts.netloc, "content-type": "application/json", "accept": "*/*", **spec.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {parts.path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


class Generator:
    """Sends, and gathers what comes back."""

    def __init__(self, spec: LoadSpec) -> None:
        self.spec = spec
        self.request = request_bytes(spec)
        self.total_ms: list[float] = []
        self.first_ms: list[float] = []
        self.errors = 0
        self.chunks = 0
        self.complaint = ""
        self.idle: list[Client] = []
        self.sending = True
        self.pending = 0
        self.done = asyncio.Event()

    async def run(self) -> LoadResult:
        """One round, until every request sent is answered."""
        for _ in range(self.spec.connections):
            self.idle.append(await self.connect())
        started = time.perf_counter()
        if self.spec.rate:
            await self._open_loop(started)
        else:
            await self._closed_loop()
        seconds = time.perf_counter() - started
        answers = len(self.total_ms)
        return LoadResult(answers, self.errors, seconds, self.total_ms, self.first_ms, self.chunks, self.complaint)

    async def connect(self) -> "Client":
        """A new connection."""
        parts = urlsplit(self.spec.url)
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: Client(self), parts.hostname or "127.0.0.1", parts.port or 80)
        return client

    async def _closed_loop(self) -> None:
        if not self.spec.count:
            asyncio.get_running_loop().call_later(self.spec.seconds, self._stop)
        for client in self._take_all():
            client.send()
        async with asyncio.timeout(None if self.spec.count else self.spec.seconds + _GIVE_UP_S):
            await self.done.wait()

    async def _open_loop(self, started: float) -> None:
        for number in range(int(self.spec.rate * self.spec.seconds)):
            await asyncio.sleep(max(0.0, started + number / self.spec.rate - time.perf_counter()))
            client = self.idle.pop() if self.idle else await self.connect()
            client.send()
        self._stop()
        async with asyncio.timeout(_GIVE_UP_S):
            await self.done.wait()

    def _take_all(self) -> "list[Client]":
        taken, self.idle = self.idle, []
        return taken

    def _stop(self) -> None:
        self.sending = False
        if not self.pending:
            self.done.set()

    def answered(self, client: "Client") -> None:
        """Take the figures of an answer; send again in a closed loop."""
        self.pending -= 1
        if client.problem:
            self.errors += 1
            self.complaint = self.complaint or client.problem
        if self.spec.count and len(self.total_ms) >= self.spec.count:
            self.sending = False
        if self.sending and not self.spec.rate:
            client.send()
        else:
            self.idle.append(client)
        if not self.sending and not self.pending:
            self.done.set()


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self) -> None:
        """Send the request; the generator hears of its answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._tail = b""
        self._first_at = 0.0
        self._busy = True
        self._generator.pending += 1
        self._sent_at = time.perf_counter()
        self._transport.write(self._generator.request)  # type: ignore[attr-defined]  # uvloop's transport

    def data_received(self, data: bytes) -> None:
        if not self._first_at:
            self._first_at = time.perf_counter()
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._generator.chunks += 1
        self._tail = body if len(body) > 64 else self._tail[-64:] + body

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self._busy = False
        self._generator.total_ms.append(1000 * (now - self._sent_at))
        self._generator.first_ms.append(1000 * (self._first_at - self._sent_at))
        self.problem = self._judge()
        self._generator.answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._busy:
            self._generator.errors += 1
            self._generator.complaint = self._generator.complaint or f"connection lost: {exc!r}"
            self._generator.pending -= 1
            self._generator.sending = False
            self._generator.done.set()

    def _judge(self) -> str:
        """Empty for a complete 200."""
        status = self._parser.get_status_code()
        if status != 200:
            return f"{status}: {self._tail.decode('utf-8', 'replace')}"
        if self._generator.spec.stream and b"[DONE]" not in self._tail:
            return f"a stream without its end: {self._tail!r}"
        return ""


def main() -> None:
    """Run the round that the argument describes."""
    spec = LoadSpec(**json.loads(sys.argv[1]))

    async def run() -> LoadResult:
        return await Generator(spec).run()

    result = json.dumps(asdict(uvloop.run(run()))).encode()
    # Not print: where PYTHONUNBUFFERED is set, it drops what a pipe does not take at once.
    with open(1, "wb", closefd=False) as stdout:
        stdout.write(result)


if __name__ == "__main__":
    main()
