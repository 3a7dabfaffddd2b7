"""Holds an answer until it is one: nothing reaches the client while another step could still answer instead.

A whole answer is held to its end, a stream until its first content; what was read ahead is then replayed.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import orjson

from proxy import sse
from proxy.flow import Answer, Call
from proxy.headers import AnswerHead
from proxy.unpacking import PIECE_BYTES, UNPACKED, unpack
from proxy.upstream import BROKEN, UpstreamBroken, UpstreamError

# A stream that begins slowly is passed on as it is then.
HELD_S = 10.0
HELD_STREAM_BYTES = 1024 * 1024
# Larger answers are passed on as they come.
HELD_WHOLE_BYTES = 4 * 1024 * 1024
_GZIP_OR_ZLIB = 47
_PREAMBLE_TYPES = frozenset(
    {"response.created", "response.in_progress", "response.queued", "response.output_item.added",
     "response.content_part.added", "message_start", "content_block_start", "ping", "keepalive"}
)  # fmt: skip

Read = Callable[[], Awaitable[bytes]]


class AnswerUnusable(UpstreamBroken):
    """The provider answered with what is no answer. code: what was wrong with it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class HeldAnswer:
    """An answer of which the beginning, or all, has been read already."""

    def __init__(self, answer: Answer, held: list[bytes], read: Read | None, head: AnswerHead) -> None:
        self.status = answer.status
        self.head = head
        self._answer = answer
        self._held = deque(held)
        self._read = read

    @property
    def finished(self) -> bool:
        return not self._held and (self._read is None or self._answer.finished)

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body; only once. Raises UpstreamError when it ends before its end."""
        while chunk := await _piece(self._next):
            yield chunk

    def reader(self) -> Read:
        return self._next

    async def _next(self) -> bytes:
        if self._held:
            return self._held.popleft()
        return b"" if self._read is None else await self._read()

    def close(self) -> None:
        """What was held can still be read."""
        if self._read is not None:
            self._read, self.head = None, self.head._replace(length=None)
        self._answer.close()


async def hold(answer: Answer, call: Call, *, held_s: float = HELD_S) -> HeldAnswer:
    """The answer once it is one. Raises UpstreamError when it is none; an error with a status of its own is one."""
    encoding = answer.head.encoding
    readable = not encoding or encoding in UNPACKED
    streamed = answer.head.content_type.startswith(b"text/event-stream") and readable
    if streamed and 200 <= answer.status < 300:
        return await _hold_stream(answer, call, held_s)
    return await _hold_whole(answer, call)


async def _hold_whole(answer: Answer, call: Call) -> HeldAnswer:
    read, held, size = answer.reader(), [], 0
    while chunk := await _piece(read):
        held.append(chunk)
        size += len(chunk)
        if size > HELD_WHOLE_BYTES:
            return HeldAnswer(answer, held, read, answer.head)
    content = b"".join(held)
    if 200 <= answer.status < 300:
        _check_whole(content, answer, call)
    return HeldAnswer(answer, [content], None, answer.head)


def _check_whole(content: bytes, answer: Answer, call: Call) -> None:
    """Whoever answers 200 answers with an object that tells no error."""
    encoding = answer.head.encoding
    readable = unpack(content, encoding, HELD_WHOLE_BYTES) if encoding else content
    if readable is None or call.adapter.read_answer(call.operation, readable) is not None:
        return
    if not readable:
        raise AnswerUnusable("upstream_empty_answer")
    try:
        payload = orjson.loads(readable)
    except orjson.JSONDecodeError as error:
        raise AnswerUnusable("upstream_malformed_answer") from error
    if not isinstance(payload, dict):
        raise AnswerUnusable("upstream_malformed_answer")
    if (code := call.adapter.error_in(call.operation, payload)) is not None:
        raise AnswerUnusable(code)


async def _hold_stream(answer: Answer, call: Call, held_s: float) -> HeldAnswer:
    read, head = answer.reader(), answer.head
    if head.encoding:
        read = _Unpacking(read)
        passed_on = [header for header in head.to_client if header[0] != b"content-encoding"]
        head = head._replace(to_client=passed_on, encoding=b"", length=None)
    held: list[bytes] = []
    try:
        async with asyncio.timeout(held_s):
            await _until_content(read, held, call)
    except TimeoutError:
        pass  # it has begun and says nothing yet: from now on the client waits for it
    return HeldAnswer(answer, held, read, head)


async def _until_content(read: Read, held: list[bytes], call: Call) -> None:
    """Read ahead into `held`. Cancelling it loses nothing."""
    splitter, size = sse.Splitter(), 0
    while piece := await _piece(read):
        held.append(piece)
        size += len(piece)
        if _has_begun(splitter.feed(piece), call) or size > HELD_STREAM_BYTES:
            return
    if not _has_begun(splitter.rest(), call):
        raise AnswerUnusable("upstream_stream_broken")


def _has_begun(data: bytes, call: Call) -> bool:
    """Whether there is content, or the stream's proper end. Raises AnswerUnusable for an error in place of it."""
    dialect = call.adapter.stream(call.operation)
    for event in sse.events(data):
        content = sse.data_of(event)
        payload = sse.payload_of(content)
        if payload is None:
            if content == dialect.done:
                return True
            if content.lstrip().startswith(b"{"):
                raise AnswerUnusable("upstream_malformed_answer")
            continue
        if (code := call.adapter.error_in(call.operation, payload)) is not None:
            raise AnswerUnusable(code)
        kind = payload.get("type")
        if not _is_preamble(payload) or (isinstance(kind, str) and kind in dialect.last_types):
            return True
    return False


def _is_preamble(payload: Mapping[str, Any]) -> bool:
    """What a stream says before it says anything. What is not known for it is content."""
    kind, choices = payload.get("type"), payload.get("choices")
    if isinstance(kind, str):
        return kind in _PREAMBLE_TYPES
    return isinstance(choices, list) and all(map(_is_bare, choices))


def _is_bare(choice: Any) -> bool:
    """A choice that only says who speaks."""
    if not isinstance(choice, dict) or choice.get("finish_reason") or choice.get("text"):
        return False
    delta = choice.get("delta")
    return not isinstance(delta, dict) or not any(value for name, value in delta.items() if name != "role")


class _Unpacking:
    """Reads a compressed body in the clear. Cancelling a read loses nothing."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._packed = b""

    async def __call__(self) -> bytes:
        while packed := self._packed or await self._read():
            try:
                piece = self._unpacker.decompress(packed, PIECE_BYTES)
            except zlib.error as error:
                raise UpstreamBroken("the compressed answer is broken") from error
            self._packed = self._unpacker.unconsumed_tail
            if piece:
                return piece
        return b""


async def _piece(read: Read) -> bytes:
    try:
        return await read()
    except UpstreamError:
        raise
    except BROKEN as error:
        raise UpstreamBroken(type(error).__name__) from error
