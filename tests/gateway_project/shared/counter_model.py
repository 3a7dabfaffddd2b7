"""The counters as a plain model, and the books beside it: what a random run of the real ones is compared with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway_project.shared.counters import Admission, Admitted, BalanceNeeded, CounterId, Limit, Refused

Slot = tuple[str, str]
Window = tuple[int, int]


@dataclass
class ModelReservation:
    """holds: amount per slot, in the window of `windows`. lease_over: it ends when somebody looks."""

    windows: dict[Slot, Window] = field(default_factory=dict)
    holds: dict[Slot, int] = field(default_factory=dict)
    lease_over: bool = False
    ended: bool = False


@dataclass
class CounterModel:
    """One subject. `reserved` is never stored: it is what the reservations hold in the current window."""

    since: int
    loaded: bool = False
    in_doubt: bool = False
    rebuilding: bool = False
    current: dict[Slot, Window] = field(default_factory=dict)
    used: dict[Slot, int] = field(default_factory=dict)
    reservations: dict[str, ModelReservation] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    log: dict[str, dict[Slot, tuple[Window, int]]] = field(default_factory=dict)

    def reserved(self, slot: Slot) -> int:
        held = (r.holds.get(slot, 0) for r in self.reservations.values() if r.windows.get(slot) == self.current[slot])
        return sum(held)

    def reserve(self, reservation_id: str, limits: Sequence[Limit], *, lease_over: bool, extending: bool) -> Admission:
        if not self.loaded or self.in_doubt or self.rebuilding:
            return BalanceNeeded()
        self.end_leases()
        if self.in_doubt or not all(self._can_count(limit.counter) for limit in limits):
            return BalanceNeeded()
        slots = [_slot(limit.counter) for limit in limits]
        for limit, slot in zip(limits, slots, strict=True):
            if _window(limit.counter) > self.current[slot]:
                self.current[slot], self.used[slot] = _window(limit.counter), 0
        if not extending:
            self.current = {slot: window for slot, window in self.current.items() if slot in slots}
        for limit, slot in zip(limits, slots, strict=True):
            if self.used[slot] + self.reserved(slot) + limit.amount > limit.maximum:
                return Refused(limit, self.used[slot], self.reserved(slot))
        self._hold(reservation_id, limits, lease_over)
        return Admitted(tuple((self.used[slot], self.reserved(slot)) for slot in slots))

    def _can_count(self, counter: CounterId) -> bool:
        current = self.current.get(_slot(counter))
        return current is not None and (counter.start_at <= current[0] or counter.start_at >= self.since)

    def _hold(self, reservation_id: str, limits: Sequence[Limit], lease_over: bool) -> None:
        known = self.reservations.get(reservation_id)
        reservation = self.reservations.setdefault(reservation_id, ModelReservation())
        # An end in the future outlasts one that is over.
        reservation.lease_over = lease_over and (known is None or known.lease_over or known.ended)
        reservation.ended = False
        for limit in limits:
            slot = _slot(limit.counter)
            if reservation.windows.get(slot) != self.current[slot]:
                reservation.windows[slot], reservation.holds[slot] = self.current[slot], 0
            reservation.holds[slot] += limit.amount

    def end_leases(self) -> None:
        for reservation in self.reservations.values():
            if reservation.lease_over and not reservation.ended:
                reservation.ended, reservation.holds = True, dict.fromkeys(reservation.holds, 0)
                self.in_doubt = True

    def settle(self, reservation_id: str, amounts: Mapping[CounterId, int]) -> bool:
        reservation = self.reservations.pop(reservation_id, None)
        if reservation is None:
            known = reservation_id in self.settled
            self.in_doubt = self.in_doubt or (not known and (self.loaded or self.rebuilding))
            return known
        truth = {
            _slot(counter): (reservation.windows.get(_slot(counter), _window(counter)), amount)
            for counter, amount in amounts.items()
        }
        self._use(truth)
        self.settled.add(reservation_id)
        if self.rebuilding:
            self.log[reservation_id] = truth
        return True

    def _use(self, truth: Mapping[Slot, tuple[Window, int]]) -> None:
        for slot, (window, amount) in truth.items():
            if self.current.get(slot) == window:
                self.used[slot] += amount

    def renew(self, reservation_id: str) -> None:
        reservation = self.reservations.get(reservation_id)
        if reservation is not None and not reservation.ended:
            reservation.lease_over = False

    def begin_rebuild(self) -> frozenset[str]:
        self.end_leases()
        if not self.rebuilding:
            self.rebuilding, self.in_doubt, self.log = True, False, {}
        return frozenset(self.reservations) | frozenset(self.log)

    def finish_rebuild(self, used: Mapping[CounterId, int], settled: Iterable[str]) -> None:
        for reservation_id in settled:
            if self.reservations.pop(reservation_id, None) is not None:
                self.settled.add(reservation_id)
        self.current = {_slot(counter): _window(counter) for counter in used}
        self.used = {_slot(counter): amount for counter, amount in used.items()}
        for reservation_id, truth in self.log.items():
            if reservation_id not in settled:
                self._use(truth)
        self.loaded, self.rebuilding, self.log = True, False, {}


def _slot(counter: CounterId) -> Slot:
    return counter.kind, counter.unit


def _window(counter: CounterId) -> Window:
    return counter.start_at, counter.epoch
