"""Numbers and times as people read them. Pure."""

import math
from datetime import UTC, datetime
from decimal import Decimal

from gateway_project.shared.money import NANO_PER_USD

NOTHING = "–"
_COMPACT = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
_SPANS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def usd(nano: int | None) -> str:
    """An amount with as many digits as it takes to see it: "$1,234.50", "$0.25", "$0.0042", "$0.00000012"."""
    if nano is None:
        return NOTHING
    amount = abs(nano) / NANO_PER_USD
    if not amount:
        return "$0"
    if amount >= 0.995:
        text = f"{amount:,.2f}"
    else:
        # Two digits that say something, and cents at least; there is nothing smaller than a nano-dollar.
        decimals = min(9, max(2, 1 - math.floor(math.log10(float(f"{amount:.1e}")))))
        text = f"{amount:.{decimals}f}"
    return f"-${text}" if nano < 0 else f"${text}"


def usd_exact(nano: int | None) -> str:
    """An amount with all its digits and no more: a limit is read to the last one."""
    return NOTHING if nano is None else f"${plain(Decimal(nano) / NANO_PER_USD):}"


def plain(number: Decimal) -> str:
    """A decimal without exponent and without zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def whole(number: int | None) -> str:
    """All digits, in groups of three."""
    return NOTHING if number is None else f"{number:,}"


def compact(number: float) -> str:
    """Three digits and a letter from ten thousand on: "9,999", "12.3K", "4.56M"."""
    if abs(number) < 10_000:
        return f"{number:,.0f}"
    for size, letter in _COMPACT:
        scaled = number / size
        # 999,950 would read 1000K.
        if abs(scaled) >= 0.9995:
            return f"{scaled:.{2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0}f}{letter}"
    return f"{number:,.0f}"


def percent(part: float, total: float) -> str:
    """A share such as "0.4%"; "–" of nothing."""
    if not total:
        return NOTHING
    share = 100 * part / total
    return f"{share:.0f}%" if share >= 10 or not share else f"{share:.1f}%" if share >= 0.1 else "<0.1%"


def milliseconds(ms: float | None) -> str:
    """A duration: "850 ms", "1.24 s", "2 min 5 s"."""
    if ms is None:
        return NOTHING
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 59_995:
        return f"{ms / 1000:.2f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes:,} min {seconds} s"


def span(seconds: int) -> str:
    """A length of time in its largest unit: "3 minutes", "1 day"."""
    for length, unit in _SPANS:
        if seconds >= length:
            number = seconds // length
            return f"{number:,} {unit}{'' if number == 1 else 's'}"
    return "0 seconds"


def utc(at: int | None) -> str:
    """A unix second as "2026-11-20 19:31:46", in UTC."""
    if at is None:
        return NOTHING
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(at)


def size(number: int) -> str:
    """Bytes as "12 B", "3.4 KB", "1.2 GB"."""
    amount = float(number)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("the last unit has no bound")
