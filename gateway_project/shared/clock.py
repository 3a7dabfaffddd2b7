"""The only reader of the wall clock; durations are measured with time.perf_counter instead."""

import time


def now() -> int:
    """Unix seconds, UTC."""
    return int(time.time())


def now_ms() -> int:
    """Unix milliseconds, UTC."""
    return time.time_ns() // 1_000_000


def perf() -> float:
    """Seconds of a clock that never jumps, for measuring."""
    return time.perf_counter()
