"""What waits in this machine's spools, for the dashboard: events that are not yet in the books."""

from dataclasses import dataclass
from pathlib import Path

from reporting import spool
from reporting.aggregation import BadRecord, read_record
from reporting.queries import spool_positions


@dataclass(frozen=True, slots=True)
class Waiting:
    """spools: how many there are; depth_bytes: what the database does not have yet; age_s: of the oldest of it."""

    spools: int = 0
    depth_bytes: int = 0
    age_s: int = 0


def waiting_events(root: Path, now: int) -> Waiting:
    """What waits under a spool root; nothing when there is none, as on a machine without a proxy."""
    if not root.is_dir():
        return Waiting()
    directories = spool.list_spools(root)
    confirmed = spool_positions([directory.name for directory in directories])
    status = spool.spool_status(root, confirmed)
    if not status.depth_bytes:
        return Waiting(status.spools)
    ages = [_age_s(directory, confirmed.get(directory.name, 0), now) for directory in directories]
    return Waiting(status.spools, status.depth_bytes, max(ages, default=0))


def _age_s(directory: Path, position: int, now: int) -> int:
    for payload in spool.read_records(directory, position, limit=1, max_bytes=1).records:
        try:
            return max(0, now - read_record(payload).created_at)
        except BadRecord:  # storing it reports it
            return 0
    return 0
