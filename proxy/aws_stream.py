"""Relay Amazon's event stream frame by frame, byte for byte, reading usage and text on the way."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from gateway_project.shared import clock
from providers.adapters.aws_events import Frame, FrameReader, FramingBroken
from proxy import sse
from proxy.relay_stream import StreamRelay
from proxy.relaying import RelayParts
from proxy.reply import Reply
from proxy.upstream import UpstreamBroken
from proxy.visit import Visit


class FrameRelay(StreamRelay):
    """One framed stream. What is kept of it for counting are server-sent events, as of every other stream."""

    def __init__(self, visit: Visit, reply: Reply, parts: RelayParts) -> None:
        super().__init__(visit, reply, parts)
        if self._dialect.read_frame is None:
            raise ValueError("this operation's streams are not framed")
        self._read_frame = self._dialect.read_frame
        self._frames = FrameReader()

    async def _pass_all(self, read: Callable[[], Awaitable[bytes]], splitter: sse.Splitter) -> bool:
        del splitter  # frames say themselves where they end
        meter, size = self._meter, 0
        while chunk := await read():
            frames = self._whole_frames(chunk)
            if not frames:
                continue
            if meter.first_chunk is None:
                meter.first_chunk = clock.perf()
            size += await self._pass_frames(frames)
            if size > self._fold_at and not self._ended:
                if await self._must_cut():
                    return True
                size = 0
        if self._frames.pending and not self._ended:
            raise UpstreamBroken("the stream ended within a frame")
        return False

    def _whole_frames(self, chunk: bytes) -> list[Frame]:
        try:
            return self._frames.feed(chunk)
        except FramingBroken as error:
            raise UpstreamBroken("the stream's framing is broken") from error

    async def _pass_frames(self, frames: Sequence[Frame]) -> int:
        """Pass them on, with the books closed before the terminal one; how many bytes have to be counted for them."""
        passed: list[bytes] = []
        size = 0
        for frame in frames:
            payload = self._read_frame(frame)
            if payload is not None:
                size += self._note(payload)
                if not self._ended and self._is_last(b"", payload):
                    if passed:
                        await self._reply.chunk(b"".join(passed))
                        passed = []
                    await self._close_books()
            passed.append(frame.raw)
        await self._reply.chunk(b"".join(passed))
        return size

    def _note(self, payload: Mapping[str, Any]) -> int:
        """Keep what an event says, take its usage and error; how long it is."""
        event = b"data: " + orjson.dumps(payload) + b"\n\n"
        self._keeper()(event)
        self._note_error(payload)
        self._is_dropped(payload)
        return len(event)

    def _is_last(self, content: bytes, payload: Mapping[str, Any] | None) -> bool:
        if payload is not None and not self._dialect.last_members.isdisjoint(payload):
            return True
        return super()._is_last(content, payload)
