"""A proxy with one route that keeps its answers, for tests of the cache."""

import asyncio
import json
from typing import Any

from reporting.records import UsageEventRecord
from routes.records import CacheRecord, RouteRecord, RouteStepRecord
from tests.proxy.asgi import Called
from tests.proxy.builders import Sent
from tests.proxy_gateway import PlainDoors, key

PATH = "/api/routes/kept"
MESSAGES = [{"role": "user", "content": "hi"}]


def route(operation: str = "chat", *, ttl_s: int = 60, single_flight: bool = False, **changes: Any) -> RouteRecord:
    values = {
        "id": "route-1", "name": "kept", "path": "/kept", "operation": operation, "key_ids": frozenset({key().id}),
        "steps": (RouteStepRecord("openai", "gpt-4o", retry_interval_s=0.01),),
        "cache": CacheRecord(ttl_s, single_flight),
    }  # fmt: skip
    return RouteRecord(**{**values, **changes})


class Kept:
    """Calls the route of a proxy in this process."""

    def __init__(self, called: Called, doors: PlainDoors) -> None:
        self.called = called
        self.doors = doors

    async def serve(self, made: RouteRecord) -> None:
        """From now on this is the route."""
        self.doors.routes = {made.path: made}
        await self.refresh()

    async def refresh(self) -> None:
        self.doors.version += 1
        while self.called.proxy._snapshots.current.version != self.doors.version:
            await asyncio.sleep(0.005)

    async def ask(self, *, leaves: asyncio.Event | None = None, said: str = "", **members: Any) -> Sent:
        """One request. said: the client's cache-control."""
        headers = ((b"cache-control", said.encode()),) if said else ()
        body = json.dumps({"messages": MESSAGES, "max_tokens": 20, **members}).encode()
        return await self.called.call(PATH, body=body, headers=headers, leaves=leaves)

    async def mark(self, **options: Any) -> str:
        """What the answer says of the cache."""
        return mark_of(await self.ask(**options))

    def events(self) -> list[UsageEventRecord]:
        return self.called.events()

    @property
    def reserved(self) -> int:
        """Reservations, and amounts, that are held."""
        subject = self.called.counters._subjects.get(f"key:{key().id}")
        if subject is None:
            return 0
        return len(subject.reservations) + sum(counter.reserved for counter in subject.counters.values())


def mark_of(sent: Sent) -> str:
    return sent.headers.get(b"x-gateway-cache", b"").decode()
