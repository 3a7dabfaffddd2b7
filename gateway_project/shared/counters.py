"""The ledger's fast half: what is used and reserved per subject, one atomic operation to admit, one to settle.

A subject is whatever has limits ("key:<id>"). A counter is one (kind, unit) of a subject in its current
window, with an amount `used` (settled) and an amount `reserved` (by requests in flight).

- A later start_at, or the same with a later epoch, begins a window in which nothing is used or reserved. Who names an
  earlier one (clocks differ) is counted in the current one.
- Counters are complete from the opening of the rebuild that loaded them. Only a window that begins after that may
  begin empty; of an earlier one the books may know more, so its balance is needed.
- They are in doubt, and need a rebuild, when a lease has ended or an unknown reservation was settled: both mean that
  a process died or a message was lost, and the books know better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

LimitKind = Literal["requests", "cost"]


class CounterId(NamedTuple):
    """Names one counter in one window. unit "total" has start_at 0 and epoch 0 (it never ends)."""

    kind: LimitKind
    unit: str
    start_at: int
    epoch: int


class Limit(NamedTuple):
    """One limit that applies to a request. maximum and amount: requests, or nano-dollars for cost.

    end_at: unix second at which the window ends, 0 for never.
    """

    counter: CounterId
    end_at: int
    maximum: int
    amount: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """All limits passed and were taken together. usage: (used, reserved) per limit, this request included."""

    usage: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was taken. limit: the first that had no room; used and reserved: what stood in its way."""

    limit: Limit
    used: int
    reserved: int


@dataclass(frozen=True, slots=True)
class BalanceNeeded:
    """Nothing was taken: the subject, or one of the counters, is not loaded, or in doubt, or being rebuilt."""


Admission = Admitted | Refused | BalanceNeeded


@dataclass(frozen=True, slots=True)
class RebuildTicket:
    """An open rebuild. live: ids of the reservations unsettled when it was opened, also those whose lease has ended."""

    token: str
    live: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """What the books say. used: an entry for each counter to load, 0 when nothing was used; others are no longer kept.
    settled: which of the ticket's live reservations it holds already.

    Read after the ticket was given. What a reservation used must be in the books before it is settled here.
    """

    used: Mapping[CounterId, int] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()


class CountersUnavailable(Exception):
    """The counter store did not answer in time. Nobody knows whether the operation happened."""


class CounterStore(Protocol):
    """Counters shared by the proxy processes (Redis) or held by the only one (memory).

    Every operation raises CountersUnavailable when the store cannot be reached.
    """

    async def admit(self, subject: str, reservation_id: str, limits: Sequence[Limit], lease_s: int) -> Admission:
        """Reserve `amount` under every limit, or nothing. A caller that is cancelled has reserved nothing.

        limits: all of the subject; a counter that is not among them is no longer kept. lease_s: afterwards, unless
        renewed or settled, the amounts are free again and the subject is in doubt; the id stays known for a day.
        An id that is known already holds both amounts.
        """
        ...

    async def settle(self, subject: str, reservation_id: str, amounts: Mapping[CounterId, int]) -> bool:
        """Replace what is reserved by the truth, once. False: the reservation is unknown; nothing was added and
        the subject is in doubt. Settling the same id again within minutes adds nothing and is True.

        amounts: for each counter that the books charge, limited or not; those that are not loaded are passed over.
        The truth counts in the window the reservation was counted in, and not at all when that is over.
        """
        ...

    async def extend(self, subject: str, reservation_id: str, limits: Sequence[Limit]) -> Admission:
        """Reserve further `amount`s under a running reservation, all or nothing; `limits` may be some of them.

        A reservation that is unknown, or whose lease has ended, begins anew with these amounts.
        """
        ...

    async def renew(self, leases: Sequence[tuple[str, str]], lease_s: int) -> None:
        """Give the (subject, reservation id) pairs lease_s from now; those unknown or ended are skipped."""
        ...

    async def begin_rebuild(self, subject: str) -> RebuildTicket:
        """Open a rebuild, or join the one that is open; no request is admitted until any of those who joined
        has finished it."""
        ...

    async def finish_rebuild(self, subject: str, ticket: RebuildTicket, balance: Balance) -> bool:
        """Set the counters to the balance, plus what was settled since the ticket and the balance does not hold;
        live reservations stay, those in balance.settled no longer count. False: another finished first."""
        ...

    async def close(self) -> None: ...
