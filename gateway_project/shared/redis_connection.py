"""An open connection to Redis: commands go out once per turn of the event loop, replies come back in their order."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis

from gateway_project.shared.counters import CountersUnavailable

_INCOMPLETE = object()

Reply = Any  # what Redis sends: str, bytes, int, None, a list of these, or an Exception for an error reply


class RedisConnection(asyncio.Protocol):
    """lost: told once, with the reason and how many commands failed with it."""

    def __init__(self, timeouts: tuple[float, float], lost: Callable[[str, int], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._read_timeout_s, self._write_timeout_s = timeouts
        self._lost = lost
        self._reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        self._pending: deque[tuple[asyncio.Future[Reply], float]] = deque()
        self._unsent: list[bytes] = []
        self._watch: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, packed: bytes, future: asyncio.Future[Reply]) -> None:
        self._pending.append((future, self._loop.time()))
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(packed)
        if self._watch is None:
            self._watch = self._loop.call_later(self._read_timeout_s, self._look_at_oldest)

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _INCOMPLETE:
                future, _ = self._pending.popleft()
                if not future.done():
                    future.set_result(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self.abort(f"Redis sent what is no reply: {error}")

    def _look_at_oldest(self) -> None:
        """One timer for all commands: it looks at the oldest, and sets itself again while one is under way."""
        self._watch = None
        if not self._pending:
            return
        left = self._pending[0][1] + self._read_timeout_s - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look_at_oldest)
        else:
            self.abort(f"Redis did not answer within {self._read_timeout_s:g} s")

    def pause_writing(self) -> None:
        reason = f"Redis did not take a command within {self._write_timeout_s:g} s"
        self._stuck = self._loop.call_later(self._write_timeout_s, self.abort, reason)

    def resume_writing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the connection to Redis was lost: {error or 'it was closed'}")

    def abort(self, reason: str) -> None:
        """Close, and fail what is under way at once."""
        self._transport.abort()
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        self.closed = True
        for timer in (self._watch, self._stuck):
            if timer is not None:
                timer.cancel()
        failed, self._pending = self._pending, deque()
        for future, _ in failed:
            refuse(future, reason)
        lost, self._lost = self._lost, lambda reason, failed: None
        lost(reason, len(failed))


def refuse(future: asyncio.Future[Reply], reason: str) -> None:
    """End a command that may or may not have been carried out."""
    if not future.done():
        future.set_exception(CountersUnavailable(reason))
