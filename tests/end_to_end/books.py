"""What a running gateway has written: events and spend in its database, records in its spools, counters in Redis."""

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import redis

from reporting import spool

_EVENTS = "SELECT id, requests, cost_nano, status, ending FROM reporting_usageevent WHERE key_id = "
_TOTAL = "SELECT requests, cost_nano FROM reporting_keyspend WHERE unit = 'total' AND key_id = "


@dataclass(frozen=True, slots=True)
class BookedEvent:
    """admitted: 1 when it counts in the key's windows, 0 when it was refused."""

    id: str
    admitted: int
    cost_nano: int
    status: int
    ending: str


@dataclass(frozen=True, slots=True)
class Books:
    """The database of a gateway (a PostgreSQL address, or "" for the SQLite file under var_dir), and its spools."""

    var_dir: Path
    postgres_url: str = ""

    def events(self, key_id: str) -> list[BookedEvent]:
        """All events of a key, in no order; an id twice is two events."""
        return [BookedEvent(str(UUID(str(row[0]))), *row[1:]) for row in self._rows(_EVENTS, key_id)]

    def total(self, key_id: str) -> tuple[int, int]:
        """(requests, nano-dollars) that the ledger says the key has used."""
        requests, cost_nano = next(iter(self._rows(_TOTAL, key_id)), (0, 0))
        return int(requests), int(cost_nano)

    def wait_until_all_is_stored(self, timeout_s: float = 30.0) -> None:
        """Until the database has whatever lies in the spools now."""
        wait_until(self._all_is_stored, timeout_s, "the spools were not emptied")

    def stored(self) -> dict[str, int]:
        """How much of each proxy process's spool the database has. Every start of a process has its own spool."""
        return dict(self._query("SELECT spool, position FROM reporting_spoolcursor"))

    def _all_is_stored(self) -> bool:
        stored = self.stored()
        root = self.var_dir / "spool"
        return all(spool.end_of(each) <= stored.get(each.name, 0) for each in spool.list_spools(root))

    def _rows(self, query: str, key_id: str) -> list[Any]:
        uuid = UUID(key_id)
        value: Any = uuid if self.postgres_url else uuid.hex
        return self._query(query + ("%s" if self.postgres_url else "?"), (value,))

    def _query(self, query: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        if self.postgres_url:
            with psycopg.connect(self.postgres_url) as connection:
                return connection.execute(query.encode(), parameters).fetchall()
        file = self.var_dir / "gatehouse.sqlite3"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as books:
            return books.execute(query, parameters).fetchall()


@dataclass(frozen=True, slots=True)
class RedisState:
    """One key's counters as they stand in Redis."""

    fields: dict[str, str]

    def used(self, counter: str) -> int:
        """counter: kind/unit, such as cost/total."""
        return int(self.fields.get(f"u:{counter}", "-1"))

    def held(self, counter: str) -> int:
        return int(self.fields.get(f"h:{counter}", "-1"))


def counters_in_redis(url: str, key_id: str) -> RedisState:
    with redis.Redis.from_url(url) as client:
        stored: Any = client.hgetall(f"gatehouse:{{key:{key_id}}}")
    return RedisState({name.decode(): value.decode() for name, value in stored.items()})


def wait_until(condition: Callable[[], object], timeout_s: float, otherwise: str) -> None:
    """Raises AssertionError with `otherwise` when the condition stays false."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{otherwise} within {timeout_s:g} s"
        time.sleep(0.05)


def twice(ids: Iterable[str]) -> set[str]:
    """Those that occur more than once."""
    seen: set[str] = set()
    return {each for each in ids if each in seen or seen.add(each)}  # type: ignore[func-returns-value]
