"""The command line of the benchmark."""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import bench
from bench.measuring import BenchError
from bench.memory import FEW, MANY, MOST_GROWTH_MB, measure_growth
from bench.processes import StartError
from bench.report import exceeded, rows_of, table
from bench.suite import QUICK, SERVERS, Plan, measure_server

_LEGEND = """
{cores} cores, {seconds:.0f} s. CPU of the serving process per request; x bare: median ratio to the pass-through of
the same round; +p50: time to the first byte at a fixed rate, less that of the direct way; streams have 50 chunks,
2 ms apart (per s: without the pause)."""


def main() -> None:
    """Measure, print, and exit with 1 when --check or --rss finds too much, 2 when something did not run."""
    given = _parser().parse_args()
    try:
        problems = _memory(given) if given.rss else _cpu(given)
    except (StartError, BenchError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(2)
    for problem in problems:
        print(f"too much: {problem}", file=sys.stderr)
    sys.exit(1 if problems and (given.check or given.rss) else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=bench.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, about a minute and a half")
    parser.add_argument("--server", choices=SERVERS, action="append", help="only this one (may be given twice)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a ratio exceeds its limit")
    parser.add_argument("--rss", action="store_true", help=f"only compare memory after {FEW:,} and {MANY:,} requests")
    return parser


def _cpu(given: argparse.Namespace) -> list[str]:
    started = time.monotonic()
    rows: list[dict[str, Any]] = []
    for server in given.server or SERVERS:
        rows += rows_of(measure_server(server, QUICK if given.quick else Plan(), _say))
    print(table(rows))
    print(_LEGEND.format(cores=os.cpu_count(), seconds=time.monotonic() - started))
    _write(given.json, rows)
    return exceeded(rows)


def _memory(given: argparse.Namespace) -> list[str]:
    found = [measure_growth(server) for server in given.server or SERVERS]
    for growth in found:
        after = f"{growth.after_few_mb:.1f} MB after {FEW:,} requests, {growth.after_many_mb:.1f} MB after {MANY:,}"
        print(f"{growth.server}: {after} ({growth.mb:+.1f} MB)")
    _write(given.json, [{"server": g.server, "after_few_mb": g.after_few_mb, "growth_mb": g.mb} for g in found])
    return [f"{g.server} grew by {g.mb:.1f} MB, at most {MOST_GROWTH_MB}" for g in found if g.too_much]


def _write(path: Path | None, rows: list[dict[str, Any]]) -> None:
    if path is not None:
        path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
