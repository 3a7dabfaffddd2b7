"""Where answers are kept: in this process, or behind a door to Redis (cache_store_redis.py)."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol

from proxy.cache_entry import Entry

# What an answer takes beside its body, about.
OVERHEAD_BYTES = 1024


class AnswerStore(Protocol):
    """Never raises: a store that does not answer has nothing, and keeps nothing."""

    async def get(self, key: str) -> Entry | None: ...

    def put(self, key: str, entry: Entry, ttl_s: int) -> None:
        """Keep an answer. It is found at once by this process, whenever it reaches the store itself."""
        ...

    async def close(self) -> None: ...


class _Kept(NamedTuple):
    entry: Entry
    until: float


class MemoryAnswers:
    """Answers of one process: those least recently used go first when max_bytes are reached."""

    def __init__(self, max_bytes: int, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._now_s = now_s
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: str) -> Entry | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._now_s():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.entry

    def put(self, key: str, entry: Entry, ttl_s: int) -> None:
        if key in self._kept:
            self._drop(key)
        size = size_of(entry)
        if size > self._max_bytes or ttl_s <= 0:
            return
        while self.size_bytes + size > self._max_bytes:
            self._drop(next(iter(self._kept)))
        self._kept[key] = _Kept(entry, self._now_s() + ttl_s)
        self.size_bytes += size

    def _drop(self, key: str) -> None:
        self.size_bytes -= size_of(self._kept.pop(key).entry)

    async def close(self) -> None:
        self._kept.clear()
        self.size_bytes = 0


def size_of(entry: Entry) -> int:
    """What an answer takes in memory, about."""
    return len(entry.body) + OVERHEAD_BYTES
