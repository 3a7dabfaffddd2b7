"""The monthly partitions of UsageEvent on PostgreSQL; on SQLite there is one ordinary table and nothing to do.

There is no DEFAULT partition: a row in it would keep its month from ever being made.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from gateway_project.shared import clock
from gateway_project.shared.windows import Window, month_start, window_at

TABLE = "reporting_usageevent"
MONTHS_AHEAD = 3
_NAME = re.compile(rf"{TABLE}_y(\d{{4}})m(\d{{2}})")
_ADVISORY_LOCK = 0x6761_7465_686F_7573  # any number, the same in every process


def partition_name(month: Window) -> str:
    """The table of a month, such as reporting_usageevent_y2026m11."""
    start = datetime.fromtimestamp(month.start_at, UTC)
    return f"{TABLE}_y{start:%Y}m{start:%m}"


def ensure_months(times: Iterable[int]) -> list[str]:
    """Make the months that hold these unix seconds; the names of those that were missing.

    ATTACH blocks neither readers nor writers of the other months, CREATE ... PARTITION OF would.
    """
    if connection.vendor != "postgresql":
        return []
    months = {window_at("mo", at) for at in times}
    with connection.cursor() as cursor:
        missing = _missing(cursor, months)
    if not missing:
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ADVISORY_LOCK])
        missing = _missing(cursor, missing)
        for month in sorted(missing):
            name = partition_name(month)
            cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
            cursor.execute(
                f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
                [month.start_at, month.end_at],
            )
    return [partition_name(month) for month in sorted(missing)]


def ensure_months_ahead() -> list[str]:
    """This month and the next three."""
    month, times = window_at("mo", clock.now()), []
    for _ in range(MONTHS_AHEAD + 1):
        times.append(month.start_at)
        month = window_at("mo", month.end_at)
    return ensure_months(times)


def partitions() -> list[tuple[str, Window]]:
    """The partitions that exist, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass ORDER BY c.relname",
            [TABLE],
        )
        names = [name for (name,) in cursor.fetchall()]
    parts = [(name, match) for name in names if (match := _NAME.fullmatch(name))]
    return [(name, window_at("mo", month_start(int(match[1]), int(match[2])))) for name, match in parts]


def drop_before(at: int) -> list[str]:
    """Drop the months that ended at or before `at`; their names. Each in a transaction of its own that gives up
    soon when it cannot have the lock (OperationalError): readers queue behind one who waits for it."""
    dropped = []
    for name, month in partitions():
        if month.end_at > at:
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
            cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {name}")
            cursor.execute(f"DROP TABLE {name}")
        dropped.append(name)
    return dropped


def _missing(cursor: CursorWrapper, months: Iterable[Window]) -> set[Window]:
    names = {partition_name(month): month for month in months}
    cursor.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %s::regclass AND c.relname = ANY(%s)",
        [TABLE, list(names)],
    )
    return {names[name] for name in names.keys() - {name for (name,) in cursor.fetchall()}}
