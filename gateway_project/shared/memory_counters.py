"""Counters held by the only proxy process. Nothing here awaits, so each operation is atomic.

The same rules as the Redis scripts in `lua/`, and the same tests.
"""

import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway_project.shared import clock
from gateway_project.shared.counters import (
    Admission,
    Admitted,
    Balance,
    BalanceNeeded,
    CounterId,
    Limit,
    RebuildTicket,
    Refused,
)

SUBJECTS_KEPT = 200_000
SETTLED_KEPT = 4096
LOOKED_AT = 100
FORGET_MS = 86_400_000
_NEVER = 1 << 62
_BALANCE_NEEDED = BalanceNeeded()

Slot = tuple[str, str]  # kind and unit; it has one current window
Hold = tuple[Slot, int, int, int]  # slot, start_at, epoch, amount


class _Counter:
    """The current window of a slot."""

    __slots__ = ("epoch", "reserved", "start_at", "used")

    def __init__(self, start_at: int, epoch: int, used: int) -> None:
        self.start_at = start_at
        self.epoch = epoch
        self.used = used
        self.reserved = 0

    def is_at(self, start_at: int, epoch: int) -> bool:
        return self.start_at == start_at and self.epoch == epoch


class _Reservation:
    """deadline_ms: when the lease ends. ended_at_ms: when it was found to have ended, 0 while it runs."""

    __slots__ = ("deadline_ms", "ended_at_ms", "holds")

    def __init__(self, deadline_ms: int) -> None:
        self.deadline_ms = deadline_ms
        self.ended_at_ms = 0
        self.holds: list[Hold] = []


@dataclass(slots=True)
class _Rebuild:
    """settled: what was settled since it was opened, in the windows it was counted in."""

    token: str
    opened_at_ms: int
    settled: dict[str, list[Hold]] = field(default_factory=dict)


class _Subject:
    """since_ms: the counters are complete from then on; None: not loaded. next_due_ms: no lease ends before it."""

    __slots__ = ("counters", "in_doubt", "next_due_ms", "rebuild", "reservations", "since_ms")

    def __init__(self) -> None:
        self.counters: dict[Slot, _Counter] = {}
        self.reservations: dict[str, _Reservation] = {}
        self.since_ms: int | None = None
        self.next_due_ms = _NEVER
        self.in_doubt = False
        self.rebuild: _Rebuild | None = None

    def end_leases(self, now_ms: int) -> None:
        """End the leases that are over, which puts the subject in doubt, and forget those that ended long ago.

        The rebuild adds up anew what is reserved.
        """
        if now_ms < self.next_due_ms:
            return
        for reservation_id, reservation in list(self.reservations.items()):
            if reservation.ended_at_ms:
                if reservation.ended_at_ms + FORGET_MS <= now_ms:
                    del self.reservations[reservation_id]
            elif reservation.deadline_ms <= now_ms:
                reservation.holds = [(slot, start_at, epoch, 0) for slot, start_at, epoch, _ in reservation.holds]
                reservation.ended_at_ms = now_ms
                self.in_doubt = True
        self.next_due_ms = min(
            (r.ended_at_ms + FORGET_MS if r.ended_at_ms else r.deadline_ms for r in self.reservations.values()),
            default=_NEVER,
        )

    def let_go(self, holds: Iterable[Hold]) -> None:
        for slot, start_at, epoch, amount in holds:
            counter = self.counters.get(slot)
            if counter is not None and counter.is_at(start_at, epoch):
                counter.reserved -= amount

    def counters_for(self, limits: Sequence[Limit]) -> list[_Counter] | None:
        """The limits' counters, in new windows where the limits name newer ones; None when they must be loaded."""
        if self.in_doubt:
            return None
        # The usual case in one pass, since every request comes through here: all are in the windows named.
        counters, found = self.counters, []
        for limit in limits:
            kind, unit, start_at, epoch = limit[0]
            counter = counters.get((kind, unit))
            if counter is None or counter.start_at != start_at or counter.epoch != epoch:
                return [self.counter_of(each) for each in limits] if all(map(self.may_roll, limits)) else None
            found.append(counter)
        return found

    def may_roll(self, limit: Limit) -> bool:
        """Whether the counter of a limit is loaded, and a newer window of it may begin with nothing used.

        Not when that window began before the counters were complete: the books may know of spend in it.
        """
        (kind, unit, start_at, _), *_ = limit
        counter = self.counters.get((kind, unit))
        if counter is None or self.since_ms is None:
            return False
        return start_at <= counter.start_at or start_at * 1000 >= self.since_ms

    def counter_of(self, limit: Limit) -> _Counter:
        """The loaded counter of a limit, in a new window when the limit names a newer one."""
        kind, unit, start_at, epoch = limit.counter
        counter = self.counters[kind, unit]
        if start_at > counter.start_at or (start_at == counter.start_at and epoch > counter.epoch):
            counter = self.counters[kind, unit] = _Counter(start_at, epoch, 0)
        return counter

    def keep_only(self, limits: Sequence[Limit]) -> None:
        """A slot that is no longer limited is no longer kept true, so it must be loaded again when it is."""
        slots = {(limit.counter.kind, limit.counter.unit) for limit in limits}
        self.counters = {slot: counter for slot, counter in self.counters.items() if slot in slots}


