"""The one module of the proxy that reaches the database: off the event loop, in a small pool of threads."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from django.db import DatabaseError, close_old_connections

from gateway_project.shared.counters import Balance, CounterId
from keys import snapshot as keys_snapshot
from keys.records import ConfigChanges, KeyRecord
from providers import snapshot as providers_snapshot
from proxy.doors import DoorClosed
from proxy.snapshot import Snapshot
from reporting import queries
from routes.snapshot import load_routes

T = TypeVar("T")


class DatabaseDoors:
    """Doors to Django's ORM. Only reads: the proxy never writes to the database."""

    def __init__(self, spool_root: Path, *, threads: int = 4, timeout_s: float = 10.0) -> None:
        self._spool_root = spool_root
        self._timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="door")
        # The journal has a thread of its own: however many unknown keys are being looked up, changes come through.
        self._journal = ThreadPoolExecutor(1, thread_name_prefix="journal")

    async def load_key(self, digests: Sequence[str]) -> tuple[str, KeyRecord] | None:
        return await self._read(lambda: keys_snapshot.load_key(digests))

    async def changes_since(self, version: int) -> ConfigChanges:
        return await self._read(lambda: keys_snapshot.changes_since(version), self._journal)

    async def load_snapshot(self, version: int) -> Snapshot:
        return await self._read(lambda: _snapshot(version), self._journal)

    async def load_balance(self, key_id: str, counters: Sequence[CounterId], live: Sequence[str]) -> Balance:
        return await self._read(lambda: queries.load_balance(key_id, counters, live, self._spool_root))

    async def _read(self, query: Callable[[], T], pool: ThreadPoolExecutor | None = None) -> T:
        def run() -> T:
            close_old_connections()
            try:
                return query()
            finally:
                close_old_connections()

        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(pool or self._pool, run)
        except TimeoutError as error:
            raise DoorClosed(f"no answer within {self._timeout_s:g} s") from error
        except DatabaseError as error:
            raise DoorClosed(type(error).__name__) from error

    def close(self) -> None:
        for pool in (self._pool, self._journal):
            pool.shutdown(wait=False, cancel_futures=True)


def _snapshot(version: int) -> Snapshot:
    return Snapshot(
        version=version,
        settings=providers_snapshot.load_settings(),
        prices=providers_snapshot.load_prices(),
        custom_providers=providers_snapshot.load_custom_providers(),
        routes=load_routes(),
    )
