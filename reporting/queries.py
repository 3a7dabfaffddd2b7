"""The read side for limits, key lists and the forwarder: cursors and the ledger.

What carries 100 million events: a balance and a key's spend are a few rows of KeySpend, however many events there
were. Reports are in `event_queries`, dashboards in `dashboard_queries`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.db import connection, transaction

from gateway_project.shared.counters import Balance, CounterId
from reporting import spool
from reporting.aggregation import BadRecord, SpendId, read_record, spend_of
from reporting.event_queries import uuids
from reporting.models import KeySpend, RejectedRecord, SpoolCursor, UsageEvent
from reporting.records import UsageEventRecord

_SPOOL_READ = {"limit": 5_000, "max_bytes": 4_000_000}
_IDS_PER_QUERY = 500


def load_balance(key_id: str, counters: Sequence[CounterId], live: Sequence[str], spool_root: Path) -> Balance:
    """What a key has used per counter: the ledger plus what the spools of this machine hold beyond it.

    Cursors, ledger and events are read as of one moment, and nobody deletes a segment meanwhile: no request is
    missed and none counted twice. settled: those of `live` whose event exists. Blocking; takes no write lock.
    """
    with spool.segments_kept(spool_root):
        with _one_moment():
            cursors = dict(SpoolCursor.objects.values_list("spool", "position"))
            used = _ledger(key_id, counters)
            settled = _stored(live)
        spooled = list(_spooled(key_id, cursors, spool_root))
    for row, (requests, cost_nano) in spend_of(spooled).items():
        stored_requests, stored_cost = used.get(row, (0, 0))
        used[row] = (stored_requests + requests, stored_cost + cost_nano)
    settled |= {record.id for record in spooled}.intersection(live)
    amounts = {counter: used.get(SpendId(key_id, *counter[1:]), (0, 0)) for counter in counters}
    return Balance(
        {counter: both[0] if counter.kind == "requests" else both[1] for counter, both in amounts.items()},
        frozenset(settled),
    )


def spool_positions(spools: Sequence[str]) -> dict[str, int]:
    """How far each of these spools is stored; one that is not known is missing."""
    return dict(SpoolCursor.objects.filter(spool__in=spools).values_list("spool", "position"))


def rejected_count() -> int:
    """Spool records that could not become events."""
    return RejectedRecord.objects.count()


def spend_by_key(key_ids: Iterable[str]) -> dict[str, int]:
    """Nano-dollars ever spent by each of these keys; 0 for one without events."""
    spend = dict.fromkeys(key_ids, 0)
    rows = KeySpend.objects.filter(key_id__in=uuids(spend), unit="total", start_at=0)
    for key_id, cost_nano in rows.values_list("key_id", "cost_nano"):
        spend[str(key_id)] = spend.get(str(key_id), 0) + cost_nano
    return spend


def has_history(key_id: str) -> bool:
    """Whether anything was ever booked for a key, which may be deleted by now."""
    return KeySpend.objects.filter(key_id__in=uuids([key_id])).exists()


@contextmanager
def _one_moment() -> Iterator[None]:
    """Everything read inside is as of one moment; nothing is locked."""
    if connection.in_atomic_block:  # the caller's transaction decides
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            # Not atomic(): the settings make it BEGIN IMMEDIATE, which takes SQLite's write lock.
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


def _ledger(key_id: str, counters: Sequence[CounterId]) -> dict[SpendId, tuple[int, int]]:
    rows = KeySpend.objects.filter(
        key_id=key_id,
        unit__in={counter.unit for counter in counters},
        start_at__in={counter.start_at for counter in counters},
    )
    found = rows.values_list("unit", "start_at", "epoch", "requests", "cost_nano")
    return {SpendId(key_id, unit, start_at, epoch): (requests, cost) for unit, start_at, epoch, requests, cost in found}


def _stored(ids: Sequence[str]) -> set[str]:
    """Which of these events are in the database."""
    wanted = uuids(ids)
    stored: set[str] = set()
    for first in range(0, len(wanted), _IDS_PER_QUERY):
        some = wanted[first : first + _IDS_PER_QUERY]
        rows = UsageEvent.objects.filter(id__in=some)
        stored.update(str(id_) for id_ in rows.values_list("id", flat=True))
    return stored


def _spooled(key_id: str, cursors: dict[str, int], root: Path) -> Iterator[UsageEventRecord]:
    """The key's records that the database did not have at the moment of `cursors`."""
    needle = key_id.encode()
    for directory in spool.list_spools(root):
        position = cursors.get(directory.name, 0)
        while (read := spool.read_records(directory, position, **_SPOOL_READ)).end > position:
            position = read.end
            for payload in read.records:
                if needle in payload and (record := _record_or_none(payload)) and record.key_id == key_id:
                    yield record


def _record_or_none(payload: bytes) -> UsageEventRecord | None:
    try:
        return read_record(payload)
    except BadRecord:
        return None  # storing it reports it
