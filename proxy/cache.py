"""Answers that routes keep: found and replayed, or asked for and kept. Limits and books are the callers' business."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from keys.records import KeyRecord
from proxy.cache_entry import Entry
from proxy.cache_keeping import Keeper
from proxy.cache_key import cache_key, is_stateful, scope_of
from proxy.cache_store import AnswerStore
from proxy.replay import replay
from proxy.replaying import CannotTurn
from proxy.reply import Reply
from proxy.snapshot import Snapshot
from proxy.visit import Visit
from routes.records import RouteRecord

SCOPES_KEPT = 10_000
MARK = b"x-gateway-cache"


class Hit(NamedTuple):
    """A kept answer, and its body as this client asked for it."""

    entry: Entry
    content: bytes


# Asks upstream and relays the answer; a keeper keeps a copy, None keeps none.
Ask = Callable[[Keeper | None], Awaitable[None]]
Answer = Callable[[Hit], Awaitable[None]]


class Wanted(NamedTuple):
    """What a request wants of the cache. reads: false when the client wants a fresh answer (no-cache)."""

    key: str
    ttl_s: int
    single_flight: bool
    reads: bool
    stream: bool
    usage_asked: bool

    @property
    def kind_key(self) -> str:
        """Where an answer of this kind is kept when the one under `key` cannot be turned into it."""
        kind = "stream" if self.stream else "plain"
        return f"{self.key}:{kind}:usage" if self.usage_asked else f"{self.key}:{kind}"


class _Scope(NamedTuple):
    """What follows from a key, a route and the current snapshot; valid for these very records.

    The route may be older than the snapshot: a request finds it first.
    """

    key: KeyRecord
    route: RouteRecord
    digest: bytes


class _Landed(NamedTuple):
    """How a flight ended. entry: the answer. answered: there was one, though perhaps none that can be given again."""

    entry: Entry | None
    answered: bool


class AnswerCache:
    """Answers of all routes. Identical misses of a route that asks for it wait for the first, within this process."""

    def __init__(self, store: AnswerStore, *, max_answer_bytes: int) -> None:
        self._store = store
        self._max_answer_bytes = max_answer_bytes
        self._scopes: dict[tuple[str, str], _Scope] = {}
        self._scopes_of: Snapshot | None = None
        self._flights: dict[str, asyncio.Future[_Landed]] = {}

    @property
    def flights(self) -> int:
        """Misses under way that others may wait for."""
        return len(self._flights)

    def wanted(self, visit: Visit, snapshot: Snapshot) -> Wanted | None:
        """None when the request has nothing to do with the cache: it neither reads nor keeps an answer."""
        body, route = visit.body, visit.call.route if visit.call is not None else None
        if body is None or body.document is None or route is None or route.cache is None:
            return None
        directives = _directives(visit)
        if b"no-store" in directives or is_stateful(body.document):
            return None
        if any(is_stateful(step.request_params) for step in route.steps):
            return None
        key = cache_key(self._scope(visit.key, route, snapshot), visit.request, body.content)
        if key is None:
            return None
        facts, cache = body.facts, route.cache
        return Wanted(
            key, cache.ttl_s, cache.single_flight, b"no-cache" not in directives, facts.stream, facts.usage_asked
        )

    def _scope(self, key: KeyRecord, route: RouteRecord, snapshot: Snapshot) -> bytes:
        if snapshot is not self._scopes_of or len(self._scopes) >= SCOPES_KEPT:
            self._scopes, self._scopes_of = {}, snapshot
        name = (key.id, route.id)
        scope = self._scopes.get(name)
        if scope is None or scope.key is not key or scope.route is not route:
            scope = self._scopes[name] = _Scope(key, route, scope_of(key, route, snapshot))
        return scope.digest

    async def serve(self, wanted: Wanted | None, reply: Reply, ask: Ask, answer: Answer) -> None:
        """Answer from the cache, or ask. Whoever waits here is cancelled by its own deadline."""
        if wanted is None:
            reply.add_headers([(MARK, b"bypass")])
            await ask(None)
            return
        if wanted.reads and (entry := await self._store.get(wanted.key)) is not None:
            hit = _hit(entry, wanted)
            if hit is None:
                # Both kinds have their place then, or they would take turns in driving each other out.
                wanted = wanted._replace(key=wanted.kind_key)
                entry = await self._store.get(wanted.key)
                hit = _hit(entry, wanted) if entry is not None else None
            if hit is not None:
                await answer(hit)
                return
        elif wanted.reads and wanted.single_flight:
            await self._fly(wanted, reply, ask, answer)
            return
        await self._miss(wanted, reply, ask, lambda entry: self._store.put(wanted.key, entry, wanted.ttl_s))

    async def _miss(self, wanted: Wanted, reply: Reply, ask: Ask, keep: Callable[[Entry], None]) -> None:
        reply.add_headers([(MARK, b"miss")])
        await ask(Keeper(self._max_answer_bytes, keep))

    async def _fly(self, wanted: Wanted, reply: Reply, ask: Ask, answer: Answer) -> None:
        """Wait for whoever asks already; ask when nobody does. When the one who asked has failed, the next asks."""
        while (flight := self._flights.get(wanted.key)) is not None:
            landed = await asyncio.shield(flight)  # who stops waiting does not end it for the others
            hit = _hit(landed.entry, wanted) if landed.entry is not None else None
            if hit is not None:
                await answer(hit)
                return
            if landed.answered:
                # The same would come again: waiting for one after the other would help nobody.
                break
        await self._lead(wanted, reply, ask)

    async def _lead(self, wanted: Wanted, reply: Reply, ask: Ask) -> None:
        flight: asyncio.Future[_Landed] = asyncio.get_running_loop().create_future()
        # One that did not wait for another keeps its answer, and nobody waits for it.
        self._flights.setdefault(wanted.key, flight)
        keeper = Keeper(self._max_answer_bytes, lambda entry: self._land(wanted, flight, entry))
        reply.add_headers([(MARK, b"miss")])
        try:
            await ask(keeper)
        finally:
            self._end(wanted, flight, _Landed(None, keeper.answered))

    def _land(self, wanted: Wanted, flight: asyncio.Future[_Landed], entry: Entry) -> None:
        """The answer is complete: those who wait need not wait until its own client has it."""
        self._store.put(wanted.key, entry, wanted.ttl_s)
        self._end(wanted, flight, _Landed(entry, answered=True))

    def _end(self, wanted: Wanted, flight: asyncio.Future[_Landed], landed: _Landed) -> None:
        if self._flights.get(wanted.key) is flight:
            del self._flights[wanted.key]
        if not flight.done():
            flight.set_result(landed)

    async def close(self) -> None:
        await self._store.close()


def _directives(visit: Visit) -> frozenset[bytes]:
    """What the client says in cache-control."""
    said = [value.lower() for name, value in visit.request.headers if name == b"cache-control"]
    return frozenset(part.strip() for value in said for part in value.split(b","))


def _hit(entry: Entry, wanted: Wanted) -> Hit | None:
    """None when the kept answer does not tell what this client asked for."""
    try:
        return Hit(entry, replay(entry, stream=wanted.stream, usage_asked=wanted.usage_asked))
    except CannotTurn:
        return None
