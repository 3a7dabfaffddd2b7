"""Does the proxy's memory grow with the requests it has served?"""

from dataclasses import dataclass

from bench.gateway import running_gateway
from bench.measuring import run_load
from bench.processes import rss_mb
from bench.records import LoadSpec
from bench.suite import PLAIN, running_fake_upstream

FEW = 5_000
MANY = 50_000
MOST_GROWTH_MB = 10.0


@dataclass(frozen=True, slots=True)
class Growth:
    """Resident MB of a proxy after few and after many requests."""

    server: str
    after_few_mb: float
    after_many_mb: float

    @property
    def mb(self) -> float:
        """How much it grew in between."""
        return self.after_many_mb - self.after_few_mb

    @property
    def too_much(self) -> bool:
        """Whether that is more than allowed."""
        return self.mb > MOST_GROWTH_MB


def measure_growth(server: str) -> Growth:
    """Counters in memory: what they keep would show. Raises StartError or BenchError."""
    with running_fake_upstream() as upstream, running_gateway(server, upstream.url) as gateway:
        spec = LoadSpec(gateway.url, PLAIN.body, gateway.headers, count=FEW)
        run_load(spec)
        after_few = rss_mb(gateway.pid)
        for _ in range((MANY - FEW) // FEW):
            run_load(spec)
        return Growth(server, after_few, rss_mb(gateway.pid))