class MemoryCounters:
    """A CounterStore for one process. now_ms: unix milliseconds. Keeps at most subjects_kept subjects: the ones least
    recently used, with nothing in flight, are dropped and loaded again when they are needed."""

    def __init__(self, now_ms: Callable[[], int] = clock.now_ms, *, subjects_kept: int = SUBJECTS_KEPT) -> None:
        self._now_ms = now_ms
        self._subjects_kept = subjects_kept
        self._subjects: OrderedDict[str, _Subject] = OrderedDict()
        self._settled: set[tuple[str, str]] = set()
        self._settled_order: deque[tuple[str, str]] = deque()
        self._lease_s = 60

    async def admit(self, subject: str, reservation_id: str, limits: Sequence[Limit], lease_s: int) -> Admission:
        self._lease_s = lease_s
        return self._reserve(subject, reservation_id, limits, extending=False)

    async def extend(self, subject: str, reservation_id: str, limits: Sequence[Limit]) -> Admission:
        return self._reserve(subject, reservation_id, limits, extending=True)

    def _reserve(self, subject: str, reservation_id: str, limits: Sequence[Limit], *, extending: bool) -> Admission:
        state = self._subjects.get(subject)
        if state is None or state.since_ms is None or state.in_doubt or state.rebuild is not None:
            return _BALANCE_NEEDED
        self._subjects.move_to_end(subject)
        now_ms = self._now_ms()
        if now_ms >= state.next_due_ms:
            state.end_leases(now_ms)
        counters = state.counters_for(limits)
        if counters is None:
            return _BALANCE_NEEDED
        if not extending and len(state.counters) > len(limits):
            state.keep_only(limits)
        for limit, counter in zip(limits, counters, strict=True):
            if counter.used + counter.reserved + limit.amount > limit.maximum:
                return Refused(limit, counter.used, counter.reserved)
        self._hold(state, reservation_id, limits, counters, now_ms + self._lease_s * 1000)
        return Admitted(tuple([(counter.used, counter.reserved) for counter in counters]))

    @staticmethod
    def _hold(
        state: _Subject, reservation_id: str, limits: Sequence[Limit], counters: Sequence[_Counter], deadline_ms: int
    ) -> None:
        reservation = state.reservations.get(reservation_id)
        if reservation is None:
            reservation = state.reservations[reservation_id] = _Reservation(deadline_ms)
        else:
            # Known already: the holds add up, and a lease that had ended begins again.
            ended = reservation.ended_at_ms
            reservation.deadline_ms = deadline_ms if ended else max(reservation.deadline_ms, deadline_ms)
            reservation.ended_at_ms = 0
        for ((kind, unit, _, _), _, _, amount), counter in zip(limits, counters, strict=True):
            counter.reserved += amount
            reservation.holds.append(((kind, unit), counter.start_at, counter.epoch, amount))
        state.next_due_ms = min(state.next_due_ms, deadline_ms)

    async def settle(self, subject: str, reservation_id: str, amounts: Mapping[CounterId, int]) -> bool:
        state = self._subjects.get(subject)
        reservation = state.reservations.pop(reservation_id, None) if state is not None else None
        if state is None or reservation is None:
            return self._is_settled(subject, reservation_id, state)
        state.let_go(reservation.holds)
        counted_in = {slot: (start_at, epoch) for slot, start_at, epoch, _ in reservation.holds}
        truth: list[Hold] = []
        for (kind, unit, start_at, epoch), amount in amounts.items():
            slot = (kind, unit)
            if slot not in state.counters and state.rebuild is None:
                continue
            # The window it was admitted in, which for a caller whose clock is behind is not the one it names.
            truth.append((slot, *counted_in.get(slot, (start_at, epoch)), amount))
        _add_used(state.counters, truth)
        if state.rebuild is not None:
            state.rebuild.settled[reservation_id] = truth
        self._remember_settled(subject, reservation_id)
        return True

    def _is_settled(self, subject: str, reservation_id: str, state: _Subject | None) -> bool:
        if (subject, reservation_id) in self._settled:
            return True
        if state is not None:
            state.in_doubt = True
        return False

    def _remember_settled(self, subject: str, reservation_id: str) -> None:
        settled = (subject, reservation_id)
        self._settled.add(settled)
        self._settled_order.append(settled)
        if len(self._settled_order) > SETTLED_KEPT:
            self._settled.discard(self._settled_order.popleft())

    async def renew(self, leases: Sequence[tuple[str, str]], lease_s: int) -> None:
        deadline_ms = self._now_ms() + lease_s * 1000
        for subject, reservation_id in leases:
            state = self._subjects.get(subject)
            reservation = state.reservations.get(reservation_id) if state is not None else None
            if state is not None and reservation is not None and not reservation.ended_at_ms:
                reservation.deadline_ms = deadline_ms
                state.next_due_ms = min(state.next_due_ms, deadline_ms)

    async def begin_rebuild(self, subject: str) -> RebuildTicket:
        state = self._subjects.get(subject)
        if state is None:
            if len(self._subjects) >= self._subjects_kept:
                self._drop_idle()
            state = self._subjects[subject] = _Subject()
        now_ms = self._now_ms()
        state.end_leases(now_ms)
        if state.rebuild is None:
            state.rebuild = _Rebuild(uuid.uuid4().hex, now_ms)
            # What put the counters in doubt until now is cured by this; what comes while it runs needs another one.
            state.in_doubt = False
        # A rebuild that is joined: what was settled since it was opened may be in this one's balance.
        return RebuildTicket(state.rebuild.token, (*state.reservations, *state.rebuild.settled))

    async def finish_rebuild(self, subject: str, ticket: RebuildTicket, balance: Balance) -> bool:
        state = self._subjects.get(subject)
        if state is None or state.rebuild is None or state.rebuild.token != ticket.token:
            return False
        for reservation_id in balance.settled:
            if state.reservations.pop(reservation_id, None) is not None:
                self._remember_settled(subject, reservation_id)
        state.counters = {
            (kind, unit): _Counter(start_at, epoch, used)
            for (kind, unit, start_at, epoch), used in balance.used.items()
        }
        for reservation_id, truth in state.rebuild.settled.items():
            if reservation_id not in balance.settled:
                _add_used(state.counters, truth)
        for reservation in state.reservations.values():
            _add_reserved(state.counters, reservation.holds)
        state.since_ms, state.rebuild = state.rebuild.opened_at_ms, None
        return True

    def _drop_idle(self) -> None:
        """Make room for one. A subject in use goes to the end of the row instead; with nothing but those in sight,
        the row grows."""
        for _ in range(min(LOOKED_AT, len(self._subjects))):
            name, state = self._subjects.popitem(last=False)
            if not state.reservations and state.rebuild is None:
                return
            self._subjects[name] = state

    async def close(self) -> None:
        self._subjects.clear()


def _add_used(counters: Mapping[Slot, _Counter], truth: Iterable[Hold]) -> None:
    for slot, start_at, epoch, amount in truth:
        counter = counters.get(slot)
        if counter is not None and counter.is_at(start_at, epoch):
            counter.used += amount


def _add_reserved(counters: Mapping[Slot, _Counter], holds: Iterable[Hold]) -> None:
    for slot, start_at, epoch, amount in holds:
        counter = counters.get(slot)
        if counter is not None and counter.is_at(start_at, epoch):
            counter.reserved += amount
