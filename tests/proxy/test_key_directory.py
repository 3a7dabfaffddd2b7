"""Tests of the key directory: what it remembers, for how long, and what it does when keys change under it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway_project.shared.problems import Unavailable
from keys.records import KeyRecord
from keys.secrets import Pepper, digest_of
from proxy.config import ProxyConfig
from proxy.doors import DoorClosed
from proxy.key_directory import KeyDirectory
from tests.proxy_gateway import PEPPER, SECRET, PlainDoors, key

OLD_PEPPER = Pepper("old", b"o" * 32)


class Gate(PlainDoors):
    """Doors whose load_key can be held open, and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.reading = asyncio.Event()
        self.closed = False

    async def load_key(self, digests: Sequence[str]) -> tuple[str, KeyRecord] | None:
        if self.closed:
            raise DoorClosed("no database")
        found = await super().load_key(digests)
        self.reading.set()
        await self.open.wait()
        return found


def directory(doors: PlainDoors, **changes: Any) -> KeyDirectory:
    values = {"peppers": (PEPPER, OLD_PEPPER), "spool_root": Path(), **changes}
    return KeyDirectory(ProxyConfig(**values), doors)


async def test_a_key_is_read_once() -> None:
    doors = PlainDoors()
    doors.put_key(key())
    keys = directory(doors)
    assert [await keys.find(SECRET) for _ in range(3)] == [key()] * 3
    assert doors.key_loads == 1


async def test_a_key_that_does_not_exist_is_asked_for_once_in_a_while() -> None:
    doors = PlainDoors()
    keys = directory(doors, negative_cache_s=0.1)
    assert [await keys.find("nobody") for _ in range(3)] == [None] * 3
    assert doors.key_loads == 1
    await asyncio.sleep(0.12)
    assert await keys.find("nobody") is None
    assert doors.key_loads == 2


async def test_callers_at_once_share_one_reading() -> None:
    doors = Gate()
    doors.put_key(key())
    keys = directory(doors)
    doors.open.clear()
    finding = [asyncio.ensure_future(keys.find(SECRET)) for _ in range(20)]
    await doors.reading.wait()
    doors.open.set()
    assert await asyncio.gather(*finding) == [key()] * 20
    assert doors.key_loads == 1


async def test_a_caller_that_leaves_fails_nobody_else() -> None:
    doors = Gate()
    doors.put_key(key())
    keys = directory(doors)
    doors.open.clear()
    first, second = (asyncio.ensure_future(keys.find(SECRET)) for _ in range(2))
    await doors.reading.wait()
    first.cancel()
    doors.open.set()
    assert await second == key()


async def test_a_changed_key_is_read_again() -> None:
    doors = PlainDoors()
    doors.put_key(key())
    keys = directory(doors)
    await keys.find(SECRET)
    doors.put_key(key(revoked=True))
    keys.drop((digest_of(SECRET, PEPPER),))
    found = await keys.find(SECRET)
    assert found is not None
    assert found.revoked


@pytest.mark.parametrize("dropped", [(digest_of(SECRET, PEPPER),), None])
async def test_a_key_that_changes_while_it_is_read_is_read_again(dropped: tuple[str, ...] | None) -> None:
    doors = Gate()
    doors.put_key(key())
    keys = directory(doors)
    doors.open.clear()
    finding = asyncio.ensure_future(keys.find(SECRET))
    await doors.reading.wait()
    doors.put_key(key(revoked=True))
    keys.drop(dropped)
    doors.open.set()
    found = await finding
    assert found is not None
    assert found.revoked
    assert doors.key_loads == 2
    assert await keys.find(SECRET) is found


async def test_changes_of_other_keys_delay_nobody() -> None:
    doors = Gate()
    doors.put_key(key())
    keys = directory(doors)
    doors.open.clear()
    finding = asyncio.ensure_future(keys.find(SECRET))
    await doors.reading.wait()
    keys.drop(("test:another",))
    doors.open.set()
    assert await finding == key()
    assert doors.key_loads == 1


