"""What is asked of the load generator, and what it found."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """One round. `rate` 0 is a closed loop of `connections`; otherwise requests leave at `rate` per second.

    The round ends after `seconds`, or after `count` answers when that is not 0.
    """

    url: str
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 16
    rate: float = 0.0
    seconds: float = 2.0
    count: int = 0
    stream: bool = False


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Latencies in milliseconds: to the last byte, and to the first. `errors`: answers that were not complete 200s."""

    requests: int
    errors: int
    seconds: float
    total_ms: list[float]
    first_ms: list[float]
    chunks: int
    """Pieces that bodies arrived in, over all answers."""
    complaint: str = ""
    """The first bad answer."""

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile; 0 for no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
