"""Rounds of load on several targets in turn, and what they come to."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

from bench.processes import ROOT, cpu_s, rss_mb
from bench.records import LoadResult, LoadSpec, percentile

_ROUND_LIMIT_S = 120.0


class BenchError(Exception):
    """A target did not answer as it must; figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers chat completions. `pid` 0: its CPU is not of interest.

    `routes`: where workloads with an address of their own go, by name.
    """

    name: str
    url: str
    headers: dict[str, str]
    pid: int
    routes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of request, and how hard it is asked. `rate` is for latency, per second."""

    name: str
    body: str
    stream: bool
    rate: float

    def spec(self, target: Target, *, seconds: float) -> LoadSpec:
        """A closed loop of this workload on a target."""
        return LoadSpec(
            target.routes.get(self.name, target.url), self.body, target.headers, seconds=seconds, stream=self.stream
        )


@dataclass(slots=True)
class Figures:
    """What one target did with one workload, a value per round."""

    per_second: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    chunks: list[float] = field(default_factory=list)


Book = dict[tuple[str, str], Figures]
"""Figures by target and workload."""


def run_load(spec: LoadSpec) -> LoadResult:
    """One round in a process of its own. Raises BenchError when an answer was wrong."""
    command = [sys.executable, "-m", "bench.load", json.dumps(asdict(spec))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_ROUND_LIMIT_S, check=False)
    if done.returncode:
        raise BenchError(f"the load on {spec.url} failed: {done.stderr[-2000:]}")
    result = LoadResult(**json.loads(done.stdout))
    if result.errors or not result.requests:
        raise BenchError(f"{result.errors} of {result.requests} answers of {spec.url} were wrong: {result.complaint}")
    return result


def measure_cpu(book: Book, targets: Sequence[Target], workload: Workload, *, seconds: float) -> None:
    """One closed-loop round on each target: CPU per request and requests per second."""
    for target in targets:
        before = cpu_s(target.pid)
        result = run_load(workload.spec(target, seconds=seconds))
        figures = book.setdefault((target.name, workload.name), Figures())
        figures.cpu_ms.append(1000 * (cpu_s(target.pid) - before) / result.requests)
        figures.per_second.append(result.per_second)
        figures.chunks.append(result.chunks / result.requests)


def measure_latency(book: Book, targets: Sequence[Target], workload: Workload, *, seconds: float) -> None:
    """One fixed-rate round on each target; the samples of all rounds are one pool."""
    for target in targets:
        spec = replace(workload.spec(target, seconds=seconds), rate=workload.rate, connections=4)
        result = run_load(spec)
        figures = book.setdefault((target.name, workload.name), Figures())
        figures.total_ms.extend(result.total_ms)
        figures.first_ms.extend(result.first_ms)


def alternately(targets: Sequence[Target], round_number: int) -> list[Target]:
    """Every other round backwards: whoever comes after a loaded neighbour is not always the same."""
    return list(targets) if round_number % 2 == 0 else list(reversed(targets))


def repeat(times: int, deadline: float, one_round: Callable[[int], None]) -> int:
    """Rounds until `times` or, after the first, the deadline (time.monotonic); how many there were."""
    for number in range(times):
        if number and time.monotonic() > deadline:
            return number
        one_round(number)
    return times


def ratio(book: Book, name: str, workload: str, *, base: str = "bare", base_workload: str = "") -> float:
    """Median over the rounds of the CPU of `name` divided by that of `base` in the same round.

    base_workload: what the base did, where that is another one.
    """
    pairs = zip(book[name, workload].cpu_ms, book[base, base_workload or workload].cpu_ms, strict=True)
    return statistics.median(ours / bare for ours, bare in pairs)


def added_ms(book: Book, name: str, workload: str, share: float, *, base_workload: str = "") -> float:
    """A percentile of the latency to the first byte, less that of the direct way."""
    ours, direct = book[name, workload].first_ms, book["direct", base_workload or workload].first_ms
    return percentile(ours, share) - percentile(direct, share)


def rss_of(targets: Sequence[Target]) -> dict[str, float]:
    """Resident MB by target name."""
    return {target.name: rss_mb(target.pid) for target in targets}
