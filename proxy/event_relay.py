"""Relay a stream of which only its operator's own words are known: each event is looked at, none is changed.

Events are server-sent ones, or lines of JSON where the answer is not said to be server-sent events.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from gateway_project.shared import clock
from providers.adapters.base import CutContext
from proxy import sse
from proxy.flow import Answer
from proxy.relay_stream import FOLD_BYTES, StreamRelay
from proxy.relaying import RelayParts
from proxy.reply import Reply
from proxy.visit import Visit

_DATA = b"data: "
# A token has at least one byte of text, so between two counts come fewer tokens than a growing lease's margin.
GROWING_FOLD_TEXT_BYTES = 256
_BROKEN = {
    "message": "The provider broke off its answer.",
    "type": "server_error",
    "param": None,
    "code": "gateway_upstream_stream_broken",
}
_EMPTY = {
    "message": "The provider sent so many messages without text that the stream was ended.",
    "type": "server_error",
    "param": None,
    "code": "gateway_stream_empty",
}


class LineSplitter:
    """Cuts what arrives in pieces of any size into runs of whole lines."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> bytes:
        """The whole lines there are now, b"" for none."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._rest += chunk
            return b""
        whole = bytes(self._rest) + chunk[:end]
        self._rest = bytearray(chunk[end:])
        return whole

    def rest(self) -> bytes:
        """What has come of a line whose end has not."""
        return bytes(self._rest)


class EventRelay(StreamRelay):
    """One such stream. It ends at its end word, whatever the provider sends after it, or with the connection."""

    def __init__(self, visit: Visit, reply: Reply, parts: RelayParts, *, lines: bool = False) -> None:
        super().__init__(visit, reply, parts)
        self._lines = lines
        self._empty = 0
        self._uncounted = self._kept_bytes = 0
        if self._grows:
            self._fold_at = GROWING_FOLD_TEXT_BYTES

    async def _pass_all(self, read: Callable[[], Awaitable[bytes]], splitter: sse.Splitter) -> bool:
        del splitter  # what is left in it at the end would be passed as if nothing had been looked at
        cutter: sse.Splitter | LineSplitter = LineSplitter() if self._lines else sse.Splitter()
        while chunk := await read():
            data = cutter.feed(chunk)
            if not data:
                continue
            if self._meter.first_chunk is None:
                self._meter.first_chunk = clock.perf()
            if await self._pass_run(data):
                return True
            if self._sent_end:
                return False
        return bool(rest := cutter.rest()) and await self._pass_run(rest)

    async def _pass_run(self, data: bytes) -> bool:
        """Pass on whole events, up to the one that ends the stream; true when it has to be cut."""
        passed: list[bytes] = []
        for event in data.splitlines(keepends=True) if self._lines else sse.events(data):
            content = event.strip() if self._lines else sse.data_of(event)
            if self._is_end_word(content):
                await self._pass_end_word(passed, event)
                return False
            passed.append(event)
            self._keep(event, content)
            if self._is_one_too_many(content):
                await self._reply.chunk(b"".join(passed))
                await self._break_off("stream_empty", _EMPTY)
                return False
            if self._uncounted > self._fold_at or self._kept_bytes > FOLD_BYTES:
                await self._reply.chunk(b"".join(passed))
                passed, self._uncounted, self._kept_bytes = [], 0, 0
                if await self._must_cut():
                    return True
        if passed:
            await self._reply.chunk(b"".join(passed))
        return False

    async def _pass_end_word(self, passed: list[bytes], event: bytes) -> None:
        self._log(event)
        if passed:
            await self._reply.chunk(b"".join(passed))
        await self._close_books()
        self._sent_end = True
        await self._reply.end(event)

    def _is_end_word(self, content: bytes) -> bool:
        done = self._dialect.done
        return bool(done) and content.strip() == done

    def _keep(self, event: bytes, content: bytes) -> None:
        """What is counted later are server-sent events, as of every other stream."""
        self._log(event)
        self._kept_bytes += len(event)
        if self._metered:
            self._meter.generated.append(_DATA + content + b"\n\n" if self._lines else event)

    def _is_one_too_many(self, content: bytes) -> bool:
        """Take usage, error and text of an event; true when it is the last one without text that may be."""
        if not content.strip():
            return False  # a comment or a blank line is no message
        payload, text = sse.payload_of(content), ""
        if payload is not None:
            self._note_error(payload)
            self._is_dropped(payload)
            text = self._call.adapter.text_of(self._call.operation, payload, streamed=True)
        self._uncounted += len(text.encode("utf-8", "replace")) if self._grows else len(content)
        self._empty = 0 if text else self._empty + 1
        return 0 < self._dialect.most_empty_events <= self._empty

    async def _fail(self) -> None:
        if self._ended:
            await super()._fail()
        else:
            await self._break_off("upstream_stream_broken", _BROKEN)

    async def _break_off(self, error_code: str, error: Mapping[str, Any]) -> None:
        """Tell the client inside the stream, charge what came."""
        self._meter.ending, self._meter.error_code = "upstream_failed", error_code
        await self._close_books()
        self._sent_end = True
        await self._reply.end(self._framed(self._call.adapter.error_event(self._call.operation, error)))

    async def _cut(self, answer: Answer) -> None:
        answer.close()
        self._meter.ending, self._meter.error_code = "cut", "cost_limit_reached"
        await self._close_books()
        await self._reply.end(self._framed(self._call.adapter.cut_events(self._call.operation, CutContext())))

    def _framed(self, events: bytes) -> bytes:
        """Server-sent events as this stream frames its own."""
        return b"".join(_lines_of(events)) if self._lines else events


def _lines_of(events: bytes) -> Iterator[bytes]:
    for event in sse.events(events):
        yield sse.data_of(event) + b"\n"
