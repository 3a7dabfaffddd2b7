"""The first page of the admin site: what the gateway did in a range of time, and what needs attention."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from gateway_project.admin_pages import formats
from gateway_project.admin_pages.proxy_address import proxy_url
from gateway_project.shared import clock
from keys.queries import key_names
from providers.price_queries import models_without_price
from reporting import charts
from reporting.aggregation import percentile_ms
from reporting.dashboard_queries import (
    DAY_S,
    HOUR_S,
    Cell,
    Top,
    costless_models,
    has_events,
    minutes_can_be_read,
    top_rows,
    usage_cells,
)
from reporting.queries import rejected_count
from reporting.waiting import Waiting, waiting_events

TOP_ROWS = 6
UNPRICED_SHOWN = 8
# Longer means that the worker is not running or cannot reach the database.
WAITING_FINE_S = 60


@dataclass(frozen=True, slots=True)
class Range:
    """What can be picked. bucket_s: the length of one point of the charts; clock: how its time is written."""

    name: str
    title: str
    length_s: int
    bucket_s: int
    clock: str


RANGES = (
    Range("1h", "last hour", HOUR_S, 120, "%H:%M"),
    Range("24h", "last 24 hours", DAY_S, HOUR_S, "%H:%M"),
    Range("7d", "last 7 days", 7 * DAY_S, 6 * HOUR_S, "%a %H:%M"),
    Range("30d", "last 30 days", 30 * DAY_S, DAY_S, "%d %b"),
)
DEFAULT_RANGE = RANGES[1]


@dataclass(frozen=True, slots=True)
class Card:
    """One figure. note: smaller, below it; link: where it leads, "" for nowhere."""

    title: str
    figure: str
    note: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class TopLine:
    """A row of a table of what costs most, written out."""

    name: str
    link: str
    requests: str
    errors: str
    tokens: str
    cost: str


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the first page shows besides the list of models; nothing of it to those who may not see usage."""
    if not request.user.has_perm("reporting.view_hourlyusage"):
        return context
    now = clock.now()
    picked = _picked(request.GET.get("range", ""), now)
    start_at, end_at = _bounds(picked, now)
    unpriced = models_without_price(costless_models(start_at, UNPRICED_SHOWN))
    cells = usage_cells(start_at, end_at, picked.bucket_s)
    context |= {
        "title": "Dashboard",
        "range": picked,
        "ranges": RANGES,
        "cards": _cards(cells, picked),
        "waiting": waiting_lines(waiting_events(settings.SPOOL_DIR, now)),
        "rejected": rejected_count(),
        "unpriced": [_to_price(*each) for each in unpriced],
        "usage": bool(cells),
        "proxy_url": proxy_url(request),
    }
    if cells:
        context |= _pictures(cells, range(start_at, end_at, picked.bucket_s), picked)
        context |= _tops(picked, (start_at, end_at), {model for _, model in unpriced})
    else:
        context["ever"] = has_events()
    return context


def waiting_lines(waiting: Waiting) -> dict[str, Any]:
    """How far behind the books are. late: somebody should look."""
    if not waiting.depth_bytes:
        return {"late": False, "text": "The books are complete: no event waits."}
    size, age = formats.size(waiting.depth_bytes), formats.span(waiting.age_s)
    text = f"{size} of events wait to be booked, the oldest for {age}."
    late = waiting.age_s > WAITING_FINE_S
    return {"late": late, "text": f"{text} Is the worker running?" if late else text}


def _picked(name: str, now: int) -> Range:
    picked = next((each for each in RANGES if each.name == name), DEFAULT_RANGE)
    if picked.bucket_s < HOUR_S and not minutes_can_be_read(now - picked.length_s):
        return Range(picked.name, f"{picked.title}, in whole hours", picked.length_s, HOUR_S, picked.clock)
    return picked


def _bounds(picked: Range, now: int) -> tuple[int, int]:
    """From the bucket in which the range begins to the end of the running one."""
    start_at = now - picked.length_s
    return start_at - start_at % picked.bucket_s, now - now % picked.bucket_s + picked.bucket_s


