"""Reserve before, settle after: the counters with everything that keeps them true when something dies."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from functools import lru_cache

import structlog

from gateway_project.shared.counters import (
    Admission,
    Admitted,
    BalanceNeeded,
    CounterId,
    CounterStore,
    CountersUnavailable,
    Limit,
    Refused,
)
from gateway_project.shared.ids import new_event_id
from gateway_project.shared.problems import Unavailable
from keys.limits import ChargedWindow, charges_for, limits_for
from keys.records import KeyRecord
from proxy.doors import DoorClosed, Doors
from proxy.flow import Reservation
from reporting.records import Charge

logger = structlog.get_logger("proxy.ledger")
_REBUILDS_TRIED = 5
_RETRY_EVERY_S = 0.5
_DOUBT_EVERY_S = 10.0
_DOUBTED_KEPT = 100_000
_NO_MAXIMUM = 1 << 62


class LimitReached(Exception):
    """A limit had no room. Carries the counters' own answer; what it means to the client is decided elsewhere."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.limit.counter.kind)
        self.refused = refused


@lru_cache(maxsize=4096)
def _charges(windows: tuple[ChargedWindow, ...]) -> tuple[Charge, ...]:
    return tuple(Charge(unit, start_at, epoch) for unit, start_at, epoch in windows)


@lru_cache(maxsize=4096)
def _counters(charges: tuple[Charge, ...]) -> tuple[tuple[CounterId, ...], tuple[CounterId, ...]]:
    """(requests, cost): every counter that may hold these charges, now or once a limit is added."""
    windows = [(charge.unit, charge.start_at, charge.epoch) for charge in charges]
    return tuple(CounterId("requests", *w) for w in windows), tuple(CounterId("cost", *w) for w in windows)


def _amounts(charges: tuple[Charge, ...], cost_nano: int) -> dict[CounterId, int]:
    requests, costs = _counters(charges)
    return {**dict.fromkeys(requests, 1), **dict.fromkeys(costs, cost_nano)}


def _unavailable(what: str, trouble: str, code: str) -> Unavailable:
    return Unavailable(f"The {what} of this key {trouble}. Try again shortly.", code=code, retry_after_s=1)


def _unbounded(limit: Limit) -> Limit:
    """Counted like the limit, and always passed: counters are kept only while every admission names them."""
    return limit._replace(maximum=_NO_MAXIMUM)


