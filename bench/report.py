"""The table, the JSON, and whether the figures are good enough."""

import statistics
from typing import Any

from bench.measuring import added_ms, ratio
from bench.records import percentile
from bench.suite import ServerFigures

LIMITS = {
    ("uvicorn", "memory", "plain"): 2.0,
    ("daphne", "memory", "plain"): 1.4,
    ("uvicorn", "redis", "plain"): 2.8,
    ("daphne", "redis", "plain"): 1.7,
    ("uvicorn", "memory", "stream"): 1.4,
    ("daphne", "memory", "stream"): 1.2,
    ("uvicorn", "redis", "stream"): 1.4,
    ("daphne", "redis", "stream"): 1.2,
}
"""The most CPU a request may cost, as a multiple of the bare pass-through's."""

NAMES = ("bare", "memory", "redis")
_BASES = {"route": "plain", "hit": "plain"}
"""What the pass-through did, which has no routes, by the gateway's workload."""
_TITLES = ("server", "what", "load", "per s", "CPU ms", "x bare", "limit", "+p50", "+p95", "+p99 ms", "RSS MB")


def rows_of(figures: ServerFigures) -> list[dict[str, Any]]:
    """One row per target and workload."""
    rows = [_row(figures, name, workload) for workload in ("plain", "stream") for name in NAMES]
    return rows + [_row(figures, name, workload) for workload in _BASES for name in NAMES[1:]]


def _row(figures: ServerFigures, name: str, workload: str) -> dict[str, Any]:
    book, base = figures.book, _BASES.get(workload, workload)
    # Paced streams are bound by their pace: what a proxy can do shows without it.
    speed = book[name, "unpaced" if workload == "stream" else workload].per_second
    return {
        "server": figures.server,
        "what": name,
        "load": workload,
        "per_second": statistics.median(speed),
        "cpu_ms": statistics.median(book[name, workload].cpu_ms),
        "ratio": ratio(book, name, workload, base_workload=base),
        # A kept answer has to be cheaper than one that is passed through.
        "limit": ratio(book, name, base) if workload == "hit" else LIMITS.get((figures.server, name, workload)),
        "added_p50_ms": added_ms(book, name, workload, 0.50, base_workload=base),
        "added_p95_ms": added_ms(book, name, workload, 0.95, base_workload=base),
        "added_p99_ms": added_ms(book, name, workload, 0.99, base_workload=base),
        "last_byte_p50_ms": percentile(book[name, workload].total_ms, 0.50),
        "chunks": statistics.median(book[name, workload].chunks),
        "rss_mb": figures.rss_mb[name],
        "rounds": figures.rounds,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Aligned text."""
    lines = [_TITLES, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_TITLES))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column < 3 else cell.rjust(width) for column, (cell, width) in pairs)
        for pairs in (list(enumerate(zip(line, widths, strict=True))) for line in lines)
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    limit = row["limit"]
    return (
        row["server"],
        row["what"],
        row["load"],
        f"{row['per_second']:.0f}",
        f"{row['cpu_ms']:.3f}",
        f"{row['ratio']:.2f}",
        f"{limit:.1f}" if limit is not None else "",
        *(f"{row[f'added_p{share}_ms']:.2f}" for share in (50, 95, 99)),
        f"{row['rss_mb']:.0f}",
    )


def exceeded(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence for each ratio above its limit."""
    found = [row for row in rows if row["limit"] is not None and row["ratio"] > row["limit"]]
    return [
        f"{row['server']} {row['what']} {row['load']}: {row['ratio']:.2f} times the bare pass-through, "
        f"at most {row['limit']:.3g}"
        for row in found
    ]
