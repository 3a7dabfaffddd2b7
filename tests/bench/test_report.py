"""Tests of the table and of the limits."""

from typing import Any

from bench.measuring import Book, Figures
from bench.report import LIMITS, NAMES, exceeded, rows_of, table
from bench.suite import ServerFigures

CPU_MS = {"bare": 0.5, "memory": 0.6, "redis": 1.0}


def rows(hit_ms: float = 0.2) -> list[dict[str, Any]]:
    book: Book = {
        (name, load): Figures([1000.0], [cpu_ms], [3.0], [2.0], [1.0])
        for name, cpu_ms in {**CPU_MS, "direct": 0.0}.items()
        for load in ("plain", "stream", "unpaced")
    }
    book |= {(name, "route"): Figures([900.0], [0.7], [3.0], [2.0], [1.0]) for name in NAMES[1:]}
    book |= {(name, "hit"): Figures([2000.0], [hit_ms], [3.0], [2.0], [1.0]) for name in NAMES[1:]}
    return rows_of(ServerFigures("daphne", book, dict.fromkeys(NAMES, 64.4), rounds=1))


def test_it_has_a_row_for_each_target_and_load() -> None:
    assert [(row["what"], row["load"], row["ratio"]) for row in rows()] == [
        *((name, load, CPU_MS[name] / 0.5) for load in ("plain", "stream") for name in NAMES),
        *((name, "route", 1.4) for name in ("memory", "redis")),
        *((name, "hit", 0.4) for name in ("memory", "redis")),
    ]


def test_it_names_each_ratio_above_its_limit() -> None:
    assert exceeded(rows()) == [
        "daphne redis plain: 2.00 times the bare pass-through, at most 1.7",
        "daphne redis stream: 2.00 times the bare pass-through, at most 1.2",
    ]


def test_a_kept_answer_has_to_be_cheaper_than_one_passed_through() -> None:
    assert [row["limit"] for row in rows()[-2:]] == [1.2, 2.0]
    assert exceeded(rows(0.7))[-1] == "daphne memory hit: 1.40 times the bare pass-through, at most 1.2"


def test_it_aligns_the_table() -> None:
    lines = table(rows()).splitlines()
    assert len({len(line.rstrip()) for line in lines}) == 1
    assert " ".join(lines[2].split()) == "daphne memory plain 1000 0.600 1.20 1.4 0.00 0.00 0.00 64"


def test_it_limits_every_gateway_and_load() -> None:
    assert len(LIMITS) == 8
