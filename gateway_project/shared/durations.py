"""Durations as the seed writes them: Go's grammar (`300ms`, `1h30m`) plus `d` for days."""

import re

_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)


def parse_duration_s(text: str) -> float:
    """Seconds of `2d`, `1h30m`, `500ms` or `0`. Raises ValueError for anything else, negative ones too."""
    if text == "0":
        return 0.0
    position, total = 0, 0.0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            break
        total += float(part[1]) * _UNIT_S[part[2]]
        position = part.end()
    if not text or position != len(text):
        raise ValueError(
            f"{text!r} is not a duration: write a number and a unit of ms, s, m, h or d, such as 30s or 1h30m"
        )
    return total
