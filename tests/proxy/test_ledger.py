"""Tests of reserving and settling, also when counters or books do not answer."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gateway_project.shared.counters import (
    Admission,
    Balance,
    BalanceNeeded,
    CounterId,
    CountersUnavailable,
    Limit,
)
from gateway_project.shared.memory_counters import MemoryCounters
from gateway_project.shared.problems import Unavailable
from proxy.doors import DoorClosed
from proxy.flow import Reservation
from proxy.ledger import Ledger, LimitReached
from tests.proxy_gateway import PlainDoors, key

AT = 1_800_000_000
TOTAL = CounterId("cost", "total", 0, 0)


class Flaky(MemoryCounters):
    """Counters that can be away; `lost` says whether what was asked of them happens all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.lost = False
        self.renewed: list[Sequence[tuple[str, str]]] = []
        self.settles = 0

    async def admit(self, subject: str, reservation_id: str, limits: Sequence[Limit], lease_s: int) -> Admission:
        if self.away:
            raise CountersUnavailable
        return await super().admit(subject, reservation_id, limits, lease_s)

    async def settle(self, subject: str, reservation_id: str, amounts: Mapping[CounterId, int]) -> bool:
        self.settles += 1
        if self.away and not self.lost:
            raise CountersUnavailable
        settled = await super().settle(subject, reservation_id, amounts)
        if self.away:
            raise CountersUnavailable
        return settled

    async def extend(self, subject: str, reservation_id: str, limits: Sequence[Limit]) -> Admission:
        if self.away:
            raise CountersUnavailable
        return await super().extend(subject, reservation_id, limits)

    async def renew(self, leases: Sequence[tuple[str, str]], lease_s: int) -> None:
        self.renewed.append(leases)


class Books(PlainDoors):
    """Doors that say how often they were asked, and can be shut."""

    asked = 0
    shut = False

    async def load_balance(self, key_id: str, counters: Sequence[CounterId], live: Sequence[str]) -> Balance:
        self.asked += 1
        await asyncio.sleep(0)
        if self.shut:
            raise DoorClosed("no database")
        return await super().load_balance(key_id, counters, live)


class Kept:
    def __init__(self) -> None:
        self.counters = Flaky()
        self.books = Books()
        self.ledger = Ledger(self.counters, self.books, lease_s=90)
        self.key = key(cost_limit_nano=1000, request_limit=5, request_window_unit="d")

    async def reserve(self, request_id: str = "r1", cost_nano: int | None = 100) -> Reservation:
        return await self.ledger.reserve(self.key, request_id, cost_nano=cost_nano, at=AT)

    def used(self) -> tuple[int, int]:
        """(used, reserved) nano-dollars."""
        counter = self.counters._subjects[f"key:{self.key.id}"].counters["cost", "total"]
        return counter.used, counter.reserved


@pytest.fixture
def kept() -> Kept:
    return Kept()


async def test_an_estimate_is_replaced_by_the_truth(kept: Kept) -> None:
    reservation = await kept.reserve()
    assert kept.used() == (0, 100)
    assert reservation.usage[1] == (0, 100)
    assert kept.ledger.running == 1
    await kept.ledger.settle(reservation, cost_nano=30)
    assert kept.used() == (30, 0)
    assert kept.ledger.running == 0


async def test_a_key_without_limits_costs_the_counters_nothing(kept: Kept) -> None:
    kept.key = key()
    reservation = await kept.reserve()
    assert (reservation.limits, [charge.unit for charge in reservation.charges]) == ((), ["total"])
    await kept.ledger.settle(reservation, cost_nano=30)
    assert (kept.counters.settles, kept.books.asked, kept.ledger.running) == (0, 0, 0)


async def test_it_charges_the_total_and_each_window_once(kept: Kept) -> None:
    kept.key = key(request_limit=5, request_window_unit="h", cost_window_limit_nano=10**6, cost_window_unit="h",
                   counter_epoch=3)  # fmt: skip
    charges = (await kept.reserve()).charges
    assert [(charge.unit, charge.epoch) for charge in charges] == [("total", 0), ("h", 3)]


async def test_the_books_are_read_once_for_all_who_wait(kept: Kept) -> None:
    kept.books.balance = Balance({TOTAL: 700})
    kept.key = key(cost_limit_nano=1000)
    results = await asyncio.gather(*(kept.reserve(f"r{i}") for i in range(20)), return_exceptions=True)
    assert kept.books.asked == 1
    assert sum(isinstance(result, Reservation) for result in results) == 3
    refused = [result for result in results if isinstance(result, LimitReached)]
    assert len(refused) == 17
    assert (refused[0].refused.used, refused[0].refused.reserved) == (700, 300)


@pytest.mark.parametrize("spent", [999, 1000, 5000])
async def test_what_costs_nothing_needs_no_room_for_cost(kept: Kept, spent: int) -> None:
    kept.books.balance = Balance({TOTAL: spent})
    reservation = await kept.reserve(cost_nano=None)
    assert kept.used() == (spent, 0)
    await kept.ledger.settle(reservation, cost_nano=0)
    assert kept.used() == (spent, 0)
    with pytest.raises(LimitReached):  # the limit itself is as it was
        await kept.reserve("r2", cost_nano=2)


async def test_what_costs_nothing_is_a_request_all_the_same(kept: Kept) -> None:
    for number in range(5):
        await kept.reserve(f"r{number}", cost_nano=None)
    with pytest.raises(LimitReached) as caught:
        await kept.reserve("r5", cost_nano=None)
    assert caught.value.refused.limit.counter.kind == "requests"


