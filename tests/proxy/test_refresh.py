"""Tests of the doors to the database."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from django.db import OperationalError, connections
from pytest_django import Settings

from gateway_project.shared.counters import CounterId
from keys.secrets import Pepper, digest_of
from keys.services import create_key
from providers.records import PriceRecord
from providers.services import create_setting
from proxy.doors import DoorClosed
from proxy.refresh import DatabaseDoors
from routes.services import create_route

# Read from other threads, so it has to be committed.
pytestmark = pytest.mark.django_db(transaction=True)
PEPPER = Pepper("test", b"p" * 32)


@pytest.fixture(autouse=True)
def installation(settings: Settings) -> None:
    settings.KEY_PEPPERS = ((PEPPER.id, PEPPER.value),)
    settings.DATA_KEYS = (("test", b"d" * 32),)


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[DatabaseDoors]:
    made = DatabaseDoors(tmp_path, threads=1, timeout_s=5)
    yield made
    for pool in (made._pool, made._journal):
        await made._read(connections.close_all, pool)  # in the thread that has one open
    made.close()


async def test_they_open_to_keys_changes_settings_prices_and_balances(doors: DatabaseDoors) -> None:
    await asyncio.to_thread(_key_with_setting)
    before = await doors.changes_since(-1)
    key, secret = await asyncio.to_thread(_key_with_setting)
    digest = digest_of(secret, PEPPER)
    found = await doors.load_key((digest,))
    assert found is not None
    assert (found[0], found[1].id) == (digest, str(key))
    assert await doors.load_key(("test:nobody",)) is None
    changes = await doors.changes_since(before.version)
    assert changes.version > before.version
    assert digest in (changes.digests or ())
    snapshot = await doors.load_snapshot(changes.version)
    setting = snapshot.settings[found[1].setting_ids[0]]
    assert (setting.base_url, setting.secrets["apikey"], snapshot.version) == (
        "http://upstream.example/v1", "sk-1", changes.version,
    )  # fmt: skip
    assert all(isinstance(price, PriceRecord) for price in snapshot.prices.values())
    total = CounterId("cost", "total", 0, 0)
    assert (await doors.load_balance(str(key), [total], [])).used == {total: 0}


def _key_with_setting() -> tuple[object, str]:
    setting = create_setting(provider="openai", setting={"apikey": "sk-1", "url": "http://upstream.example"}, name="s")
    key, secret = create_key(name="k", setting_ids=[str(setting.id)])
    connections.close_all()
    return key.id, secret


async def test_a_snapshot_has_the_routes(doors: DatabaseDoors) -> None:
    key, _ = await asyncio.to_thread(_key_with_setting)
    await asyncio.to_thread(_route_of, str(key))
    changes = await doors.changes_since(-1)
    assert changes.snapshot_version == changes.version
    route = (await doors.load_snapshot(changes.version)).routes["/r"]
    assert (route.name, route.key_ids, route.steps[0].model) == ("r", {str(key)}, "gpt-4o")


def _route_of(key_id: str) -> None:
    create_route(name="r", path="/r", key_ids=[key_id], steps=[{"provider": "openai", "model": "gpt-4o"}])
    connections.close_all()


async def test_a_database_that_fails_is_a_closed_door(doors: DatabaseDoors) -> None:
    def fail() -> None:
        raise OperationalError("server closed the connection; password=hunter2")

    with pytest.raises(DoorClosed) as caught:
        await doors._read(fail)
    assert str(caught.value) == "OperationalError"
    assert await doors.load_key(("test:nobody",)) is None


async def test_a_database_that_hangs_is_a_closed_door(tmp_path: Path) -> None:
    doors = DatabaseDoors(tmp_path, timeout_s=0.05)
    started = time.monotonic()
    with pytest.raises(DoorClosed, match=r"0\.05 s"):
        await doors._read(lambda: time.sleep(0.3))
    assert time.monotonic() - started < 0.25
    doors.close()


async def test_changes_come_through_however_many_keys_are_looked_up(doors: DatabaseDoors) -> None:
    loads = [asyncio.ensure_future(doors._read(lambda: time.sleep(0.1))) for _ in range(10)]
    started = time.monotonic()
    await doors.changes_since(-1)
    assert time.monotonic() - started < 0.5
    for load in loads:
        load.cancel()
    await asyncio.gather(*loads, return_exceptions=True)


async def test_reading_does_not_block_the_loop(doors: DatabaseDoors) -> None:
    reading = asyncio.ensure_future(doors._read(lambda: time.sleep(0.2)))
    started = time.monotonic()
    await asyncio.sleep(0.01)
    assert time.monotonic() - started < 0.15
    await reading
