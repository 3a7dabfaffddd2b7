"""Answers in Redis, through Django's cache `answers` (django-redis): off the event loop, in a small pool of threads.

Beside refresh.py the only module of the proxy that may use Django. Redis that is away or slow is asked again after a
pause; until then there are no answers, and nobody waits.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import structlog
from django.core.cache import caches

from proxy.cache_entry import Entry, pack, unpack
from proxy.cache_store import size_of

logger = structlog.get_logger("proxy.answers")
T = TypeVar("T")

ALIAS = "answers"
# The cache's sockets give up sooner; this is for threads that are all busy.
WAIT_S = 0.3
PAUSE_S = 1.0
# On their way to Redis, and found by this process meanwhile.
MOST_UNDER_WAY_BYTES = 32 * 1024 * 1024
LOOK_AT_MEMORY_S = 5.0
# Limits live in the same Redis: answers leave this much of its own maximum free.
SHARE_OF_MAXMEMORY = 0.8


class RedisAnswers:
    """secret: entries are tagged with it, so that nothing but what a proxy has put there is ever served.

    max_bytes: while Redis uses more memory than this, nothing more is kept.
    """

    def __init__(self, secret: bytes, max_bytes: int, *, threads: int = 4) -> None:
        self._secret = secret
        self._max_bytes = max_bytes
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="answers")
        self._under_way: dict[str, Entry] = {}
        self._under_way_bytes = 0
        self._resting_until = 0.0
        self._full = False
        self._looked_at = -LOOK_AT_MEMORY_S

    async def get(self, key: str) -> Entry | None:
        if (entry := self._under_way.get(key)) is not None:
            return entry
        if self._is_resting():
            return None
        try:
            async with asyncio.timeout(WAIT_S):
                stored = await asyncio.get_running_loop().run_in_executor(self._pool, self._guarded, _read, key)
        except TimeoutError:
            self._rest("no answer in time")
            return None
        if stored is None:
            return None
        try:
            return unpack(self._secret, key, stored)
        except ValueError:
            logger.warning("stored_answer_damaged")
            return None

    def put(self, key: str, entry: Entry, ttl_s: int) -> None:
        size = size_of(entry)
        if self._is_resting() or ttl_s <= 0 or self._under_way_bytes + size > MOST_UNDER_WAY_BYTES:
            return
        if (before := self._under_way.get(key)) is not None:
            self._under_way_bytes -= size_of(before)
        self._under_way[key] = entry
        self._under_way_bytes += size
        loop = asyncio.get_running_loop()
        writing = self._pool.submit(self._guarded, self._write, key, entry, ttl_s)
        writing.add_done_callback(lambda done: _tell(loop, lambda: self._arrived(key, entry, done)))

    def _arrived(self, key: str, entry: Entry, done: "Future[None]") -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            logger.error("answer_not_stored", reason=type(error).__name__)
        if self._under_way.get(key) is entry:
            del self._under_way[key]
            self._under_way_bytes -= size_of(entry)

    def _write(self, key: str, entry: Entry, ttl_s: int) -> None:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_AT_MEMORY_S:
            self._looked_at = now
            self._full = _used_bytes_share(self._max_bytes) >= 1
        if not self._full:
            caches[ALIAS].set(key, pack(self._secret, key, entry), ttl_s)

    def _guarded(self, work: Callable[..., T], *arguments: object) -> T | None:
        """In a thread: the work's result, None when Redis does not take part."""
        try:
            result = work(*arguments)
        except Exception as error:  # noqa: BLE001  # redis-py and django-redis raise many kinds; each means no answer
            self._rest(type(error).__name__)
            return None
        if self._resting_until:
            self._resting_until = 0.0
            logger.info("answers_back")
        return result

    def _is_resting(self) -> bool:
        return self._resting_until > time.monotonic()

    def _rest(self, reason: str) -> None:
        if not self._resting_until:
            logger.warning("answers_away", reason=reason)
        self._resting_until = time.monotonic() + PAUSE_S

    async def close(self) -> None:
        """What is under way may still arrive; what is not begun is forgotten."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _read(key: str) -> bytes | None:
    stored = caches[ALIAS].get(key)
    return stored if isinstance(stored, bytes) else None


def _used_bytes_share(max_bytes: int) -> float:
    """How much of what Redis may use for everything is used: 1 means full."""
    told = caches[ALIAS].client.get_client(write=True).info("memory")  # type: ignore[attr-defined]
    allowed: float = max_bytes
    if maxmemory := int(told.get("maxmemory", 0)):
        allowed = min(allowed, maxmemory * SHARE_OF_MAXMEMORY)
    return float(told["used_memory"]) / allowed


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)
