"""One client connection: HTTP/1.1 on httptools, answers written without a task per request."""

import asyncio
import itertools
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from http import HTTPStatus
from typing import cast

import httptools

from fake_upstream.app import FakeUpstream
from fake_upstream.call import new_id
from fake_upstream.errors import bad_request
from fake_upstream.messages import Chunk, Delivery, Headers, Reply, Request, Stream
from fake_upstream.recorder import RequestRecord

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_FIXED_HEADERS = (
    b"server: fake-upstream\r\n"
    b"openai-organization: org-fake-secret\r\n"
    b"openai-processing-ms: 12\r\n"
    b"openai-version: 2020-10-01\r\n"
    b"set-cookie: __cf_bm=fake-cookie; path=/; HttpOnly; Secure; SameSite=None\r\n"
    b"x-ratelimit-limit-requests: 10000\r\n"
    b"x-ratelimit-limit-tokens: 2000000\r\n"
    b"x-ratelimit-remaining-tokens: 1999000\r\n"
    b"x-ratelimit-reset-requests: 6ms\r\n"
)
_NO_LINGER = struct.pack("ii", 1, 0)
_ARRIVAL_S = 0.02
"""Time for the last chunk to leave before a reset, which would overtake it."""

_connection_numbers = itertools.count(1)
_request_numbers = itertools.count(1)


