"""Writes the books: each batch of a spool once, in one transaction with everything that is summed from it."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.db import DataError, IntegrityError, connection, models, transaction

from gateway_project.shared import clock
from reporting import partitions
from reporting.aggregation import SUM_COLUMNS, BadRecord, HourCell, SpendId, hours_of, read_record, spend_of
from reporting.models import DailyUsage, HourlyUsage, KeySpend, RejectedRecord, SpoolCursor, UsageEvent
from reporting.records import UsageEventRecord

log = logging.getLogger(__name__)
T = TypeVar("T")

# 46 columns, and SQLite takes at most 32,766 parameters in one statement.
ROWS_PER_STATEMENT = 500
DAY_S = 86_400
# Windows that no limit reads any more; "total" is kept for ever.
SPEND_KEPT_S = {"s": 2 * DAY_S, "m": 2 * DAY_S, "h": 2 * DAY_S, "d": 40 * DAY_S, "mo": 400 * DAY_S}
CLOSED_CURSORS_KEPT_S = 7 * DAY_S
# How far rows of a transaction still open at one roll-up may lie behind it.
ROLL_UP_OVERLAP_S = 600


@dataclass(frozen=True, slots=True)
class Batch:
    """What a spool holds from `start` to `end`; host: where it lies, for people."""

    spool: str
    start: int
    end: int
    host: str = ""


Numbered = tuple[bytes, UsageEventRecord]
Refusal = tuple[bytes, str]


def store_batch(*, batch: Batch, payloads: Sequence[bytes]) -> bool:
    """Store what a spool holds between two positions. False: it is stored already; nothing changed.

    Records that can never become events go to RejectedRecord, so that they do not stop the spool. Raises
    OperationalError when the database is busy or gone: send the same batch again.
    """
    if _is_stored(batch):
        return False
    records, refused = _read(payloads)
    partitions.ensure_months(record.created_at for _, record in records)
    try:
        return _store(batch, records, refused)
    except (DataError, IntegrityError) as error:
        log.warning("spool %s: the database refused a batch, trying its records alone: %s", batch.spool, error)
    sound, more = _tried_alone(records)
    return _store(batch, sound, [*refused, *more])


def close_spool(*, spool: str) -> None:
    """Note that the files of a spool are gone."""
    SpoolCursor.objects.filter(spool=spool, closed_at=None).update(closed_at=clock.now())


def roll_up_days() -> int:
    """Bring DailyUsage up to date with the hours that changed since; how many days were summed anew."""
    newest = DailyUsage.objects.aggregate(at=models.Max("updated_at"))["at"] or 0
    changed = HourlyUsage.objects.filter(updated_at__gte=newest - ROLL_UP_OVERLAP_S)
    days = sorted({hour - hour % DAY_S for hour in changed.values_list("hour_at", flat=True).distinct()})
    for day in days:
        _sum_day(day)
    return len(days)


def prune_spend() -> int:
    """Delete the ledger's windows that ended long ago; how many went."""
    now = clock.now()
    return sum(
        _delete_in_steps(KeySpend.objects.filter(unit=unit, start_at__lt=now - kept_s))
        for unit, kept_s in SPEND_KEPT_S.items()
    )


def prune_cursors() -> int:
    """Delete the cursors of spools removed a week ago, when no broker can repeat their batches any more."""
    deleted, _ = SpoolCursor.objects.filter(closed_at__lt=clock.now() - CLOSED_CURSORS_KEPT_S).delete()
    return deleted


def drop_old_events(*, kept_days: int) -> int:
    """Retention: whole months on PostgreSQL, rows in small steps elsewhere; how many of either went."""
    before = clock.now() - kept_days * DAY_S
    if connection.vendor == "postgresql":
        return len(partitions.drop_before(before))
    return _delete_in_steps(UsageEvent.objects.filter(created_at__lt=before))


def drop_old_hours(*, kept_days: int) -> int:
    """Delete hourly sums of days long summed in DailyUsage; how many rows went."""
    before = clock.now() - kept_days * DAY_S
    return _delete_in_steps(HourlyUsage.objects.filter(hour_at__lt=before - before % DAY_S))


def _read(payloads: Iterable[bytes]) -> tuple[list[Numbered], list[Refusal]]:
    """Decoded records, one per id and sorted by it (every writer locks in the same order); what is no record."""
    records: dict[str, Numbered] = {}
    refused: list[Refusal] = []
    for payload in payloads:
        try:
            record = read_record(payload)
        except BadRecord as error:
            refused.append((payload, str(error)))
        else:
            records.setdefault(record.id, (payload, record))
    return [records[key] for key in sorted(records)], refused


def _store(batch: Batch, records: Sequence[Numbered], refused: Sequence[Refusal]) -> bool:
    with transaction.atomic():
        if not _move_cursor(batch):
            return False
        _write([record for _, record in records])
        _keep_refused(batch, refused)
    for _, reason in refused:
        log.error("spool %s: a record before %d was rejected: %s", batch.spool, batch.end, reason)
    return True


def _is_stored(batch: Batch) -> bool:
    """A cheap look, for the copies that pile up while no worker runs; _move_cursor decides."""
    return SpoolCursor.objects.filter(spool=batch.spool).exclude(position=batch.start).exists()


def _move_cursor(batch: Batch) -> bool:
    now = clock.now()
    moved = SpoolCursor.objects.filter(spool=batch.spool, position=batch.start, closed_at=None).update(
        position=batch.end, host=batch.host, updated_at=now
    )
    if moved or batch.start:
        return bool(moved)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reporting_spoolcursor (spool, position, host, updated_at) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [batch.spool, batch.end, batch.host, now],
        )
        return bool(cursor.rowcount == 1)


