"""Key records by digest: a bounded cache, filled on a miss through one door, also for keys that do not exist."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from gateway_project.shared.problems import Unavailable
from keys.records import KeyRecord
from keys.secrets import digests_of
from proxy.config import ProxyConfig
from proxy.doors import DoorClosed, Doors

# More lookups at once are a flood: a queue of them would only keep known callers from new keys for longer.
MOST_LOADS = 500


class _Load:
    """A key being read. changed: the journal has named it meanwhile."""

    __slots__ = ("changed", "digests")

    def __init__(self, digests: tuple[str, ...]) -> None:
        self.digests = digests
        self.changed = False


class KeyDirectory:
    """Looks keys up. A changed key is dropped when the change journal names its digest."""

    def __init__(self, config: ProxyConfig, doors: Doors) -> None:
        self._config = config
        self._doors = doors
        self._known: OrderedDict[str, KeyRecord] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._loading: dict[str, asyncio.Future[KeyRecord | None]] = {}
        self._loads: set[_Load] = set()
        self._peppered: dict[bytes, tuple[str, ...]] = {}
        self._confirmed = time.monotonic()
        self._on_load: Callable[[KeyRecord], Awaitable[None]] | None = None

    def call_on_load(self, on_load: Callable[[KeyRecord], Awaitable[None]]) -> None:
        """Await `on_load` with each key that is read from the database, before it is used. It may raise DoorClosed."""
        self._on_load = on_load

    def confirm(self) -> None:
        """The journal was read just now: what is cached is true."""
        self._confirmed = time.monotonic()

    @property
    def stale_s(self) -> float:
        return time.monotonic() - self._confirmed

    async def find(self, secret: str) -> KeyRecord | None:
        """The key of a secret, or None. Raises Unavailable when nobody can tell."""
        if self.stale_s > self._config.key_stale_s:
            raise Unavailable(
                "The key database has not answered for too long to trust what is known of keys. Try again shortly.",
                code="keys_stale",
                retry_after_s=1,
            )
        digests = self._digests(secret)
        for digest in digests:
            record = self._known.get(digest)
            if record is not None:
                self._known.move_to_end(digest)
                return record
        primary = digests[0]
        missed_at = self._unknown.get(primary)
        if missed_at is not None and time.monotonic() - missed_at < self._config.negative_cache_s:
            return None
        return await self._load_once(primary, digests)

    def _digests(self, secret: str) -> tuple[str, ...]:
        """The secret's digests, remembered under its plain hash: peppering costs ten times as much as looking up."""
        hashed = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        digests = self._peppered.get(hashed)
        if digests is None:
            digests = digests_of(secret, self._config.peppers)
            if len(self._peppered) >= self._config.key_cache_size:
                self._peppered.clear()
            self._peppered[hashed] = digests
        return digests

    async def _load_once(self, primary: str, digests: tuple[str, ...]) -> KeyRecord | None:
        running = self._loading.get(primary)
        if running is None:
            if len(self._loading) >= MOST_LOADS:
                raise Unavailable(
                    "Too many unknown keys are being looked up. Try again shortly.", code="keys_busy", retry_after_s=1
                )
            running = asyncio.ensure_future(self._load(primary, digests))
            self._loading[primary] = running
            running.add_done_callback(lambda _: self._loading.pop(primary, None))
        # Shielded: a caller that leaves must not fail the others who wait for the same key.
        return await asyncio.shield(running)

    async def _load(self, primary: str, digests: tuple[str, ...]) -> KeyRecord | None:
        load = _Load(digests)
        self._loads.add(load)
        try:
            found = await self._read(load)
        finally:
            self._loads.discard(load)
        if found is None:
            self._remember_unknown(primary)
            return None
        digest, record = found
        self._known[digest] = record
        if len(self._known) > self._config.key_cache_size:
            self._known.popitem(last=False)
        return record

    async def _read(self, load: _Load) -> tuple[str, KeyRecord] | None:
        while True:
            load.changed = False
            try:
                found = await self._doors.load_key(load.digests)
                if found is not None and self._on_load is not None:
                    await self._on_load(found[1])
            except DoorClosed as error:
                raise Unavailable(
                    "The key database does not answer. Try again shortly.", code="keys_unavailable", retry_after_s=1
                ) from error
            # A change journalled while the row was being read may already be missing from what was read.
            if not load.changed:
                return found

    def _remember_unknown(self, digest: str) -> None:
        self._unknown[digest] = time.monotonic()
        if len(self._unknown) > self._config.negative_cache_size:
            self._unknown.popitem(last=False)

    def drop(self, digests: tuple[str, ...] | None) -> None:
        """Forget digests, known and unknown ones; None forgets all."""
        if digests is not None and not digests:
            return
        for load in self._loads:
            if digests is None or not set(digests).isdisjoint(load.digests):
                load.changed = True
        if digests is None:
            self._known.clear()
            self._unknown.clear()
            return
        for digest in digests:
            self._known.pop(digest, None)
            self._unknown.pop(digest, None)