class Ledger:
    """Admits and settles the requests of keys. Unsettled leases are renewed; failed settles are tried again."""

    def __init__(self, store: CounterStore, doors: Doors, *, lease_s: int) -> None:
        self._store = store
        self._doors = doors
        self._lease_s = lease_s
        self._running: dict[str, str] = {}
        self._unsettled: deque[tuple[str, str, Mapping[CounterId, int]]] = deque()
        self._rebuilding: dict[str, asyncio.Lock] = {}
        self._doubted: dict[str, float] = {}

    async def reserve(self, key: KeyRecord, request_id: str, *, cost_nano: int | None, at: int) -> Reservation:
        """Take a request and its estimated cost under all limits. Raises LimitReached or Unavailable.

        cost_nano None: it costs nothing, and passes however much of a limit on cost is spent.
        """
        charges = _charges(charges_for(key, at))
        limits = limits_for(key, cost_nano=cost_nano or 0, at=at)
        if cost_nano is None:
            limits = tuple(_unbounded(limit) if limit.counter.kind == "cost" else limit for limit in limits)
        subject = f"key:{key.id}"
        if not limits:
            return Reservation(request_id, subject, (), charges)
        try:
            admission = await self._store.admit(subject, request_id, limits, self._lease_s)
            if not isinstance(admission, Admitted):
                admission = await self._admit_again(key.id, subject, request_id, limits, admission)
        except CountersUnavailable as error:
            raise _unavailable("limits", "cannot be checked at the moment", "counters_unavailable") from error
        except DoorClosed as error:
            raise _unavailable("balance", "cannot be read at the moment", "balance_unavailable") from error
        self._running[request_id] = subject
        return Reservation(request_id, subject, limits, charges, admission.usage)

    async def _admit_again(
        self, key_id: str, subject: str, request_id: str, limits: tuple[Limit, ...], admission: Admission
    ) -> Admitted:
        """Load the balance and try again, as often as others' deaths make it necessary. Raises LimitReached."""
        for _ in range(_REBUILDS_TRIED):
            if isinstance(admission, Refused):
                raise LimitReached(admission)
            await self._rebuild(key_id, subject, limits)
            admission = await self._store.admit(subject, request_id, limits, self._lease_s)
            if isinstance(admission, Admitted):
                return admission
        if isinstance(admission, Refused):
            raise LimitReached(admission)
        raise _unavailable("balance", "is being rebuilt", "balance_rebuilding")

    async def _rebuild(self, key_id: str, subject: str, limits: tuple[Limit, ...]) -> None:
        """Load the books into the counters; callers of the same key wait for one rebuild."""
        lock = self._rebuilding.get(subject)
        if lock is not None:
            async with lock:
                return
        lock = self._rebuilding[subject] = asyncio.Lock()
        try:
            async with lock:
                ticket = await self._store.begin_rebuild(subject)
                counters = [limit.counter for limit in limits]
                balance = await self._doors.load_balance(key_id, counters, ticket.live)
                await self._store.finish_rebuild(subject, ticket, balance)
        finally:
            del self._rebuilding[subject]

    async def extend(self, reservation: Reservation, cost_nano: int) -> bool:
        """Reserve more for a running request. False: there is no room, or nobody can tell."""
        try:
            await self.admit_more(reservation, cost_nano)
        except (LimitReached, Unavailable):
            return False
        return True

    async def admit_more(self, reservation: Reservation, cost_nano: int) -> None:
        """Reserve more for a running request. Raises LimitReached or Unavailable."""
        limits = tuple(limit._replace(amount=cost_nano) for limit in reservation.limits if limit.counter.kind == "cost")
        if not limits:
            return
        subject = reservation.subject
        try:
            admission = await self._store.extend(subject, reservation.id, limits)
            if isinstance(admission, BalanceNeeded):
                await self._rebuild(subject.removeprefix("key:"), subject, reservation.limits)
                admission = await self._store.extend(subject, reservation.id, limits)
        except CountersUnavailable as error:
            raise _unavailable("limits", "cannot be checked at the moment", "counters_unavailable") from error
        except DoorClosed as error:
            raise _unavailable("balance", "cannot be read at the moment", "balance_unavailable") from error
        if isinstance(admission, Refused):
            raise LimitReached(admission)
        if isinstance(admission, BalanceNeeded):
            raise _unavailable("balance", "is being rebuilt", "balance_rebuilding")

    async def settle(self, reservation: Reservation, *, cost_nano: int) -> None:
        """Replace the estimate by the truth. When the counters are down it is tried again until they answer."""
        if not reservation.limits:
            self._doubt_unlimited(reservation)
            return
        amounts = _amounts(reservation.charges, cost_nano)
        try:
            await self._store.settle(reservation.subject, reservation.id, amounts)
        except (CountersUnavailable, asyncio.CancelledError) as error:
            # Settling the same id twice adds nothing, so repeating what may have happened is safe.
            self._unsettled.append((reservation.subject, reservation.id, amounts))
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._running.pop(reservation.id, None)

    def _doubt_unlimited(self, reservation: Reservation) -> None:
        """Tell the counters now and then that a key without limits spends: what they may know of it from the time
        it had some is not true any more. An id they do not know puts the key in doubt, and nothing else."""
        now = time.monotonic()
        if now - self._doubted.get(reservation.subject, -_DOUBT_EVERY_S) < _DOUBT_EVERY_S:
            return
        if len(self._doubted) >= _DOUBTED_KEPT:
            self._doubted.clear()
        self._doubted[reservation.subject] = now
        self._unsettled.append((reservation.subject, reservation.id, {}))

    def doubt(self, reservation: Reservation) -> None:
        """Let the counters of a subject be loaded from the books again, which know more of it now."""
        self._unsettled.append((reservation.subject, new_event_id(), {}))

    @property
    def unsettled(self) -> int:
        """Settles the counters have not taken yet."""
        return len(self._unsettled)

    @property
    def running(self) -> int:
        """Reservations of requests in flight."""
        return len(self._running)

    async def keep(self) -> None:
        """Renew leases and repeat failed settles, until cancelled."""
        ticks_per_renewal = max(int(self._lease_s / 3 / _RETRY_EVERY_S), 1)
        tick = 0
        while True:
            await asyncio.sleep(_RETRY_EVERY_S)
            tick += 1
            try:
                await self.retry_settles()
                if tick % ticks_per_renewal == 0 and self._running:
                    await self._store.renew([(s, i) for i, s in self._running.items()], self._lease_s)
            except CountersUnavailable:
                continue  # counted by the store; the next tick tries again
            except Exception:
                # Without renewals every running request would lose its reservation: go on whatever happened.
                logger.exception("leases_not_kept", running=len(self._running), unsettled=len(self._unsettled))

    async def retry_settles(self) -> None:
        """Repeat failed settles once. Raises CountersUnavailable when they fail again."""
        while self._unsettled:
            subject, reservation_id, amounts = self._unsettled[0]
            await self._store.settle(subject, reservation_id, amounts)
            self._unsettled.popleft()
