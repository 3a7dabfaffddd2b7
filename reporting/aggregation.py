"""Spool records to what the ledger and the roll-ups add; pure.

The database and a rebuild of the counters both use these sums, so that they cannot disagree.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from gateway_project.shared.windows import window_at
from reporting.records import AttemptRecord, Charge, UsageEventRecord

LATENCY_BOUNDS_MS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000)
LATENCY_COLUMNS = (*(f"latency_le_{bound}" for bound in LATENCY_BOUNDS_MS), "latency_over")
PROMPT_COLUMNS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "image_input_tokens",
)
COMPLETION_COLUMNS = ("output_tokens", "audio_output_tokens", "image_output_tokens")
SUM_COLUMNS = (
    "requests",
    "admitted",
    "successes",
    "errors",
    "refused",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost_nano",
    "latency_ms_sum",
    *LATENCY_COLUMNS,
)
# A client chooses the model's name: what it may put into every roll-up row and index is bounded.
MODEL_LENGTH = 128
TOTAL = Charge("total", 0, 0)
_NEWEST_AT = 4_102_444_800  # the year 2100
_LARGEST_COST_NANO = 10**15
_LARGEST_INT = 2**31 - 1
_decoder = msgspec.json.Decoder(UsageEventRecord)
_int_fields = tuple(
    f.name
    for f in msgspec.structs.fields(UsageEventRecord)
    if f.type is int and f.name not in ("created_at", "cost_nano")
)


class BadRecord(ValueError):
    """A spool record that can never become an event."""


class SpendId(NamedTuple):
    """One row of KeySpend."""

    key_id: str
    unit: str
    start_at: int
    epoch: int


class HourCell(NamedTuple):
    """One row of HourlyUsage."""

    hour_at: int
    key_id: str
    model: str
    provider: str
    status_class: str


def read_record(payload: bytes) -> UsageEventRecord:
    """A spool payload, with ids in their usual form. Raises BadRecord for what the tables cannot hold."""
    try:
        record = _decoder.decode(payload)
        ids = str(UUID(record.id)), str(UUID(record.key_id))
    except (msgspec.DecodeError, ValueError) as error:  # also msgspec.ValidationError and invalid UTF-8
        raise BadRecord(str(error)) from error
    if not 0 <= record.created_at < _NEWEST_AT:
        raise BadRecord(f"created_at {record.created_at} is no time of an event")
    if not 0 <= record.cost_nano <= _LARGEST_COST_NANO:
        raise BadRecord(f"cost_nano {record.cost_nano} is out of range")
    for name in _int_fields:
        if not 0 <= getattr(record, name) <= _LARGEST_INT:
            raise BadRecord(f"{name} {getattr(record, name)} is out of range")
    if b"\\u0000" in payload:
        record = _without_nul(record)
    if (record.id, record.key_id) != ids:
        record = msgspec.structs.replace(record, id=ids[0], key_id=ids[1])
    return record


def charges_of(record: UsageEventRecord) -> Sequence[Charge]:
    """The windows a record counts in; what was admitted or cost something always counts in the total."""
    if TOTAL in record.charges or not (record.requests or record.cost_nano):
        return record.charges
    return (TOTAL, *record.charges)


def spend_of(records: Iterable[UsageEventRecord]) -> dict[SpendId, tuple[int, int]]:
    """(requests, nano-dollars) to add per row of KeySpend, sorted: every writer locks rows in the same order."""
    sums: dict[SpendId, tuple[int, int]] = {}
    for record in records:
        for charge in charges_of(record):
            row = SpendId(record.key_id, charge.unit, charge.start_at, charge.epoch)
            requests, cost_nano = sums.get(row, (0, 0))
            sums[row] = (requests + record.requests, cost_nano + record.cost_nano)
    return {row: sums[row] for row in sorted(sums)}


def hours_of(records: Iterable[UsageEventRecord]) -> dict[HourCell, list[int]]:
    """What to add per row of HourlyUsage, in the order of SUM_COLUMNS; sorted, as spend_of."""
    sums: dict[HourCell, list[int]] = {}
    for record in records:
        added = _sums_of(record)
        cell = cell_of(record)
        known = sums.get(cell)
        sums[cell] = added if known is None else [a + b for a, b in zip(known, added, strict=True)]
    return {cell: sums[cell] for cell in sorted(sums)}


def cell_of(record: UsageEventRecord) -> HourCell:
    return HourCell(
        window_at("h", record.created_at).start_at,
        record.key_id,
        record.request_model[:MODEL_LENGTH],
        record.provider[:MODEL_LENGTH],
        f"{record.status // 100 % 10}xx",
    )


def percentile_ms(counts: Sequence[int], fraction: float) -> float:
    """A percentile read from a histogram (LATENCY_COLUMNS), straight within its bucket; 0 when it is empty."""
    total = sum(counts)
    rank, seen = fraction * total, 0
    for number, count in enumerate(counts):
        if count and seen + count >= rank:
            lower = LATENCY_BOUNDS_MS[number - 1] if number else 0
            upper = LATENCY_BOUNDS_MS[number] if number < len(LATENCY_BOUNDS_MS) else lower
            return lower + (upper - lower) * max(0.0, rank - seen) / count
        seen += count
    return 0.0


def _sums_of(record: UsageEventRecord) -> list[int]:
    refused = record.ending == "refused"
    failed = not refused and (record.status >= 400 or record.ending == "upstream_failed")
    histogram = [0] * len(LATENCY_COLUMNS)
    histogram[bisect_left(LATENCY_BOUNDS_MS, record.latency_ms)] = 1
    return [
        1,
        record.requests,
        int(200 <= record.status < 300),
        int(failed),
        int(refused),
        sum(getattr(record, name) for name in PROMPT_COLUMNS),
        sum(getattr(record, name) for name in COMPLETION_COLUMNS),
        record.cache_read_tokens,
        record.reasoning_tokens,
        record.cost_nano,
        record.latency_ms,
        *histogram,
    ]


def _without_nul(record: UsageEventRecord) -> UsageEventRecord:
    """PostgreSQL stores no NUL in text; a body or header that has one must not lose the event."""
    changed: dict[str, object] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, str) and "\0" in value:
            changed[name] = value.replace("\0", "\ufffd")
    if record.attempt_details is not None:
        changed["attempt_details"] = tuple(_named_without_nul(attempt) for attempt in record.attempt_details)
    changed["tags"] = tuple(tag.replace("\0", "\ufffd") for tag in record.tags)
    return msgspec.structs.replace(record, **changed)


def _named_without_nul(attempt: AttemptRecord) -> AttemptRecord:
    """Models are the clients' words, and codes the providers'."""
    model, code = attempt.model.replace("\0", "\ufffd"), attempt.error_code.replace("\0", "\ufffd")
    return msgspec.structs.replace(attempt, model=model, error_code=code)
