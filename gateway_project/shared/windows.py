"""Fixed windows, aligned to the UTC clock: second, minute, hour, day, calendar month."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

WindowUnit = Literal["s", "m", "h", "d", "mo"]
RATE_UNITS: tuple[WindowUnit, ...] = ("s", "m", "h", "d")
COST_UNITS: tuple[WindowUnit, ...] = ("s", "m", "h", "d", "mo")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Window(NamedTuple):
    """One window: [start_at, end_at) in unix seconds."""

    unit: str
    start_at: int
    end_at: int


# Many requests fall into one second.
@lru_cache(maxsize=256)
def window_at(unit: str, at: int) -> Window:
    """The window of `unit` that holds the unix second `at`. Raises ValueError for an unknown unit."""
    seconds = _SECONDS.get(unit)
    if seconds is not None:
        start = at - at % seconds
        return Window(unit, start, start + seconds)
    if unit == "mo":
        return _month_at(at)
    raise ValueError(f"{unit!r} is not a window unit (s, m, h, d, mo)")


def month_start(year: int, month: int) -> int:
    """Unix second at which a calendar month begins in UTC; month 13 is January of the next year."""
    return int(datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC).timestamp())


def _month_at(at: int) -> Window:
    moment = datetime.fromtimestamp(at, UTC)
    return Window("mo", month_start(moment.year, moment.month), month_start(moment.year, moment.month + 1))