async def test_what_does_not_fit_is_refused(kept: Kept) -> None:
    with pytest.raises(LimitReached) as caught:
        await kept.reserve(cost_nano=1001)
    assert caught.value.refused.limit.counter == TOTAL
    assert (kept.used(), kept.ledger.running) == ((0, 0), 0)


async def test_counters_that_are_away_are_a_503(kept: Kept) -> None:
    kept.counters.away = True
    with pytest.raises(Unavailable) as caught:
        await kept.reserve()
    assert (caught.value.code, caught.value.retry_after_s) == ("counters_unavailable", 1)
    assert kept.ledger.running == 0


async def test_books_that_are_shut_are_a_503_and_read_again_next_time(kept: Kept) -> None:
    kept.books.shut = True
    with pytest.raises(Unavailable) as caught:
        await kept.reserve()
    assert caught.value.code == "balance_unavailable"
    kept.books.shut = False
    assert await kept.reserve("r2")


async def test_counters_that_never_load_are_given_up(kept: Kept) -> None:
    class Forgetful(Flaky):
        async def admit(self, *_: Any) -> Admission:
            return BalanceNeeded()

    kept.counters = Forgetful()
    kept.ledger = Ledger(kept.counters, kept.books, lease_s=90)
    with pytest.raises(Unavailable) as caught:
        await kept.reserve()
    assert caught.value.code == "balance_rebuilding"
    assert kept.books.asked < 10


@pytest.mark.parametrize("lost", [False, True])
async def test_a_settle_that_fails_is_repeated_and_counts_once(kept: Kept, lost: bool) -> None:
    """Also when only its answer was lost."""
    reservation = await kept.reserve()
    kept.counters.away, kept.counters.lost = True, lost
    await kept.ledger.settle(reservation, cost_nano=30)
    assert kept.ledger.unsettled == 1
    with pytest.raises(CountersUnavailable):
        await kept.ledger.retry_settles()
    assert kept.ledger.unsettled == 1
    kept.counters.away = False
    await kept.ledger.retry_settles()
    assert (kept.ledger.unsettled, kept.used()) == (0, (30, 0))


async def test_a_running_request_may_reserve_more(kept: Kept) -> None:
    reservation = await kept.reserve()
    assert await kept.ledger.extend(reservation, 900)
    assert kept.used() == (0, 1000)
    assert not await kept.ledger.extend(reservation, 1)
    await kept.ledger.settle(reservation, cost_nano=500)
    assert kept.used() == (500, 0)


async def test_who_may_not_reserve_more_is_told_which_limit_it_was(kept: Kept) -> None:
    reservation = await kept.reserve()
    await kept.ledger.admit_more(reservation, 900)
    with pytest.raises(LimitReached) as caught:
        await kept.ledger.admit_more(reservation, 1)
    assert caught.value.refused.limit.counter == TOTAL
    kept.counters.away = True
    with pytest.raises(Unavailable) as away:
        await kept.ledger.admit_more(reservation, 1)
    assert away.value.code == "counters_unavailable"


async def test_nobody_knows_whether_there_is_more_while_counters_are_away(kept: Kept) -> None:
    reservation = await kept.reserve()
    kept.counters.away = True
    assert not await kept.ledger.extend(reservation, 1)


async def test_without_a_cost_limit_there_is_always_more(kept: Kept) -> None:
    kept.key = key(request_limit=1, request_window_unit="d")
    assert await kept.ledger.extend(await kept.reserve(), 10**12)


async def test_it_keeps_leases_and_repeats_by_itself(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.ledger._RETRY_EVERY_S", 0.01)
    ledger = Ledger(kept.counters, kept.books, lease_s=0)
    running = await ledger.reserve(kept.key, "r1", cost_nano=1, at=AT)
    settled = await ledger.reserve(kept.key, "r2", cost_nano=1, at=AT)
    kept.counters.away = True
    await ledger.settle(settled, cost_nano=1)
    keeping = asyncio.ensure_future(ledger.keep())
    await asyncio.sleep(0.05)
    assert ledger.unsettled == 1
    kept.counters.away = False
    for _ in range(100):
        if not ledger.unsettled and kept.counters.renewed:
            break
        await asyncio.sleep(0.01)
    assert ledger.unsettled == 0
    assert kept.counters.renewed[-1] == [(running.subject, "r1")]
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_running_request_gets_more_though_another_process_has_died(kept: Kept) -> None:
    reservation = await kept.ledger.reserve(key(cost_limit_nano=100), "r1", cost_nano=60, at=AT)
    await kept.counters.settle(reservation.subject, "of a dead process", {TOTAL: 10})
    kept.books.balance = Balance({TOTAL: 10})
    assert await kept.ledger.extend(reservation, 30)
    assert not await kept.ledger.extend(reservation, 1)


async def test_leases_are_kept_whatever_happens_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(MemoryCounters):
        renewed = 0

        async def renew(self, leases, lease_s):  # type: ignore[no-untyped-def]
            self.renewed += 1
            raise ValueError("nobody expected this")

    monkeypatch.setattr("proxy.ledger._RETRY_EVERY_S", 0.01)
    store = Failing()
    books = Ledger(store, PlainDoors(), lease_s=0)
    await books.reserve(key(cost_limit_nano=100), "r1", cost_nano=1, at=AT)
    task = asyncio.ensure_future(books.keep())
    async with asyncio.timeout(5):
        while store.renewed < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
