"""Tests of keeping in step with the database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keys.records import ConfigChanges
from proxy import refreshing
from proxy.config import ProxyConfig
from proxy.doors import DoorClosed
from proxy.key_directory import KeyDirectory
from proxy.refreshing import Refresher
from proxy.snapshot import Snapshot, SnapshotHolder
from tests.proxy_gateway import PEPPER, SECRET, PlainDoors, key, openai_setting


class FailingDoors(PlainDoors):
    """changes_fail, snapshot_fails: what the next call raises, None for nothing."""

    changes_fail: Exception | None = None
    snapshot_fails: Exception | None = None
    snapshot_loads = 0
    hold: asyncio.Event | None = None

    async def changes_since(self, version: int) -> ConfigChanges:
        if self.changes_fail:
            raise self.changes_fail
        return await super().changes_since(version)

    async def load_snapshot(self, version: int) -> Snapshot:
        self.snapshot_loads += 1
        if self.snapshot_fails:
            raise self.snapshot_fails
        snapshot = await super().load_snapshot(version)
        if self.hold is not None:
            await self.hold.wait()
        return snapshot


class Kept:
    """A refresher with what it keeps in step."""

    def __init__(self) -> None:
        self.doors = FailingDoors()
        self.directory = KeyDirectory(ProxyConfig(peppers=(PEPPER,), spool_root=Path(), key_stale_s=60), self.doors)
        self.holder = SnapshotHolder()
        self.refresher = Refresher(self.doors, self.directory, self.holder, every_s=0.01)

    def add_setting(self, name: str) -> None:
        self.doors.settings[name] = openai_setting("http://x", id=name)
        self.doors.version += 1


@pytest.fixture
def kept() -> Kept:
    return Kept()


@contextlib.asynccontextmanager
async def running(refresher: Refresher) -> AsyncIterator[None]:
    task = asyncio.ensure_future(refresher.run())
    yield
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(true: object) -> None:
    for _ in range(200):
        if true():  # type: ignore[operator]
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not within a second")


async def test_it_does_not_start_without_a_database(kept: Kept) -> None:
    kept.doors.changes_fail = DoorClosed("none")
    with pytest.raises(DoorClosed):
        await kept.refresher.start()


async def test_a_change_reaches_snapshot_and_keys(kept: Kept) -> None:
    kept.doors.put_key(key())
    await kept.refresher.start()
    await kept.directory.find(SECRET)
    async with running(kept.refresher):
        kept.add_setting("new")
        kept.doors.put_key(key(revoked=True))
        await until(lambda: "new" in kept.holder.current.settings)
        found = await kept.directory.find(SECRET)
        assert found is not None
        assert found.revoked


async def test_a_snapshot_is_read_only_when_it_changed(kept: Kept) -> None:
    await kept.refresher.start()
    for _ in range(5):
        await kept.refresher.poll()
    assert kept.doors.snapshot_loads == 1


async def test_a_snapshot_is_read_again_after_a_while_for_prices_that_begin_or_end(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "RENEWED_EVERY_S", 0.0)
    await kept.refresher.start()
    await kept.refresher.poll()
    assert kept.doors.snapshot_loads == 2


@pytest.mark.parametrize("failure", [DoorClosed("no database"), ValueError("a row that cannot be read")])
async def test_a_failed_snapshot_keeps_the_last_good_one_and_its_keys_fresh(kept: Kept, failure: Exception) -> None:
    kept.add_setting("old")
    await kept.refresher.start()
    kept.doors.put_key(key(setting_ids=("old",)))
    await kept.directory.find(SECRET)
    kept.doors.snapshot_fails = failure
    kept.add_setting("new")
    kept.doors.put_key(key(setting_ids=("old",), revoked=True))
    kept.holder._confirmed -= 100
    kept.directory._confirmed -= 30
    async with running(kept.refresher):
        await until(lambda: kept.directory.stale_s < 1)
        assert set(kept.holder.current.settings) == {"old"}
        assert kept.holder.age_s > 99
        found = await kept.directory.find(SECRET)
        assert found is not None
        assert found.revoked
        kept.doors.snapshot_fails = None
        await until(lambda: "new" in kept.holder.current.settings)
    assert kept.holder.age_s < 1


async def test_polling_goes_on_after_the_database_was_away(kept: Kept) -> None:
    await kept.refresher.start()
    async with running(kept.refresher):
        kept.doors.changes_fail = DoorClosed("gone")
        await asyncio.sleep(0.05)
        stale = kept.directory.stale_s
        assert stale > 0.02
        kept.doors.changes_fail = None
        kept.add_setting("new")
        await until(lambda: "new" in kept.holder.current.settings)


async def test_a_key_with_a_setting_younger_than_the_snapshot_brings_it(kept: Kept) -> None:
    await kept.refresher.start()
    kept.add_setting("setting-1")
    kept.doors.put_key(key())
    assert await kept.directory.find(SECRET) == key()
    assert "setting-1" in kept.holder.current.settings


async def test_a_snapshot_that_cannot_be_read_does_not_keep_keys_from_being_used(kept: Kept) -> None:
    await kept.refresher.start()
    kept.doors.snapshot_fails = ValueError("a row that cannot be read")
    kept.add_setting("setting-1")
    kept.doors.put_key(key())
    assert await kept.directory.find(SECRET) == key()


async def test_an_older_snapshot_never_replaces_a_newer_one(kept: Kept) -> None:
    await kept.refresher.start()
    kept.add_setting("first")
    kept.doors.hold = asyncio.Event()
    slow = asyncio.ensure_future(kept.refresher.poll())
    await until(lambda: kept.doors.snapshot_loads == 2)
    kept.add_setting("second")
    quick = asyncio.ensure_future(kept.refresher.poll())
    await asyncio.sleep(0.01)
    kept.doors.hold.set()
    await asyncio.gather(slow, quick)
    assert set(kept.holder.current.settings) == {"first", "second"}
    assert kept.holder.current.version == kept.doors.version
