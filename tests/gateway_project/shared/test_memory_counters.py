"""What only counters in memory must do; the rules they share with the others are in test_counters.py."""

import time

from gateway_project.shared.counters import Admitted, BalanceNeeded
from gateway_project.shared.memory_counters import FORGET_MS, SETTLED_KEPT, MemoryCounters
from tests.gateway_project.shared.counting import LEASE_S, SUBJECT, TOTAL, admit, cost, limit, load, requests, usage


class Clock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


async def test_it_ends_a_lease_in_its_time() -> None:
    clock = Clock()
    store = MemoryCounters(clock)
    await load(store, {TOTAL: 0})
    await admit(store, "a")
    clock.ms += LEASE_S * 1000 - 1
    assert isinstance(await admit(store, "b"), Admitted)
    clock.ms += 1
    assert await admit(store, "c") == BalanceNeeded()


async def test_it_forgets_a_reservation_a_day_after_its_lease_ended() -> None:
    clock = Clock()
    store = MemoryCounters(clock)
    await load(store, {TOTAL: 0})
    await admit(store, "a", lease_s=0)
    await load(store, {TOTAL: 0})
    assert (await store.begin_rebuild(SUBJECT)).live == ("a",)
    clock.ms += FORGET_MS
    assert (await store.begin_rebuild(SUBJECT)).live == ()


async def test_it_begins_windows_by_the_clock_of_the_rebuild() -> None:
    clock = Clock()
    store = MemoryCounters(clock)
    second = clock.ms // 1000
    await load(store, {requests(start_at=second - 1): 5})
    assert isinstance(await admit(store, "a", limit(requests(start_at=second))), Admitted)
    clock.ms += 1
    await load(store, {requests(start_at=second - 1): 5})
    assert await admit(store, "b", limit(requests(start_at=second))) == BalanceNeeded()


async def test_it_drops_the_subject_that_was_idle_longest() -> None:
    store = MemoryCounters(subjects_kept=3)
    for name in ("first", "second", "third"):
        await load(store, {TOTAL: 0}, subject=name)
    await store.admit("first", "a", [limit()], LEASE_S)
    await store.settle("first", "a", {TOTAL: 1})
    await load(store, {TOTAL: 0}, subject="fourth")
    found = [type(await store.admit(name, "b", [limit()], LEASE_S)) for name in ("first", "second", "third")]
    assert found == [Admitted, BalanceNeeded, Admitted]


async def test_it_never_drops_a_subject_with_something_in_flight() -> None:
    store = MemoryCounters(subjects_kept=2)
    await load(store, {TOTAL: 0}, subject="busy")
    await store.admit("busy", "a", [limit()], LEASE_S)
    for number in range(10):
        await load(store, {TOTAL: 0}, subject=f"idle {number}")
    assert await store.settle("busy", "a", {TOTAL: 1})


async def test_it_remembers_a_bounded_number_of_settled_ids() -> None:
    store = MemoryCounters()
    await load(store, {TOTAL: 0})
    for number in range(SETTLED_KEPT + 10):
        await admit(store, str(number))
        await store.settle(SUBJECT, str(number), {})
    assert await store.settle(SUBJECT, str(SETTLED_KEPT), {})
    assert not await store.settle(SUBJECT, "0", {})


async def test_it_is_cheap() -> None:
    """Far above what it takes on any machine, so that only a change of kind is found."""
    store = MemoryCounters()
    await load(store, {requests(): 0, TOTAL: 0, cost(): 0})
    limits = [limit(counter, maximum=10**9) for counter in (requests(), TOTAL, cost())]
    began = time.process_time()
    for number in range(2000):
        await store.admit(SUBJECT, str(number), limits, LEASE_S)
        await store.settle(SUBJECT, str(number), {TOTAL: 1})
    assert time.process_time() - began < 2000 * 100e-6
    assert await usage(store, requests(), TOTAL, cost()) == ((0, 0), (2000, 0), (0, 0))
