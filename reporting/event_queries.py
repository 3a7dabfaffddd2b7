"""Questions that need single events: always bounded, by a filter with an index or by time.

What carries 100 million events: a range touches the partitions of its months only, and inside them the indexes on
(created_at), (key_id, created_at), (custom_id, created_at) and (user_id, created_at). Exact percentiles sort what
they look at; beyond EXACT_PERCENTILES_UP_TO events they come from the hourly histogram where that can answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Aggregate, BooleanField, Case, F, FloatField, QuerySet, Sum, Value, When
from django.db.models.expressions import RawSQL

from reporting.aggregation import COMPLETION_COLUMNS, LATENCY_COLUMNS, PROMPT_COLUMNS, percentile_ms
from reporting.models import HourlyUsage, UsageEvent

HOUR_S = 3600
EXACT_PERCENTILES_UP_TO = 1_000_000
MAX_POINTS = 50_000
# Our columns by the names that reports group by.
DIMENSIONS = {"model": "request_model", "keyId": "key_id", "customId": "custom_id", "userId": "user_id"}


class TooManyPoints(Exception):
    """A report would have more than MAX_POINTS points."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events. All conditions hold at once; an empty one does not limit. tags: all of them, the others: any.

    start_at, end_at: start_at <= created_at < end_at.
    """

    key_ids: Sequence[str] = ()
    custom_ids: Sequence[str] = ()
    user_ids: Sequence[str] = ()
    tags: Sequence[str] = ()
    start_at: int | None = None
    end_at: int | None = None


@dataclass(frozen=True, slots=True)
class ReportPoint:
    """Sums over one bucket and one combination of the dimensions asked for; "" where not asked for."""

    at: int
    requests: int = 0
    cost_nano: int = 0
    latency_ms: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    successes: int = 0
    dimensions: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    points: list[ReportPoint]
    median_ms: float
    p99_ms: float


def find_events(wanted: EventFilter) -> "QuerySet[UsageEvent]":
    """The events, newest first."""
    return _matching(wanted).order_by("-created_at", "-id")


def usage_report(wanted: EventFilter, *, increment_s: int, group_by: Sequence[str] = ()) -> Report:
    """Buckets that begin at start_at, start_at + increment_s, … up to and including end_at, as the seed has them:
    one that begins at end_at is always empty. A bucket without events is one point of zeros.

    group_by: keys of DIMENSIONS. Raises TooManyPoints.
    """
    start_at, end_at = wanted.start_at or 0, wanted.end_at or 0
    starts = range(start_at, end_at + 1, increment_s)
    if len(starts) > MAX_POINTS:
        raise TooManyPoints
    rows = _hourly_rows(wanted, increment_s, group_by)
    found = _points(rows if rows is not None else _event_rows(wanted), wanted, increment_s, group_by)
    points = [point for at in starts for point in found.get(at, [ReportPoint(at)])]
    return Report(points, *_percentiles(wanted, sum(point.requests for point in points)))


class _Percentile(Aggregate):
    function = "percentile_cont"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def _matching(wanted: EventFilter) -> "QuerySet[UsageEvent]":
    events = UsageEvent.objects.all()
    if wanted.start_at is not None:
        events = events.filter(created_at__gte=wanted.start_at)
    if wanted.end_at is not None:
        events = events.filter(created_at__lt=wanted.end_at)
    if wanted.key_ids:
        events = events.filter(key_id__in=uuids(wanted.key_ids))
    # SQLite uses a partial index only for a query that repeats the index's condition.
    if wanted.custom_ids:
        events = events.filter(custom_id__in=wanted.custom_ids).exclude(custom_id="")
    if wanted.user_ids:
        events = events.filter(user_id__in=wanted.user_ids).exclude(user_id="")
    return _with_tags(events, wanted.tags)


def _with_tags(events: "QuerySet[UsageEvent]", tags: Sequence[str]) -> "QuerySet[UsageEvent]":
    if not tags:
        return events
    if connection.vendor == "postgresql":
        return events.filter(tags__contains=list(tags))
    for tag in tags:
        has = "EXISTS (SELECT 1 FROM json_each(reporting_usageevent.tags) WHERE json_each.value = %s)"
        events = events.filter(RawSQL(has, [tag], output_field=BooleanField()))  # noqa: S611  (the tag is bound)
    return events


def _event_rows(wanted: EventFilter) -> "QuerySet[Any]":
    """Events as rows that can be summed like those of HourlyUsage."""
    success = Case(When(status__gte=200, status__lt=300, then=Value(1)), default=Value(0))
    return _matching(wanted).annotate(
        at=F("created_at"),
        model=F("request_model"),
        events=Value(1),
        success=success,
        prompt=_plus(PROMPT_COLUMNS),
        completion=_plus(COMPLETION_COLUMNS),
        latency=F("latency_ms"),
    )


def _hourly_rows(wanted: EventFilter, increment_s: int, group_by: Iterable[str]) -> "QuerySet[Any] | None":
    """HourlyUsage when it says the same as the events: whole hours, and only keys and models asked about."""
    times = (wanted.start_at or 0, wanted.end_at or 0, increment_s)
    if (
        any(time % HOUR_S for time in times)
        or not _hours_can_answer(wanted)
        or not {"model", "keyId"}.issuperset(group_by)
    ):
        return None
    return _matching_hours(wanted).annotate(
        at=F("hour_at"),
        events=F("requests"),
        success=F("successes"),
        prompt=F("prompt_tokens"),
        completion=F("completion_tokens"),
        latency=F("latency_ms_sum"),
    )


def _hours_can_answer(wanted: EventFilter) -> bool:
    return not (wanted.custom_ids or wanted.user_ids or wanted.tags)


def _matching_hours(wanted: EventFilter) -> "QuerySet[HourlyUsage]":
    hours = HourlyUsage.objects.filter(hour_at__gte=wanted.start_at, hour_at__lt=wanted.end_at)
    return hours.filter(key_id__in=uuids(wanted.key_ids)) if wanted.key_ids else hours


def _points(
    rows: "QuerySet[Any]", wanted: EventFilter, increment_s: int, group_by: Sequence[str]
) -> dict[int, list[ReportPoint]]:
    columns = {name: "model" if name == "model" else DIMENSIONS[name] for name in group_by}
    start_at = wanted.start_at or 0
    summed = (
        rows.annotate(bucket=F("at") - (F("at") - start_at) % increment_s)
        .values("bucket", *columns.values())
        .annotate(
            events_=Sum("events"),
            cost_=Sum("cost_nano"),
            latency_=Sum("latency"),
            prompt_=Sum("prompt"),
            completion_=Sum("completion"),
            success_=Sum("success"),
        )
        .order_by("bucket", *columns.values())[: MAX_POINTS + 1]
    )
    points: dict[int, list[ReportPoint]] = {}
    for number, row in enumerate(summed):
        if number == MAX_POINTS:
            raise TooManyPoints
        points.setdefault(row["bucket"], []).append(
            ReportPoint(
                at=row["bucket"],
                requests=row["events_"],
                cost_nano=int(row["cost_"]),
                latency_ms=int(row["latency_"]),
                prompt_tokens=int(row["prompt_"]),
                completion_tokens=int(row["completion_"]),
                successes=int(row["success_"]),
                dimensions={name: str(row[column]) for name, column in columns.items()},
            )
        )
    return points


def _percentiles(wanted: EventFilter, events: int) -> tuple[float, float]:
    """Median and 99th of the latency of the same events, in milliseconds; 0 without events."""
    if not events:
        return 0.0, 0.0
    if events > EXACT_PERCENTILES_UP_TO and _hours_can_answer(wanted):
        sums = _matching_hours(wanted).aggregate(**{f"{name}_": Sum(name) for name in LATENCY_COLUMNS})
        counts = [sums[f"{name}_"] or 0 for name in LATENCY_COLUMNS]
        return percentile_ms(counts, 0.5), percentile_ms(counts, 0.99)
    rows = _matching(wanted)
    if connection.vendor == "postgresql":
        found = rows.aggregate(
            median=_Percentile("latency_ms", fraction=0.5), p99=_Percentile("latency_ms", fraction=0.99)
        )
        return float(found["median"] or 0), float(found["p99"] or 0)
    return _sorted_percentile(rows, events, 0.5), _sorted_percentile(rows, events, 0.99)


def _sorted_percentile(rows: "QuerySet[UsageEvent]", events: int, fraction: float) -> float:
    """percentile_cont for a database that has none: between the two values around the rank."""
    rank = fraction * (events - 1)
    lower = int(rank)
    around = list(rows.order_by("latency_ms").values_list("latency_ms", flat=True)[lower : lower + 2])
    if not around:
        return 0.0
    return float(around[0] + (around[-1] - around[0]) * (rank - lower))


def _plus(columns: Sequence[str]) -> Any:
    total: Any = F(columns[0])
    for name in columns[1:]:
        total = total + F(name)
    return total


def uuids(texts: Iterable[str]) -> list[UUID]:
    """Those of the texts that are UUIDs; anything else names no row."""
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
