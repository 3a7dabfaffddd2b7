"""Builders for the tests of the counters."""

from collections.abc import Mapping

from gateway_project.shared.counters import Admission, Admitted, Balance, CounterId, CounterStore, Limit

SUBJECT = "key:one"
# Counters are loaded "now", so what begins in the one is from before that, and what begins in the other is not.
PAST = 1_000_000_000 - 1_000_000_000 % 86_400
FUTURE = 4_000_000_000 - 4_000_000_000 % 86_400
DAY = 86_400

TOTAL = CounterId("cost", "total", 0, 0)
LEASE_S = 60


def cost(unit: str = "d", start_at: int = FUTURE, epoch: int = 0) -> CounterId:
    return CounterId("cost", unit, start_at, epoch)


def requests(unit: str = "m", start_at: int = FUTURE, epoch: int = 0) -> CounterId:
    return CounterId("requests", unit, start_at, epoch)


def limit(counter: CounterId = TOTAL, *, maximum: int = 100, amount: int = 10) -> Limit:
    return Limit(counter, 0, maximum, amount)


async def load(store: CounterStore, used: Mapping[CounterId, int], subject: str = SUBJECT) -> None:
    ticket = await store.begin_rebuild(subject)
    assert await store.finish_rebuild(subject, ticket, Balance(used))


async def admit(store: CounterStore, reservation_id: str, *limits: Limit, lease_s: int = LEASE_S) -> Admission:
    return await store.admit(SUBJECT, reservation_id, limits or (limit(),), lease_s)


async def usage(store: CounterStore, *counters: CounterId) -> tuple[tuple[int, int], ...]:
    """(used, reserved) per counter, which must be all of the subject's, found by a reservation of nothing."""
    limits = [limit(counter, maximum=2**62, amount=0) for counter in counters or (TOTAL,)]
    admission = await store.admit(SUBJECT, "probe", limits, LEASE_S)
    assert isinstance(admission, Admitted), admission
    assert await store.settle(SUBJECT, "probe", {})
    return admission.usage
