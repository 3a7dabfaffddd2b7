"""Random histories: memory, Redis and a plain model agree at every step, and with the books."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from gateway_project.shared.counters import (
    Admission,
    Admitted,
    Balance,
    BalanceNeeded,
    CounterId,
    CounterStore,
    Limit,
    RebuildTicket,
)
from gateway_project.shared.memory_counters import MemoryCounters
from gateway_project.shared.redis_counters import RedisCounters
from tests.gateway_project.shared.counter_model import CounterModel, Slot, Window
from tests.gateway_project.shared.counting import DAY, FUTURE, LEASE_S, PAST, SUBJECT, TOTAL

Result = TypeVar("Result")

SLOTS: tuple[Slot, ...] = (("requests", "d"), ("cost", "total"), ("cost", "d"))
# What the clocks show, one after the other; later epochs come from changed limits.
MOMENTS: tuple[Window, ...] = (
    *((PAST, 0), (PAST, 1), (PAST + DAY, 1)),
    *((FUTURE + day * DAY, epoch) for day in range(20) for epoch in (day, day + 1)),
)
limited = st.sets(st.sampled_from(SLOTS), min_size=1).map(lambda slots: tuple(sorted(slots)))
amounts = st.integers(1, 40)
seldom = st.sampled_from([False] * 5 + [True])


def counters_of(slots: tuple[Slot, ...], moment: Window) -> list[CounterId]:
    return [TOTAL if unit == "total" else CounterId(kind, unit, *moment) for kind, unit in slots]  # type: ignore[arg-type]


@dataclass
class OpenRebuild:
    tickets: list[RebuildTicket]
    live: frozenset[str]
    balance: Balance | None = None
    booked: frozenset[str] = frozenset()


@dataclass
class Running:
    """A request in flight. truth: what it used, once it is in the books."""

    windows: Mapping[Slot, Window]
    truth: dict[Slot, int] = field(default_factory=dict)


class CountersAtRandom(RuleBasedStateMachine):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.client = redis.Redis.from_url(url)
        self.client.flushdb()
        self.memory: CounterStore = MemoryCounters()
        self.redis = RedisCounters(url, read_timeout_s=5)
        self.model = CounterModel(since=int(time.time()))
        self.running: dict[str, Running] = {}
        self.books: dict[tuple[Slot, Window], int] = defaultdict(int)
        self.rebuild: OpenRebuild | None = None
        self.made = 0
        self.slots = SLOTS
        self.time = 0
        self.lease_over = False
        self.loaded_with: frozenset[str] = frozenset()

    def teardown(self) -> None:
        self.run(self.redis.close())
        self.client.close()
        self.loop.close()

    def run(self, operation: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(operation)

    def both(self, name: str, *arguments: Any) -> Any:
        """Do it in both stores and return what both answered."""
        results = [self.run(getattr(store, name)(SUBJECT, *arguments)) for store in (self.memory, self.redis)]
        assert results[0] == results[1]
        return results[0]

    @property
    def moment(self) -> Window:
        return MOMENTS[self.time]

    @rule(slots=limited)
    def change_limits(self, slots: tuple[Slot, ...]) -> None:
        self.slots = slots

    @precondition(lambda self: self.time + 1 < len(MOMENTS))
    @rule()
    def move_clock(self) -> None:
        self.time += 1

    @precondition(lambda self: self.rebuild is None)
    @rule(amount=amounts, maximum=st.integers(60, 300), lease_over=seldom, late=seldom)
    def admit(self, amount: int, maximum: int, lease_over: bool, late: bool) -> None:
        self.made += 1
        moment = MOMENTS[max(self.time - 2, 0)] if late else self.moment
        limits = [Limit(counter, 0, maximum, amount) for counter in counters_of(self.slots, moment)]
        self.lease_over = lease_over
        if isinstance(self._reserve("admit", f"r{self.made}", limits), BalanceNeeded):
            self.rebuild_at_once()
            self._reserve("admit", f"r{self.made}", limits)

    @precondition(lambda self: self.rebuild is not None)
    @rule()
    def admit_during_a_rebuild(self) -> None:
        limits = [Limit(counter, 0, 1000, 1) for counter in counters_of(self.slots, self.moment)]
        assert isinstance(self._reserve("admit", "early", limits), BalanceNeeded)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), amount=amounts, some=limited)
    def extend(self, data: st.DataObject, amount: int, some: tuple[Slot, ...]) -> None:
        reservation_id = data.draw(st.sampled_from(sorted(self.running)))
        if not self.running[reservation_id].truth:
            limits = [Limit(counter, 0, 200, amount) for counter in counters_of(some, self.moment)]
            self._reserve("extend", reservation_id, limits)

    def _reserve(self, operation: str, reservation_id: str, limits: list[Limit]) -> Admission:
        lease = [0 if self.lease_over else LEASE_S] if operation == "admit" else []
        answered: Admission = self.both(operation, reservation_id, limits, *lease)
        expected = self.model.reserve(
            reservation_id, limits, lease_over=self.lease_over, extending=operation == "extend"
        )
        assert answered == expected
        if isinstance(answered, Admitted):
            self.running[reservation_id] = Running(self.model.reservations[reservation_id].windows)
            self._agrees_with_books()
        return answered

    def _agrees_with_books(self) -> None:
        """Of what is in the books, the counters lack only what is neither in the balance they were loaded with nor
        settled yet. Of that, what they know nothing of will put them in doubt when it is."""
        for slot, window in self.model.current.items():
            unsettled = sum(
                request.truth.get(slot, 0)
                for reservation_id, request in self.running.items()
                if reservation_id not in self.loaded_with and request.windows.get(slot) == window
            )
            assert self.model.used[slot] == self.books[slot, window] - unsettled

    @precondition(lambda self: self.running)
    @rule(data=st.data(), amount=amounts)
    def book(self, data: st.DataObject, amount: int) -> None:
        """A request ends: it is in the books from now on."""
        self._book(data.draw(st.sampled_from(sorted(self.running))), amount)

    def _book(self, reservation_id: str, amount: int) -> None:
        request = self.running[reservation_id]
        if not request.truth:
            request.truth = dict.fromkeys(request.windows, amount)
            for slot, window in request.windows.items():
                self.books[slot, window] += amount

    @precondition(lambda self: self.running)
    @rule(data=st.data(), again=seldom)
    def settle(self, data: st.DataObject, again: bool) -> None:
        reservation_id = data.draw(st.sampled_from(sorted(self.running)))
        self._book(reservation_id, 7)
        request = self.running.pop(reservation_id)
        truth = {CounterId(*slot, *request.windows[slot]): amount for slot, amount in request.truth.items()}  # type: ignore[arg-type]
        if again:
            # A caller whose clock is behind names another window than it was counted in.
            truth = {c if c == TOTAL else c._replace(start_at=c.start_at - DAY): a for c, a in truth.items()}
        for _ in range(1 + again):
            assert self.both("settle", reservation_id, truth) == self.model.settle(reservation_id, truth)

    @rule(happens=seldom)
    def settle_something_unknown(self, happens: bool) -> None:
        if happens:
            assert self.both("settle", "unknown", {TOTAL: 5}) == self.model.settle("unknown", {TOTAL: 5})

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        reservation_id = data.draw(st.sampled_from(sorted(self.running)))
        for store in (self.memory, self.redis):
            self.run(store.renew([(SUBJECT, reservation_id)], LEASE_S))
        self.model.renew(reservation_id)

    @rule()
    def begin_rebuild(self) -> None:
        self._begin_rebuild()

    def _begin_rebuild(self) -> None:
        tickets = [self.run(store.begin_rebuild(SUBJECT)) for store in (self.memory, self.redis)]
        live = self.model.begin_rebuild()
        assert [frozenset(ticket.live) for ticket in tickets] == [live, live]
        self.rebuild = OpenRebuild(tickets, live)

    @precondition(lambda self: self.rebuild is not None)
    @rule()
    def read_balance(self) -> None:
        assert self.rebuild is not None
        used = {counter: self.books[counter[:2], counter[2:]] for counter in counters_of(self.slots, self.moment)}
        booked = {name for name, request in self.running.items() if request.truth} | self.model.settled
        self.rebuild.booked = frozenset(booked)
        self.rebuild.balance = Balance(used, frozenset(booked & self.rebuild.live))

    @precondition(lambda self: self.rebuild is not None and self.rebuild.balance is not None)
    @rule()
    def finish_rebuild(self) -> None:
        assert self.rebuild is not None
        assert self.rebuild.balance is not None
        for store, ticket in zip((self.memory, self.redis), self.rebuild.tickets, strict=True):
            assert self.run(store.finish_rebuild(SUBJECT, ticket, self.rebuild.balance))
            assert not self.run(store.finish_rebuild(SUBJECT, ticket, self.rebuild.balance))
        self.model.finish_rebuild(self.rebuild.balance.used, self.rebuild.balance.settled)
        self.loaded_with = self.rebuild.booked
        self.rebuild = None

    def rebuild_at_once(self) -> None:
        self._begin_rebuild()
        self.read_balance()
        self.finish_rebuild()

    @precondition(lambda self: self.made > 5)
    @rule(happens=seldom)
    def lose_everything(self, happens: bool) -> None:
        """Redis starts again empty; in memory, the process does."""
        if not happens:
            return
        self.client.flushdb()
        self.memory = MemoryCounters()
        self.model = CounterModel(since=int(time.time()))
        self.rebuild = None


def test_memory_redis_and_the_books_agree(redis_url: str) -> None:
    run_state_machine_as_test(
        lambda: CountersAtRandom(redis_url),  # type: ignore[arg-type]  # any factory will do
        settings=settings(
            max_examples=100,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
