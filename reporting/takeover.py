"""Settles in the counters what a dead proxy recorded and may not have settled itself."""

from collections.abc import Iterable, Mapping

from gateway_project.shared.counters import CounterId, CounterStore
from reporting.records import UsageEventRecord


async def settle_records(counters: CounterStore, records: Iterable[UsageEventRecord]) -> None:
    """Settling twice adds nothing, so records that were settled are harmless. Raises CountersUnavailable."""
    for record in records:
        if record.requests:
            await counters.settle(f"key:{record.key_id}", record.id, amounts_of(record))


def amounts_of(record: UsageEventRecord) -> Mapping[CounterId, int]:
    """What the request counts in every window it was charged to; counters without a limit pass over it."""
    amounts: dict[CounterId, int] = {}
    for unit, start_at, epoch in ((charge.unit, charge.start_at, charge.epoch) for charge in record.charges):
        amounts[CounterId("requests", unit, start_at, epoch)] = record.requests
        amounts[CounterId("cost", unit, start_at, epoch)] = record.cost_nano
    return amounts
