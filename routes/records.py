"""What the request path needs to know of routes. Immutable, no Django."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

RouteOperation = Literal["chat", "text_completion", "embeddings", "responses"]
RetryStrategy = Literal["constant", "exponential"]


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """How a route caches. ttl_s: seconds an answer is kept. single_flight: identical misses wait for the first.

    epoch: counts the purges. It is part of every cache key, so that no answer from before a purge is found again.
    """

    ttl_s: int
    single_flight: bool = False
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class RouteStepRecord:
    """One step: a provider and a model, tried `retries` + 1 times.

    params: what the provider's URL needs (`deploymentId`, `apiVersion`). request_params: members that replace the
    body's. timeout_s: of one attempt. retry_interval_s: between attempts of a constant strategy.
    """

    provider: str
    model: str
    params: Mapping[str, str] = field(default_factory=dict)
    request_params: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 0
    retry_interval_s: float = 1.0
    timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """A route. path: with a leading slash, matched exactly. key_ids: who may call it.

    deadline_s: for all attempts and waits together. cache: None when it does not cache.
    """

    id: str
    name: str
    path: str
    operation: RouteOperation
    steps: tuple[RouteStepRecord, ...]
    key_ids: frozenset[str] = frozenset()
    retry_strategy: RetryStrategy = "constant"
    deadline_s: float = 600.0
    cache: CacheRecord | None = None
