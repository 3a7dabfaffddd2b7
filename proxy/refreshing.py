"""Keeps keys and snapshot in step with the database, by polling the change journal."""

import asyncio

import structlog

from keys.records import KeyRecord
from proxy.doors import DoorClosed, Doors
from proxy.key_directory import KeyDirectory
from proxy.snapshot import SnapshotHolder

RENEWED_EVERY_S = 300.0
logger = structlog.get_logger("proxy.refreshing")


class Refresher:
    """Polls the change journal and applies it: drops changed keys, replaces the snapshot."""

    def __init__(self, doors: Doors, directory: KeyDirectory, holder: SnapshotHolder, *, every_s: float) -> None:
        self._doors = doors
        self._directory = directory
        self._holder = holder
        self._every_s = every_s
        self._version = -1
        self._failing = False
        self._polling = asyncio.Lock()
        directory.call_on_load(self._cover)

    async def start(self) -> None:
        """First load; raises DoorClosed when the database does not answer."""
        changes = await self._doors.changes_since(self._version)
        self._holder.replace(await self._doors.load_snapshot(changes.version))
        self._version = changes.version
        self._directory.confirm()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.poll()
            except DoorClosed as error:
                if not self._failing:
                    logger.error("configuration_poll_failed", reason=str(error), snapshot_age_s=self._holder.age_s)
                self._failing = True
                continue
            except Exception:
                # A row that cannot be read must not end the polling: keys would go stale, and with them everything.
                if not self._failing:
                    logger.exception("configuration_poll_failed", snapshot_age_s=self._holder.age_s)
                self._failing = True
                continue
            if self._failing:
                logger.info("configuration_poll_recovered")
            self._failing = False

    async def _cover(self, key: KeyRecord) -> None:
        """A key may be younger than the snapshot, and so may its settings: its first request must not be refused."""
        known = self._holder.current.settings
        if all(setting_id in known for setting_id in key.setting_ids):
            return
        try:
            await self.poll()
        except DoorClosed:
            raise
        except Exception:
            # The key can be used with what there is; run() reports and repeats.
            logger.exception("configuration_not_covered", key_id=key.id)

    async def poll(self) -> None:
        """Apply what changed since the last poll. One at a time: an older snapshot must not replace a newer one."""
        async with self._polling:
            changes = await self._doors.changes_since(self._version)
            self._directory.drop(changes.digests)
            self._directory.confirm()  # true of keys, whatever becomes of the snapshot
            moved = changes.snapshot_version > self._holder.current.version
            # A price may begin or end without anybody changing anything.
            if moved or self._holder.built_s >= RENEWED_EVERY_S:
                self._holder.replace(await self._doors.load_snapshot(changes.version))
            self._version = changes.version
            self._holder.confirm()
