"""What the dashboard sums, on both databases: minutes from events agree with hours and days from the roll-ups."""

import random
from uuid import UUID

import pytest
import time_machine

from gateway_project.shared.ids import new_event_id
from reporting import dashboard_queries
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
    used_in,
)
from reporting.records import Charge, UsageEventRecord
from reporting.services import Batch, roll_up_days, store_batch
from tests.reporting.builders import AT, a_record, payload_of

KEYS = ("0d6b6c80-77b8-4c9a-8c33-8a6c0f6f3a11", "7d6b6c80-77b8-4c9a-8c33-8a6c0f6f3a12")
END = AT - AT % HOUR_S + HOUR_S


def store(*records: UsageEventRecord) -> None:
    for first in range(0, len(records), 500):
        some = records[first : first + 500]
        batch = Batch("history", first, first + len(some))
        assert store_batch(batch=batch, payloads=[payload_of(record) for record in some])


def traffic(chance: random.Random, events: int, seconds: int) -> list[UsageEventRecord]:
    """Events of the last `seconds` before END, of every kind."""
    endings = [("completed", 200), ("refused", 429), ("upstream_failed", 502), ("client_left", 200), ("completed", 404)]
    made = []
    for _ in range(events):
        ending, status = chance.choice(endings)
        made.append(
            a_record(
                id=new_event_id(),
                created_at=END - 1 - chance.randrange(seconds),
                key_id=chance.choice(KEYS),
                request_model=chance.choice(["gpt-4o", "o3", ""]),
                ending=ending,
                status=status,
                requests=int(ending != "refused"),
                charges=(),
                cost_nano=chance.randrange(10_000),
                latency_ms=chance.choice([0, 10, 11, 20, 299, 300_000, 300_001]),
            )
        )
    return made


def merged(cells: list[Cell], bucket_s: int) -> dict[tuple[int, str], list[int]]:
    sums: dict[tuple[int, str], list[int]] = {}
    for cell in cells:
        place = (cell.at - cell.at % bucket_s, cell.status_class)
        values = [cell.requests, cell.errors, cell.refused, cell.prompt_tokens, cell.completion_tokens, cell.cost_nano]
        values += cell.latency
        known = sums.get(place)
        sums[place] = values if known is None else [a + b for a, b in zip(known, values, strict=True)]
    return sums


def test_minutes_hours_and_days_say_the_same(database: str) -> None:
    store(*traffic(random.Random(1), 400, HOUR_S))
    start_at = END - HOUR_S
    with time_machine.travel(END):
        roll_up_days()
    minutes = usage_cells(start_at, END, 120)
    assert len({cell.at for cell in minutes}) > 20
    hours = merged(usage_cells(start_at, END, HOUR_S), HOUR_S)
    assert merged(minutes, HOUR_S) == hours
    assert sum(sums[0] for sums in hours.values()) == 400
    for name in ("model", "key_id"):
        by_minute = top_rows(name, start_at, END, bucket_s=120, limit=5)
        assert by_minute == top_rows(name, start_at, END, bucket_s=HOUR_S, limit=5)
        assert by_minute


def test_a_month_is_read_from_days_and_the_newest_hours(database: str) -> None:
    records = traffic(random.Random(2), 300, 20 * DAY_S)
    store(*records)
    with time_machine.travel(END):
        roll_up_days()
    end_at = END - END % DAY_S + DAY_S
    start_at = end_at - 30 * DAY_S
    by_days = usage_cells(start_at, end_at, DAY_S)
    assert merged(by_days, DAY_S) == merged(usage_cells(start_at, end_at, HOUR_S), DAY_S)
    assert top_rows("key_id", start_at, end_at, bucket_s=DAY_S, limit=3) == top_rows(
        "key_id", start_at, end_at, bucket_s=HOUR_S, limit=3
    )


def test_what_costs_most_comes_first(database: str) -> None:
    store(
        a_record(key_id=KEYS[0], request_model="cheap", cost_nano=1),
        a_record(key_id=KEYS[1], request_model="dear", cost_nano=5, status=500, ending="upstream_failed"),
        a_record(key_id=KEYS[0], request_model="", cost_nano=0),
    )
    models = top_rows("model", END - HOUR_S, END, bucket_s=HOUR_S, limit=2)
    assert models == [Top("dear", 1, 1, 18, 5), Top("cheap", 1, 0, 18, 1)]
    keys = top_rows("key_id", END - HOUR_S, END, bucket_s=HOUR_S, limit=1)
    assert [(key.name, key.cost_nano) for key in keys] == [(KEYS[1], 5)]


def test_it_names_models_that_answered_and_cost_nothing(database: str) -> None:
    store(
        a_record(request_model="ours", cost_nano=0, price_status="unpriced"),
        a_record(request_model="priced"),
        a_record(request_model="failing", cost_nano=0, status=500, ending="upstream_failed"),
        a_record(request_model="silent", cost_nano=0, input_tokens=0, cache_read_tokens=0, output_tokens=0),
    )
    assert costless_models(AT - HOUR_S, 5) == [("openai", "ours")]
    assert costless_models(AT + HOUR_S, 5) == []


def test_it_reads_minutes_only_of_few_events(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert minutes_can_be_read(AT)
    assert not has_events()
    store(a_record(), a_record())
    monkeypatch.setattr(dashboard_queries, "MINUTES_UP_TO_EVENTS", 1)
    assert has_events()
    assert not minutes_can_be_read(AT)


def test_it_says_what_a_key_has_used_in_each_window(database: str) -> None:
    minute = Charge("m", AT - AT % 60, 3)
    store(a_record(key_id=KEYS[0], charges=(Charge("total", 0, 0), minute), cost_nano=7))
    windows = [("total", 0, 0), ("m", AT - AT % 60, 3), ("m", AT - AT % 60, 4), ("d", AT - AT % DAY_S, 3)]
    used = used_in(UUID(KEYS[0]), windows)
    assert list(used.values()) == [(1, 7), (1, 7), (0, 0), (0, 0)]
    assert used_in(UUID(KEYS[1]), windows[:1]) == {("total", 0, 0): (0, 0)}
