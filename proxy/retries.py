"""When a step is tried again, and after which pause. Pure but for the random part."""

import random
from collections.abc import Callable

from routes.records import RetryStrategy, RouteStepRecord

FIRST_PAUSE_S = 0.5
PAUSE_GROWTH = 1.5
LONGEST_PAUSE_S = 60.0
# Time cures these; every other 4xx is the same the next time. All 5xx are tried again.
_CURED_BY_TIME = frozenset({408, 409, 425, 429})


def is_retried(status: int) -> bool:
    """Whether the same step is asked again after this status."""
    return status in _CURED_BY_TIME or status >= 500


def speaks_of_provider(status: int) -> bool | None:
    """What a status says about a provider's health. None: nothing; a rate limit is the account's, not its fault."""
    if status == 429:
        return None
    return status < 500 and status != 408


def pause_s(
    strategy: RetryStrategy,
    step: RouteStepRecord,
    retry: int,
    told_s: float | None,
    *,
    draw: Callable[[float, float], float] = random.uniform,
) -> float:
    """Seconds before retry number `retry` (0 is the first). told_s: the provider's retry-after, which is kept to."""
    if strategy == "exponential":
        longest = min(FIRST_PAUSE_S * PAUSE_GROWTH ** min(retry, 100), LONGEST_PAUSE_S)
        own = draw(0.0, longest)
    else:
        own = step.retry_interval_s
    return own if told_s is None else max(own, told_s)