async def test_a_key_created_while_it_was_found_missing_is_found() -> None:
    doors = Gate()
    keys = directory(doors)
    doors.open.clear()
    finding = asyncio.ensure_future(keys.find(SECRET))
    await doors.reading.wait()
    doors.put_key(key())
    keys.drop((digest_of(SECRET, PEPPER),))
    doors.open.set()
    assert await finding == key()


async def test_dropping_everything_forgets_what_does_not_exist_too() -> None:
    doors = PlainDoors()
    keys = directory(doors)
    assert await keys.find(SECRET) is None
    doors.put_key(key())
    keys.drop(None)
    assert await keys.find(SECRET) == key()


async def test_a_key_stored_under_an_older_pepper_is_found() -> None:
    doors = PlainDoors(keys={digest_of(SECRET, OLD_PEPPER): key()})
    keys = directory(doors)
    assert [await keys.find(SECRET) for _ in range(2)] == [key()] * 2
    assert doors.key_loads == 1


async def test_only_so_many_are_remembered() -> None:
    doors = PlainDoors()
    for number in range(4):
        doors.put_key(key(name=str(number)), f"secret {number}")
    keys = directory(doors, key_cache_size=3, negative_cache_size=3)
    for number in (0, 1, 2, 0, 3):  # 1 has not been used for the longest time when 3 comes
        await keys.find(f"secret {number}")
    loads = doors.key_loads
    for number in (0, 2, 3):
        await keys.find(f"secret {number}")
    assert doors.key_loads == loads
    await keys.find("secret 1")
    assert doors.key_loads == loads + 1
    for number in range(10):
        await keys.find(f"nobody {number}")
    loads = doors.key_loads
    await keys.find("nobody 9")
    await keys.find("nobody 0")
    assert doors.key_loads == loads + 1


async def test_a_database_that_does_not_answer_is_a_503_and_is_not_remembered() -> None:
    doors = Gate()
    doors.put_key(key())
    doors.closed = True
    keys = directory(doors)
    with pytest.raises(Unavailable) as caught:
        await keys.find(SECRET)
    assert (caught.value.code, caught.value.retry_after_s) == ("keys_unavailable", 1)
    doors.closed = False
    assert await keys.find(SECRET) == key()


async def test_a_flood_of_unknown_keys_is_turned_away_and_known_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.key_directory.MOST_LOADS", 3)
    doors = Gate()
    doors.put_key(key())
    keys = directory(doors)
    await keys.find(SECRET)
    doors.open.clear()
    flood = [asyncio.ensure_future(keys.find(f"nobody {number}")) for number in range(5)]
    await asyncio.sleep(0.01)
    assert await keys.find(SECRET) == key()
    doors.open.set()
    results = await asyncio.gather(*flood, return_exceptions=True)
    assert results[:3] == [None] * 3
    assert [result.code for result in results[3:] if isinstance(result, Unavailable)] == ["keys_busy"] * 2


async def test_known_keys_are_not_trusted_for_ever() -> None:
    doors = PlainDoors()
    doors.put_key(key())
    keys = directory(doors, key_stale_s=0.05)
    await keys.find(SECRET)
    await asyncio.sleep(0.06)
    with pytest.raises(Unavailable) as caught:
        await keys.find(SECRET)
    assert caught.value.code == "keys_stale"
    keys.confirm()
    assert await keys.find(SECRET) == key()


async def test_what_has_to_be_done_for_a_new_key_is_done_before_it_is_used() -> None:
    doors = PlainDoors()
    doors.put_key(key())
    keys = directory(doors)
    covered: list[KeyRecord] = []

    async def cover(record: KeyRecord) -> None:
        covered.append(record)

    keys.call_on_load(cover)
    await keys.find(SECRET)
    await keys.find(SECRET)
    await keys.find("nobody")
    assert covered == [key()]
