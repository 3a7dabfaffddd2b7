"""What the dashboard and the page of a key read.

What carries 100 million events: sums come from HourlyUsage, and for whole days further back from DailyUsage. Only the
last hour is read from events, and only when the hours say that there are few enough of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, CharField, F, Q, QuerySet, Sum, Value, When

from reporting.aggregation import COMPLETION_COLUMNS, LATENCY_BOUNDS_MS, LATENCY_COLUMNS, PROMPT_COLUMNS
from reporting.models import DailyUsage, HourlyUsage, KeySpend, UsageEvent

HOUR_S = 3600
DAY_S = 86_400
# Above it, minutes would be summed over too many events: the dashboard shows hours instead.
MINUTES_UP_TO_EVENTS = 200_000
# A day's roll-up is some minutes behind, more when the worker was down: the newest two days are read by the hour.
_DAYS_READ_BY_HOUR = 2
_SUMMED = ("events", "errors", "refused", "prompt", "completion", "cost_nano", *LATENCY_COLUMNS)

# The roll-ups' columns under the names that both kinds of rows can have.
_AS_EVENTS = {"events": F("requests"), "prompt": F("prompt_tokens"), "completion": F("completion_tokens")}


class Cell(NamedTuple):
    """Sums of one bucket and status class ("2xx"). latency: a histogram, as LATENCY_COLUMNS."""

    at: int
    status_class: str
    requests: int
    errors: int
    refused: int
    prompt_tokens: int
    completion_tokens: int
    cost_nano: int
    latency: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Top:
    """A key (its id) or a model, with its sums."""

    name: str
    requests: int
    errors: int
    tokens: int
    cost_nano: int


def minutes_can_be_read(start_at: int) -> bool:
    """Whether the events since start_at are few enough to be summed one by one."""
    first = start_at - start_at % HOUR_S
    events = HourlyUsage.objects.filter(hour_at__gte=first).aggregate(events=Sum("requests"))["events"]
    return (events or 0) <= MINUTES_UP_TO_EVENTS


def usage_cells(start_at: int, end_at: int, bucket_s: int) -> list[Cell]:
    """Sums by bucket and status class; empty ones are missing. bucket_s below an hour reads events."""
    cells: list[Cell] = []
    for rows, period in _sources(start_at, end_at, bucket_s):
        bucket = F(period) - F(period) % bucket_s
        sums = {f"{name}_": Sum(name) for name in _SUMMED}
        summed = rows.annotate(bucket=bucket).values("bucket", "status_class").annotate(**sums).order_by("bucket")
        cells.extend(_cell(row) for row in summed)
    return cells


def top_rows(name: str, start_at: int, end_at: int, *, bucket_s: int, limit: int) -> list[Top]:
    """What costs most, most first. name: key_id or model; requests without a model are left out of models."""
    found: dict[str, list[int]] = {}
    for rows, _ in _sources(start_at, end_at, bucket_s):
        known = rows.exclude(model="") if name == "model" else rows
        summed = known.values(name).annotate(
            requests_=Sum("events"),
            errors_=Sum("errors"),
            tokens_=Sum(F("prompt") + F("completion")),
            cost_=Sum("cost_nano"),
        )
        # More than are shown: a name may be among the first of two sources together only.
        for row in summed.order_by("-cost_", "-requests_")[: 20 * limit]:
            sums = found.setdefault(str(row[name]), [0, 0, 0, 0])
            for number, column in enumerate(("requests_", "errors_", "tokens_", "cost_")):
                sums[number] += row[column]
    tops = [Top(name, *sums) for name, sums in found.items()]
    return sorted(tops, key=lambda top: (-top.cost_nano, -top.requests, top.name))[:limit]


def costless_models(start_at: int, limit: int) -> list[tuple[str, str]]:
    """(provider, model) of answers with tokens that cost nothing since start_at: those that may have no price."""
    rows = (
        HourlyUsage.objects.filter(hour_at__gte=start_at - start_at % HOUR_S, status_class="2xx")
        .exclude(model="")
        .values("provider", "model")
        .annotate(cost=Sum("cost_nano"), tokens=Sum(F("prompt_tokens") + F("completion_tokens")))
        .filter(cost=0, tokens__gt=0)
        .order_by("-tokens")[:limit]
    )
    return [(row["provider"], row["model"]) for row in rows]


def has_events() -> bool:
    """Whether anything was ever booked; what retention has removed does not count."""
    return HourlyUsage.objects.exists()


def used_in(key_id: UUID, windows: Sequence[tuple[str, int, int]]) -> Mapping[tuple[str, int, int], tuple[int, int]]:
    """(requests, nano-dollars) that a key has used in each window (unit, start_at, epoch); 0 in one without events."""
    wanted = Q(pk__in=[])
    for unit, start_at, epoch in windows:
        wanted |= Q(unit=unit, start_at=start_at, epoch=epoch)
    rows = KeySpend.objects.filter(wanted, key_id=key_id)
    found = {(row.unit, row.start_at, row.epoch): (row.requests, row.cost_nano) for row in rows}
    return {window: found.get(window, (0, 0)) for window in windows}


def _sources(start_at: int, end_at: int, bucket_s: int) -> Iterator[tuple["QuerySet[Any]", str]]:
    """What to sum for a range, each with its column of time."""
    if bucket_s < HOUR_S:
        yield _events(start_at, end_at), "created_at"
        return
    by_hour_from = start_at
    if bucket_s % DAY_S == 0:
        by_hour_from = max(start_at, end_at - end_at % DAY_S - (_DAYS_READ_BY_HOUR - 1) * DAY_S)
        if start_at < by_hour_from:
            days = DailyUsage.objects.filter(day_at__gte=start_at, day_at__lt=by_hour_from)
            yield days.annotate(**_AS_EVENTS), "day_at"
    hours = HourlyUsage.objects.filter(hour_at__gte=by_hour_from, hour_at__lt=end_at)
    yield hours.annotate(**_AS_EVENTS), "hour_at"


def _events(start_at: int, end_at: int) -> "QuerySet[Any]":
    """Events as rows that can be summed like those of HourlyUsage; the same rules as reporting.aggregation."""
    refused = Q(ending="refused")
    failed = ~refused & (Q(status__gte=400) | Q(ending="upstream_failed"))
    classes = [When(status__gte=100 * n, status__lt=100 * n + 100, then=Value(f"{n}xx")) for n in range(1, 6)]
    rows = UsageEvent.objects.filter(created_at__gte=start_at, created_at__lt=end_at)
    lower = 0
    histogram: dict[str, Any] = {}
    for column, bound in zip(LATENCY_COLUMNS, (*LATENCY_BOUNDS_MS, None), strict=True):
        inside = Q(latency_ms__gt=lower) if lower else Q()
        histogram[column] = _one_if(inside & Q(latency_ms__lte=bound) if bound else inside)
        lower = bound or 0
    return rows.annotate(
        **histogram,
        events=Value(1),
        status_class=Case(*classes, default=Value("0xx"), output_field=CharField()),
        model=F("request_model"),
        errors=_one_if(failed),
        refused=_one_if(refused),
        prompt=_plus(PROMPT_COLUMNS),
        completion=_plus(COMPLETION_COLUMNS),
    )


def _one_if(condition: Q) -> Case:
    return Case(When(condition, then=Value(1)), default=Value(0))


def _plus(columns: Sequence[str]) -> Any:
    total: Any = F(columns[0])
    for name in columns[1:]:
        total = total + F(name)
    return total


def _cell(row: Mapping[str, Any]) -> Cell:
    requests, errors, refused, prompt, completion, cost = (int(row[f"{name}_"] or 0) for name in _SUMMED[:6])
    return Cell(
        at=row["bucket"],
        status_class=row["status_class"],
        requests=requests,
        errors=errors,
        refused=refused,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost_nano=cost,
        latency=tuple(int(row[f"{name}_"] or 0) for name in LATENCY_COLUMNS),
    )
