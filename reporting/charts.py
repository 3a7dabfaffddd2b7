"""Charts as the theme's Chart.js components take them: JSON of data and of options. Pure.

The option `unit` ("count", "usd", "ms") is read by static/gatehouse/admin.js, which writes the numbers.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BLUE, VIOLET, GREEN, AMBER, RED, GREY = "#3b82f6", "#a78bfa", "#22c55e", "#f59e0b", "#ef4444", "#94a3b8"
STATUS_COLOURS = (("2xx", GREEN), ("3xx", GREY), ("4xx", AMBER), ("5xx", RED))
_TEXT = "#9ca3af"

Series = tuple[str, Sequence[float | int | None], str]
"""A name, its numbers (None: a gap) and its colour."""


@dataclass(frozen=True, slots=True)
class Chart:
    """kind: bar or line; data, options: JSON. summary: what it shows in words, for who cannot see it."""

    title: str
    kind: str
    data: str
    options: str
    summary: str


def bars(title: str, labels: Sequence[str], series: Sequence[Series], *, unit: str = "count") -> Chart:
    """Stacked bars; series without any number but 0 are left out, unless all are."""
    shown = [each for each in series if any(each[1])] or series[:1]
    datasets = [
        {"label": name, "data": list(numbers), "backgroundColor": colour, "maxBarThickness": 26, "borderRadius": 2}
        for name, numbers, colour in shown
    ]
    return _chart(title, "bar", {"labels": list(labels), "datasets": datasets}, _options(unit, stacked=True))


def lines(title: str, labels: Sequence[str], series: Sequence[Series], *, unit: str = "count") -> Chart:
    """Lines with gaps where there is no number."""
    datasets = [
        {
            "label": name,
            "data": list(numbers),
            "borderColor": colour,
            "backgroundColor": colour,
            "borderWidth": 2,
            "pointRadius": 0,
            "pointHitRadius": 8,
            "tension": 0,
        }
        for name, numbers, colour in series
    ]
    return _chart(title, "line", {"labels": list(labels), "datasets": datasets}, _options(unit, stacked=False))


def _chart(title: str, kind: str, data: dict[str, Any], options: dict[str, Any]) -> Chart:
    names = ", ".join(dataset["label"] for dataset in data["datasets"])
    summary = f"{title}: {names} at {len(data['labels'])} points in time"
    return Chart(title, kind, json.dumps(data), json.dumps(options), summary)


def _options(unit: str, *, stacked: bool) -> dict[str, Any]:
    legend = {"boxWidth": 6, "boxHeight": 6, "color": _TEXT, "usePointStyle": True, "pointStyle": "circle"}
    whole = {"precision": 0} if unit == "count" else {}  # half a request is none, half a dollar is something
    return {
        "unit": unit,
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {"legend": {"align": "end", "position": "top", "labels": legend}},
        "scales": {
            "x": {
                "stacked": stacked,
                "grid": {"display": False},
                "border": {"display": False},
                "ticks": {"color": _TEXT, "maxTicksLimit": 8, "maxRotation": 0},
            },
            "y": {
                "stacked": stacked,
                "beginAtZero": True,
                "border": {"display": False, "dash": [3, 3]},
                "grid": {"drawTicks": False},
                "ticks": {"color": _TEXT, "maxTicksLimit": 5, "padding": 8, **whole},
            },
        },
    }