class Connection(asyncio.Protocol):
    """Parses requests and answers them one after another."""

    def __init__(self, app: FakeUpstream, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._writing: Writing | None = None
        self._url = b""
        self._headers: Headers = []
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of asyncio's.
        self._record = self._app.recorder.opened(next(_connection_numbers))

    def connection_lost(self, exc: Exception | None) -> None:
        record = self._record
        record.closed_at = time.time()
        record.closed_by = record.closed_by or "client"
        if self._writing is not None:
            writing, self._writing = self._writing, None
            record.request_number, record.chunks = (writing.request.number, writing.chunks)
            writing.client_left()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            request = Request(0, 0, "GET", b"", "", "", [], b"", keep_alive=False)
            self._writing = Writing(self, request, None)
            self._writing.start(Delivery(bad_request(f"Not HTTP: {error}")))

    def pause_writing(self) -> None:
        if self._writing is not None:
            self._writing.paused = True

    def resume_writing(self) -> None:
        if self._writing is not None:
            self._writing.resume()

    # What httptools calls.

    def on_message_begin(self) -> None:
        self._headers, self._body = [], []
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if any(name.lower() == b"expect" and value.lower() == b"100-continue" for name, value in self._headers):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        request = Request(
            next(_request_numbers),
            self._record.number,
            self._parser.get_method().decode(),
            self._url,
            path,
            query,
            self._headers,
            b"".join(self._body),
            self._parser.should_keep_alive(),
        )
        self._record.requests += 1
        if self._writing is None:
            self._answer(request)
        else:
            self._waiting.append(request)

    def _answer(self, request: Request) -> None:
        delivery, record = self._app.answer(request)
        self._writing = Writing(self, request, record)
        self._writing.start(delivery, self._loop)

    def finished(self, request: Request) -> None:
        """The answer is written: close, or take the next request."""
        self._writing = None
        if not request.keep_alive:
            self.hang_up("close")
        elif self._waiting:
            self._answer(self._waiting.popleft())

    def hang_up(self, how: str) -> None:
        """`reset` sends RST, anything else closes in order. The answer in progress must have ended."""
        self._writing = None
        if self.transport.is_closing():
            return
        self._record.closed_by = "server"
        if how == "reset":
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.transport.abort()
        else:
            self.transport.close()


class Writing:
    """One answer on its way out: at once, or chunk by chunk as fast as pause and reader allow."""

    __slots__ = (
        "_chunks",
        "_connection",
        "_delivery",
        "_due_at",
        "_gone",
        "_loop",
        "_record",
        "_timer",
        "_waits_for_reader",
        "chunks",
        "paused",
        "request",
    )

    def __init__(self, connection: Connection, request: Request, record: RequestRecord | None) -> None:
        self.request = request
        self.chunks = 0
        self.paused = False
        self._connection = connection
        self._record = record
        self._gone = False
        self._due_at = 0.0
        self._waits_for_reader = False
        self._chunks: Iterator[Chunk] = iter(())
        self._timer: asyncio.Handle | None = None

    def start(self, delivery: Delivery, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin, now or after the delivery's delay."""
        self._loop = loop or asyncio.get_running_loop()
        self._delivery = delivery
        if delivery.delay_s:
            self._timer = self._loop.call_later(delivery.delay_s, self._begin)
        else:
            self._begin()

    def client_left(self) -> None:
        """The connection is gone before the answer was complete."""
        self._gone = True
        if self._timer is not None:
            self._timer.cancel()
        self._end("client-left")

    def resume(self) -> None:
        """The reader takes data again."""
        self.paused = False
        if self._waits_for_reader:
            self._next()

    def _end(self, how: str) -> None:
        if self._record is not None:
            self._record.chunks = self.chunks
            self._record.end(how)

    def _begin(self) -> None:
        answer = self._delivery.answer
        if answer is None:
            self._stop()
        elif isinstance(answer, Stream):
            self._chunks = answer.chunks
            self._due_at = self._loop.time()
            self._note_status(answer.status)
            self._write(head_of(answer, self.request))
            self._next()
        else:
            self._write_reply(answer)

    def _note_status(self, status: int) -> None:
        if self._record is not None:
            self._record.status = status

    def _write(self, data: bytes) -> None:
        self._connection.transport.write(data)

    def _write_reply(self, reply: Reply) -> None:
        self._note_status(reply.status)
        body = b"" if self.request.method == "HEAD" else reply.body
        if self._delivery.stop_after is not None:
            self._write(head_of(reply, self.request) + body[: len(body) // 2])
            self._stop()
            return
        self._write(head_of(reply, self.request) + body)
        self._end("complete")
        self._connection.finished(self.request)

    def _next(self) -> None:
        """Write one chunk and arrange for the next: every chunk is a write of its own."""
        self._timer = None
        self._waits_for_reader = self.paused
        if self._gone or self.paused:
            return
        delivery = self._delivery
        if delivery.stop_after is not None and self.chunks >= delivery.stop_after:
            self._stop()
            return
        data, is_content = next(self._chunks, (b"", False))
        if not data:
            self._finish_stream()
            return
        self._write(b"%x\r\n%b\r\n" % (len(data), data))
        self.chunks += is_content
        if self._record is not None:
            self._record.chunks = self.chunks
        if is_content and delivery.pause_s:
            # From the time it was due, not from now: late timers must not add up over a stream.
            self._due_at = max(self._due_at + delivery.pause_s, self._loop.time())
            self._timer = self._loop.call_at(self._due_at, self._next)
        else:
            self._timer = self._loop.call_soon(self._next)

    def _finish_stream(self) -> None:
        self._write(b"0\r\n\r\n")
        self._end("complete")
        self._connection.finished(self.request)

    def _stop(self) -> None:
        """End as the fault wants it."""
        how = self._delivery.stop_how
        if how == "hang":
            self._end("hung")
            return
        self._end("cut")
        if how == "end" and isinstance(self._delivery.answer, Stream):
            self._write(b"0\r\n\r\n")
            self._connection.finished(self.request)
        else:
            self._loop.call_later(_ARRIVAL_S, self._connection.hang_up, how)


def head_of(answer: Reply | Stream, request: Request) -> bytes:
    """Status line and headers; a stream is chunked, everything else has its length."""
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
    if "x-ratelimit-remaining-requests" not in answer.headers:
        lines.append("x-ratelimit-remaining-requests: 9999\r\n")
    size = "transfer-encoding: chunked" if isinstance(answer, Stream) else f"content-length: {len(answer.body)}"
    close = "" if request.keep_alive else "connection: close\r\n"
    if "request-id" not in answer.headers:
        lines.append(f"x-request-id: {new_id('req_')}\r\n")
    lines.append(f"content-type: {answer.content_type}\r\n{size}\r\n{close}")
    return "".join(lines).encode("latin-1") + _FIXED_HEADERS + b"\r\n"