def _write(records: Sequence[UsageEventRecord]) -> None:
    """Insert the events that are not there yet (another spool or a restored one may have brought them) and add
    exactly those to the sums."""
    new_ids = set(_insert_events(records))
    new = [record for record in records if record.id in new_ids]
    _add(KeySpend, SpendId._fields, ("requests", "cost_nano"), spend_of(new))
    stamped = {cell: (*sums, clock.now()) for cell, sums in hours_of(new).items()}
    _add(HourlyUsage, HourCell._fields, (*SUM_COLUMNS, "updated_at"), stamped)


def _keep_refused(batch: Batch, refused: Sequence[Refusal]) -> None:
    at = clock.now()
    RejectedRecord.objects.bulk_create(
        RejectedRecord(
            spool=batch.spool,
            end=batch.end,
            payload=payload.decode("utf-8", "backslashreplace").replace("\0", "\\x00"),
            reason=reason.replace("\0", "\\x00"),
            created_at=at,
        )
        for payload, reason in refused
    )


def _tried_alone(records: Sequence[Numbered]) -> tuple[list[Numbered], list[Refusal]]:
    """Which records the database takes and which it refuses; writes nothing."""
    sound: list[Numbered] = []
    refused: list[Refusal] = []
    for payload, record in records:
        try:
            with transaction.atomic():
                _write([record])
                transaction.set_rollback(True)
            sound.append((payload, record))
        except (DataError, IntegrityError) as error:
            refused.append((payload, str(error)))
    return sound, refused


def _insert_events(records: Sequence[UsageEventRecord]) -> Iterator[str]:
    """Insert events; the ids of those that were new."""
    columns = [field.name for field in UsageEvent._meta.concrete_fields]
    for some in _batched(records):
        rows = [[getattr(record, name) for name in columns] for record in some]
        insert, values = _insertion(UsageEvent, columns, rows)
        with connection.cursor() as cursor:
            cursor.execute(f"{insert} ON CONFLICT DO NOTHING RETURNING id", values)
            yield from (str(UUID(str(id_))) for (id_,) in cursor.fetchall())


def _add(
    model: type[models.Model],
    identity: Sequence[str],
    sums: Sequence[str],
    rows: Mapping[Any, Sequence[int]],
) -> None:
    """Add to existing rows or make them; `updated_at` is replaced instead."""
    table = model._meta.db_table
    changes = ", ".join(
        f"{name} = EXCLUDED.{name}" if name == "updated_at" else f"{name} = {table}.{name} + EXCLUDED.{name}"
        for name in sums
    )
    for some in _batched(list(rows.items())):
        insert, values = _insertion(model, [*identity, *sums], [(*cell, *added) for cell, added in some])
        with connection.cursor() as cursor:
            cursor.execute(f"{insert} ON CONFLICT ({', '.join(identity)}) DO UPDATE SET {changes}", values)


def _insertion(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[str, list[Any]]:
    """The beginning of an INSERT of many rows, in their order, and its parameters."""
    table, names = model._meta.db_table, ", ".join(columns)
    if connection.vendor == "postgresql":
        # One parameter: with one per value psycopg takes longer to fill them in than PostgreSQL to store them.
        documents = [dict(zip(columns, row, strict=True)) for row in rows]
        select = f"SELECT {names} FROM json_populate_recordset(NULL::{table}, %s)"  # noqa: S608  (names are ours)
        return f"INSERT INTO {table} ({names}) {select}", [msgspec.json.encode(documents).decode()]
    places = f"({', '.join(['%s'] * len(columns))})"
    values = [_prepared(model, name, value) for row in rows for name, value in zip(columns, row, strict=True)]
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([places] * len(rows))}", values  # noqa: S608  (names are ours)


def _prepared(model: type[models.Model], name: str, value: Any) -> Any:
    """The value as the database wants it; only ids and JSON differ from Python's own."""
    if name == "attempt_details" and value is not None:
        return msgspec.json.encode(value).decode()
    if name in ("id", "key_id", "tags"):
        field: models.Field[Any, Any] = model._meta.get_field(name)  # type: ignore[assignment]
        return field.get_db_prep_save(value, connection)
    return value


def _batched(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), ROWS_PER_STATEMENT):
        yield items[start : start + ROWS_PER_STATEMENT]


def _delete_in_steps(rows: "models.QuerySet[Any]") -> int:
    """Short transactions, so that nobody waits long for SQLite's only write lock."""
    deleted = 0
    while ids := list(rows.values_list("pk", flat=True)[:ROWS_PER_STATEMENT]):
        deleted += rows.model._default_manager.filter(pk__in=ids).delete()[0]
    return deleted


def _sum_day(day_at: int) -> None:
    cell = ", ".join(HourCell._fields[1:])
    sums = ", ".join(f"SUM({name})" for name in SUM_COLUMNS)
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in (*SUM_COLUMNS, "updated_at"))
    into = f"reporting_dailyusage (day_at, updated_at, {cell}, {', '.join(SUM_COLUMNS)})"
    conflict = f"ON CONFLICT (day_at, {cell}) DO UPDATE SET {changes}"
    summed = f"SELECT %s, %s, {cell}, {sums} FROM reporting_hourlyusage"  # noqa: S608  (names are ours)
    hours = f"WHERE hour_at >= %s AND hour_at < %s GROUP BY {cell}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {into} {summed} {hours} {conflict}",
            [day_at, clock.now(), day_at, day_at + DAY_S],
        )
