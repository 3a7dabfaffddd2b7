"""Tests of rounds and of what they come to."""

import json
import os
import time

from bench.measuring import (
    Book,
    Figures,
    Target,
    Workload,
    added_ms,
    alternately,
    measure_cpu,
    measure_latency,
    ratio,
    repeat,
    rss_of,
)
from tests.upstream import Upstream

WORKLOAD = Workload("plain", json.dumps({"model": "gpt-4o", "messages": [{"content": "hi"}]}), stream=False, rate=50.0)


def test_it_compares_rounds_in_pairs() -> None:
    book: Book = {("bare", "x"): Figures(cpu_ms=[1.0, 2.0, 4.0]), ("ours", "x"): Figures(cpu_ms=[2.0, 6.0, 8.0])}
    assert (ratio(book, "ours", "x"), ratio(book, "bare", "x")) == (2.0, 1.0)


def test_it_subtracts_the_direct_way() -> None:
    book: Book = {("direct", "x"): Figures(first_ms=[1.0, 2.0, 9.0]), ("ours", "x"): Figures(first_ms=[2.0, 4.0, 10.0])}
    assert (added_ms(book, "ours", "x", 0.5), added_ms(book, "ours", "x", 0.99)) == (2.0, 1.0)


def test_it_goes_backwards_every_other_round() -> None:
    targets = [Target(name, "", {}, 0) for name in "abc"]
    assert [[target.name for target in alternately(targets, number)] for number in (0, 1)] == [
        ["a", "b", "c"],
        ["c", "b", "a"],
    ]


def test_it_stops_at_the_deadline_but_not_before_the_first_round() -> None:
    seen: list[int] = []
    assert (repeat(3, time.monotonic() - 1, seen.append), seen) == (1, [0])
    assert repeat(3, time.monotonic() + 60, seen.append) == 3


def test_it_measures_a_target(upstream: Upstream) -> None:
    target = Target("direct", f"{upstream.base_url}/chat/completions", {}, os.getpid())
    book: Book = {}
    measure_cpu(book, [target], WORKLOAD, seconds=0.2)
    measure_latency(book, [target], WORKLOAD, seconds=0.2)
    figures = book["direct", "plain"]
    assert 0 < figures.cpu_ms[0] < 50
    assert figures.chunks == [1.0]
    assert len(figures.total_ms) == len(figures.first_ms) == 10
    assert rss_of([target])["direct"] > 10
