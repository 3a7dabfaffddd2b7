"""The doors to what the request path must not touch itself. refresh.py implements them with the database."""

from collections.abc import Sequence
from typing import Protocol

from gateway_project.shared.counters import Balance, CounterId
from keys.records import ConfigChanges, KeyRecord
from proxy.snapshot import Snapshot


class Doors(Protocol):
    """Each opens off the event loop. Errors of the database come out as DoorClosed."""

    async def load_key(self, digests: Sequence[str]) -> tuple[str, KeyRecord] | None: ...

    async def changes_since(self, version: int) -> ConfigChanges: ...

    async def load_snapshot(self, version: int) -> Snapshot: ...

    async def load_balance(self, key_id: str, counters: Sequence[CounterId], live: Sequence[str]) -> Balance: ...


class DoorClosed(Exception):
    """The database did not answer."""
