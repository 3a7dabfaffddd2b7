"""Which counters a key's requests count in, and which limits they must fit. Pure; money in nano-dollars."""

from functools import lru_cache
from typing import NamedTuple

from gateway_project.shared.counters import CounterId, Limit
from gateway_project.shared.windows import window_at
from keys.records import KeyRecord

TOTAL = "total"


class ChargedWindow(NamedTuple):
    """One window that a request counts in, both as a request and with its cost. "total" has start_at 0 and epoch 0."""

    unit: str
    start_at: int
    epoch: int


def limits_for(key: KeyRecord, *, cost_nano: int, at: int) -> tuple[Limit, ...]:
    """The limits that a request at unix second `at` must fit, only those set.

    Requests come first: a client that sends too many is told so, whatever its budget.
    """
    limits = []
    if key.request_limit is not None and key.request_window_unit is not None:
        window = window_at(key.request_window_unit, at)
        counter = CounterId("requests", window.unit, window.start_at, key.counter_epoch)
        limits.append(Limit(counter, window.end_at, key.request_limit, 1))
    if key.cost_limit_nano is not None:
        limits.append(Limit(CounterId("cost", TOTAL, 0, 0), 0, key.cost_limit_nano, cost_nano))
    if key.cost_window_limit_nano is not None and key.cost_window_unit is not None:
        window = window_at(key.cost_window_unit, at)
        counter = CounterId("cost", window.unit, window.start_at, key.counter_epoch)
        limits.append(Limit(counter, window.end_at, key.cost_window_limit_nano, cost_nano))
    return tuple(limits)


def charges_for(key: KeyRecord, at: int) -> tuple[ChargedWindow, ...]:
    """The windows a request admitted at unix second `at` is booked in: always the total, then each configured one
    once, though both kinds of limit use it."""
    return _charges(key.request_window_unit, key.cost_window_unit, key.counter_epoch, at)


# Many requests of a key fall into one second.
@lru_cache(maxsize=4096)
def _charges(request_unit: str | None, cost_unit: str | None, epoch: int, at: int) -> tuple[ChargedWindow, ...]:
    # dict.fromkeys: distinct, in a fixed order.
    units = [unit for unit in dict.fromkeys((request_unit, cost_unit)) if unit is not None]
    windows = [ChargedWindow(unit, window_at(unit, at).start_at, epoch) for unit in units]
    return (ChargedWindow(TOTAL, 0, 0), *windows)
