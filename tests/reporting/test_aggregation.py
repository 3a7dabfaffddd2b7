"""Records to sums, as tables of input and output."""

import msgspec
import pytest

from reporting.aggregation import (
    LATENCY_COLUMNS,
    MODEL_LENGTH,
    SUM_COLUMNS,
    BadRecord,
    HourCell,
    SpendId,
    cell_of,
    charges_of,
    hours_of,
    percentile_ms,
    read_record,
    spend_of,
)
from reporting.models import HourlyUsage
from reporting.records import AttemptRecord, Charge
from tests.reporting.builders import AT, TOTAL, a_record, payload_of

KEY = "0d6b6c80-77b8-4c9a-8c33-8a6c0f6f3a11"


def summed(*records: object) -> dict[str, int]:
    (sums,) = hours_of(records).values()  # type: ignore[arg-type]
    return dict(zip(SUM_COLUMNS, sums, strict=True))


def test_it_reads_what_was_written() -> None:
    record = a_record(metadata='{"a": 1}', upstream_latency_ms=90)

    assert read_record(payload_of(record)) == record


def test_it_puts_ids_into_their_usual_form() -> None:
    read = read_record(payload_of(a_record(id=KEY.upper(), key_id=KEY.replace("-", ""))))

    assert (read.id, read.key_id) == (KEY, KEY)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b'"text"',
        payload_of(a_record(id="no uuid")),
        payload_of(a_record(key_id="")),
        payload_of(a_record(created_at=-1)),
        payload_of(a_record(created_at=10**12)),
        payload_of(a_record(cost_nano=-1)),
        payload_of(a_record(cost_nano=10**16)),
        payload_of(a_record(output_tokens=-5)),
        payload_of(a_record(latency_ms=2**31)),
        payload_of(a_record()).replace(b'"completed"', b'"vanished"'),
    ],
)
def test_it_refuses_what_no_table_can_hold(payload: bytes) -> None:
    with pytest.raises(BadRecord):
        read_record(payload)


def test_it_keeps_an_event_whose_text_holds_a_nul() -> None:
    record = read_record(payload_of(a_record(request_body="a\0b", custom_id="\0", tags=("x\0", "y"))))

    assert (record.request_body, record.custom_id, record.tags) == ("a\ufffdb", "\ufffd", ("x\ufffd", "y"))


def test_it_keeps_an_event_whose_attempts_hold_a_nul() -> None:
    tried = AttemptRecord("openai", "setting", "a\0b", error_code="\0", cost_nano=3)

    (kept,) = read_record(payload_of(a_record(attempt_details=(tried,)))).attempt_details or ()

    assert kept == AttemptRecord("openai", "setting", "a\ufffdb", error_code="\ufffd", cost_nano=3)


def test_the_total_is_charged_even_if_the_record_forgot_it() -> None:
    day = Charge("d", AT - AT % 86_400, 0)

    assert charges_of(a_record(charges=(TOTAL, day))) == (TOTAL, day)
    assert charges_of(a_record(charges=(day,))) == (TOTAL, day)
    assert charges_of(a_record(charges=(), requests=0, cost_nano=0)) == ()


def test_spend_is_summed_per_key_and_window_and_sorted() -> None:
    minute = Charge("m", AT - AT % 60, 2)
    other = "ffffffff-77b8-4c9a-8c33-8a6c0f6f3a11"
    records = [
        a_record(key_id=other, cost_nano=7),
        a_record(key_id=KEY, charges=(TOTAL, minute), cost_nano=5),
        a_record(key_id=KEY, charges=(TOTAL, minute), cost_nano=6),
    ]

    assert list(spend_of(records).items()) == [
        (SpendId(KEY, "m", minute.start_at, 2), (2, 11)),
        (SpendId(KEY, "total", 0, 0), (2, 11)),
        (SpendId(other, "total", 0, 0), (1, 7)),
    ]


def test_an_hour_is_summed_per_key_model_provider_and_status_class() -> None:
    records = [a_record(key_id=KEY, status=status, created_at=AT + 59 * 60) for status in (200, 201, 429, 502)]

    cells = hours_of(records)

    assert list(cells) == [
        HourCell(AT, KEY, "gpt-4o", "openai", "2xx"),
        HourCell(AT, KEY, "gpt-4o", "openai", "4xx"),
        HourCell(AT, KEY, "gpt-4o", "openai", "5xx"),
    ]
    assert [sums[0] for sums in cells.values()] == [2, 1, 1]


@pytest.mark.parametrize(
    ("ending", "status", "requests", "expected"),
    [
        ("completed", 200, 1, {"admitted": 1, "successes": 1, "errors": 0, "refused": 0}),
        ("completed", 400, 1, {"admitted": 1, "successes": 0, "errors": 1, "refused": 0}),
        ("upstream_failed", 200, 1, {"admitted": 1, "successes": 1, "errors": 1, "refused": 0}),
        ("client_left", 200, 1, {"admitted": 1, "successes": 1, "errors": 0, "refused": 0}),
        ("refused", 429, 0, {"admitted": 0, "successes": 0, "errors": 0, "refused": 1}),
    ],
)
def test_endings_are_told_apart(ending: str, status: int, requests: int, expected: dict[str, int]) -> None:
    assert summed(a_record(ending=ending, status=status, requests=requests)).items() >= expected.items()


def test_tokens_are_all_counted_once() -> None:
    record = a_record(
        input_tokens=1,
        cache_read_tokens=2,
        cache_write_tokens=4,
        cache_write_1h_tokens=8,
        audio_input_tokens=16,
        image_input_tokens=32,
        output_tokens=64,
        reasoning_tokens=60,
        audio_output_tokens=128,
        image_output_tokens=256,
    )

    sums = summed(record)

    assert (sums["prompt_tokens"], sums["completion_tokens"]) == (63, 448)
    assert (sums["cached_tokens"], sums["reasoning_tokens"]) == (2, 60)


@pytest.mark.parametrize(
    ("latency_ms", "column"),
    [
        (0, "latency_le_10"),
        (10, "latency_le_10"),
        (11, "latency_le_20"),
        (300_000, "latency_le_300000"),
        (300_001, "latency_over"),
    ],
)
def test_a_latency_falls_into_one_bucket(latency_ms: int, column: str) -> None:
    sums = summed(a_record(latency_ms=latency_ms))

    assert {name for name in LATENCY_COLUMNS if sums[name]} == {column}


def test_every_sum_has_a_column() -> None:
    assert {field.name for field in HourlyUsage._meta.concrete_fields} >= {*SUM_COLUMNS, *HourCell._fields}


def test_a_model_name_from_a_client_is_bounded_in_the_sums() -> None:
    assert len(cell_of(a_record(request_model="x" * 10_000)).model) == MODEL_LENGTH


@pytest.mark.parametrize(
    ("counts", "fraction", "expected"),
    [
        ([], 0.5, 0.0),
        ([0] * 16, 0.5, 0.0),
        ([0, 0, 0, 10], 0.5, 75.0),
        ([1, 0, 0, 9], 0.5, 50 + 50 * 4 / 9),
        ([0] * 15 + [3], 0.99, 300_000.0),
    ],
)
def test_a_percentile_is_read_from_the_histogram(counts: list[int], fraction: float, expected: float) -> None:
    assert percentile_ms(counts, fraction) == pytest.approx(expected)


def test_the_decoder_takes_records_of_a_newer_proxy() -> None:
    newer = msgspec.json.decode(payload_of(a_record()))
    newer["invented_later"] = 1

    assert read_record(msgspec.json.encode(newer)).method == "POST"