def _cards(cells: Sequence[Cell], picked: Range) -> list[Card]:
    events = sum(cell.requests for cell in cells)
    errors, refused = sum(cell.errors for cell in cells), sum(cell.refused for cell in cells)
    latency = _histogram(cells)
    asked = events - refused
    return [
        Card("Requests", formats.compact(events), f"{formats.compact(refused)} refused", _events(picked)),
        Card("Cost", formats.usd(sum(cell.cost_nano for cell in cells)), "of what has a price"),
        Card("Input tokens", formats.compact(sum(cell.prompt_tokens for cell in cells)), "cached ones included"),
        Card("Output tokens", formats.compact(sum(cell.completion_tokens for cell in cells)), "reasoning included"),
        Card(
            "Error rate",
            formats.percent(errors, asked),
            f"{formats.compact(errors)} of {formats.compact(asked)}",
            _events(picked, state="error"),
        ),
        Card(
            "Latency p50",
            formats.milliseconds(percentile_ms(latency, 0.5)) if events else formats.NOTHING,
            f"p95 {formats.milliseconds(percentile_ms(latency, 0.95))}" if events else "",
        ),
    ]


def _pictures(cells: Sequence[Cell], starts: Sequence[int], picked: Range) -> dict[str, Any]:
    """The charts: data and options for the theme's own components."""
    labels = [datetime.fromtimestamp(at, UTC).strftime(picked.clock) for at in starts]
    by_bucket: dict[int, list[Cell]] = {at: [] for at in starts}
    for cell in cells:
        by_bucket.setdefault(cell.at, []).append(cell)
    columns = [by_bucket[at] for at in starts]

    def sums(member: str, status: str = "") -> list[int]:
        return [
            sum(getattr(cell, member) for cell in column if cell.status_class.startswith(status)) for column in columns
        ]

    answered = [[cell for cell in column if cell.requests > cell.refused] for column in columns]
    usd = [nano / 1e9 for nano in sums("cost_nano")]
    requests = [(status, sums("requests", status), colour) for status, colour in charts.STATUS_COLOURS]
    tokens = [("input", sums("prompt_tokens"), charts.BLUE), ("output", sums("completion_tokens"), charts.VIOLET)]
    troubles = [("errors", sums("errors"), charts.RED), ("refused", sums("refused"), charts.AMBER)]
    latency = [
        ("p50", [_percentile(column, 0.5) for column in answered], charts.BLUE),
        ("p95", [_percentile(column, 0.95) for column in answered], charts.VIOLET),
    ]
    return {
        "chart_rows": [
            [
                charts.bars("Requests by status", labels, requests),
                charts.bars("Cost", labels, [("cost", usd, charts.BLUE)], unit="usd"),
            ],
            [
                charts.bars("Tokens", labels, tokens),
                charts.bars("Errors and refusals", labels, troubles),
                charts.lines("Latency of answers", labels, latency, unit="ms"),
            ],
        ]
    }


def _tops(picked: Range, bounds: tuple[int, int], unpriced: set[str]) -> dict[str, Any]:
    keys = top_rows("key_id", *bounds, bucket_s=picked.bucket_s, limit=TOP_ROWS)
    models = top_rows("model", *bounds, bucket_s=picked.bucket_s, limit=TOP_ROWS)
    names = {key.name: f"deleted {key.name[:8]}" for key in keys} | key_names(key.name for key in keys)
    return {
        "top_keys": [_line(key, names[key.name], _events(picked, key=key.name)) for key in keys],
        "top_models": [
            replace(line, cost="unpriced") if model.name in unpriced else line
            for model in models
            for line in (_line(model, model.name, _events(picked, model=model.name)),)
        ],
    }


def _line(top: Top, name: str, link: str) -> TopLine:
    return TopLine(
        name=name,
        link=link,
        requests=formats.compact(top.requests),
        errors=formats.compact(top.errors),
        tokens=formats.compact(top.tokens),
        cost=formats.usd(top.cost_nano),
    )


def _to_price(provider: str, model: str) -> dict[str, str]:
    """A model without a price, with the page on which to give it one."""
    page = reverse("admin:providers_modelprice_add")
    return {"name": f"{model} ({provider})", "link": f"{page}?{urlencode({'provider': provider, 'model': model})}"}


def _events(picked: Range, **wanted: str) -> str:
    return f"{reverse('admin:reporting_usageevent_changelist')}?{urlencode({'when': picked.name, **wanted})}"


def _histogram(cells: Iterable[Cell]) -> list[int]:
    return [sum(counts) for counts in zip(*(cell.latency for cell in cells), strict=True)]


def _percentile(cells: Sequence[Cell], fraction: float) -> float | None:
    """None where nothing happened, so that a line has a gap there instead of a zero."""
    return round(percentile_ms(_histogram(cells), fraction)) if cells else None
