"""Answers in Redis, in Django's cache `answers` (django-redis), under its names and in its form.

Written through that cache, in threads, while the answer goes on its way. Read over a connection of the proxy's own,
since a thread for each read would cost as much as asking the provider. Redis that is away or slow is asked again after
a pause; until then there are no answers, and nobody waits. Beside refresh.py the only module of the proxy that may use
Django.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from django.core.cache import caches

from gateway_project.shared.counters import CountersUnavailable
from gateway_project.shared.redis_pipeline import RedisPipeline
from proxy.cache_entry import Entry, pack, unpack
from proxy.cache_store import size_of

logger = structlog.get_logger("proxy.answers")

ALIAS = "answers"
WAIT_S = 0.25
PAUSE_S = 1.0
# On their way to Redis, and found by this process meanwhile.
MOST_UNDER_WAY_BYTES = 32 * 1024 * 1024
LOOK_AT_MEMORY_S = 5.0
# Limits live in the same Redis: answers leave this much of its own maximum free.
SHARE_OF_MAXMEMORY = 0.8


class RedisAnswers:
    """url: the server that the cache `answers` is on. secret: entries are tagged with it, so that nothing but what a
    proxy has put there is ever served. max_bytes: while Redis uses more memory than this, nothing more is kept.
    """

    def __init__(self, url: str, secret: bytes, max_bytes: int, *, threads: int = 2) -> None:
        self._redis = RedisPipeline(url, read_timeout_s=WAIT_S, write_timeout_s=WAIT_S)
        self._secret = secret
        self._max_bytes = max_bytes
        self._prefix: str = caches[ALIAS].make_key("")
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="answers")
        self._under_way: dict[str, Entry] = {}
        self._under_way_bytes = 0
        self._resting_until = 0.0
        self._full = False
        self._looked_at = -LOOK_AT_MEMORY_S

    async def get(self, key: str) -> Entry | None:
        if (entry := self._under_way.get(key)) is not None:
            return entry
        try:
            stored = await self._redis.send(("GET", self._prefix + key))
        except CountersUnavailable:
            return None  # the connection tells the log once, and comes back by itself
        if stored is None:
            return None
        if not isinstance(stored, bytes):
            logger.warning("stored_answer_unusable", reason=str(stored))  # an error reply
            return None
        try:
            return unpack(self._secret, key, stored)
        except ValueError as error:
            logger.warning("stored_answer_unusable", reason=str(error))
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
        writing = self._pool.submit(self._write, key, entry, ttl_s)
        writing.add_done_callback(lambda done: _tell(loop, lambda: self._arrived(key, entry, done)))

    def _arrived(self, key: str, entry: Entry, done: "Future[None]") -> None:
        if not done.cancelled():
            self._note(done.exception())
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

    def _note(self, error: BaseException | None) -> None:
        """Nothing is written for a while after a failure; the log hears of the first one, and of the recovery."""
        if error is None:
            if self._resting_until:
                logger.info("answers_are_kept_again")
            self._resting_until = 0.0
            return
        if not self._resting_until:
            logger.warning("answers_are_not_kept", reason=type(error).__name__)
        self._resting_until = time.monotonic() + PAUSE_S

    def _is_resting(self) -> bool:
        return self._resting_until > time.monotonic()

    async def close(self) -> None:
        """What is under way may still arrive; what is not begun is forgotten."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        await self._redis.close()


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
