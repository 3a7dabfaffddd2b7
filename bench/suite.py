"""The whole measurement: which targets stand side by side, in which rounds, under which server."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx

from bench.gateway import running_gateway
from bench.measuring import Book, Target, Workload, alternately, measure_cpu, measure_latency, repeat, rss_of
from bench.processes import free_port, running
from tests.services import start_redis

SERVERS = ("uvicorn", "daphne")
CHUNKS = 50
PAUSE_MS = 2.0
"""Between the chunks of a measured stream. Without any, the kernel would join chunks on their way to a busy proxy, and
the slowest one would seem the cheapest."""

_MESSAGES = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "Tell me about foxes and rivers and trees. " * 20},
]
_PLAIN = {"model": "gpt-4o-mini", "messages": _MESSAGES, "max_tokens": 64}
PLAIN = Workload("plain", json.dumps(_PLAIN), stream=False, rate=150.0)
STREAM = Workload("stream", json.dumps({**_PLAIN, "stream": True}), stream=True, rate=25.0)
# On a route with two steps, of which the first answers.
ROUTE = Workload("route", PLAIN.body, stream=False, rate=150.0)
# On a route that keeps its answers: the first request of all is a miss, all others are hits.
HIT = Workload("hit", PLAIN.body, stream=False, rate=150.0)
UNPACED = Workload("unpaced", STREAM.body, stream=True, rate=0.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """How long everything takes, in seconds, and how often. `budget_s` bounds the rounds under one server."""

    rounds: int = 4
    plain_s: float = 2.0
    stream_s: float = 3.0
    latency_rounds: int = 2
    latency_s: float = 2.0
    budget_s: float = 110.0


QUICK = Plan(rounds=2, plain_s=1.0, stream_s=1.5, latency_rounds=1, latency_s=1.5, budget_s=40.0)


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """Everything measured under one server."""

    server: str
    book: Book
    rss_mb: dict[str, float]
    rounds: int


@dataclass(frozen=True, slots=True)
class Upstream:
    """The fake upstream that everything is forwarded to."""

    url: str

    def pace(self, pause_ms: float) -> None:
        """Set the pause between chunks."""
        httpx.post(f"{self.url}/__control/options", json={"pause_ms": pause_ms}).raise_for_status()


@contextmanager
def running_fake_upstream() -> Iterator[Upstream]:
    """The fake upstream, keeping no records."""
    port = free_port()
    command = ["-m", "fake_upstream", "--port", str(port), "--no-record", "--tokens", str(CHUNKS)]
    with running(command, port):
        yield Upstream(f"http://127.0.0.1:{port}")


@contextmanager
def running_passthrough(server: str, upstream: Upstream) -> Iterator[Target]:
    """The bare pass-through."""
    port = free_port()
    with running(["-m", "bench.passthrough", server, str(port), upstream.url], port) as pid:
        yield Target("bare", f"http://127.0.0.1:{port}/v1/chat/completions", {}, pid)


@contextmanager
def running_redis() -> Iterator[str]:
    """A Redis of our own, so that nobody's data is touched; its URL."""
    server = start_redis()
    try:
        yield server.url
    finally:
        server.stop()


def measure_server(server: str, plan: Plan, say: Callable[[str], None]) -> ServerFigures:
    """All rounds under one server. Raises StartError or BenchError."""
    with ExitStack() as stack:
        upstream = stack.enter_context(running_fake_upstream())
        redis_url = stack.enter_context(running_redis())
        targets = [
            stack.enter_context(running_passthrough(server, upstream)),
            stack.enter_context(running_gateway(server, upstream.url)),
            stack.enter_context(running_gateway(server, upstream.url, redis_url)),
        ]
        say(f"{server}: started")
        return _measure(server, upstream, targets, plan, say)


def _measure(
    server: str, upstream: Upstream, targets: Sequence[Target], plan: Plan, say: Callable[[str], None]
) -> ServerFigures:
    book: Book = {}
    deadline = time.monotonic() + plan.budget_s
    warm_up: Book = {}
    gateways = [target for target in targets if target.routes]
    measure_cpu(warm_up, targets, PLAIN, seconds=0.5)
    for workload in (ROUTE, HIT):
        measure_cpu(warm_up, gateways, workload, seconds=0.5)
    measure_cpu(book, targets, UNPACED, seconds=plan.plain_s)
    upstream.pace(PAUSE_MS)

    def cpu_round(number: int) -> None:
        in_turn = alternately(targets, number)
        measure_cpu(book, in_turn, PLAIN, seconds=plan.plain_s)
        for workload in (ROUTE, HIT):
            measure_cpu(book, alternately(gateways, number), workload, seconds=plan.plain_s)
        measure_cpu(book, in_turn, STREAM, seconds=plan.stream_s)
        say(f"{server}: round {number + 1} of {plan.rounds}")

    rounds = repeat(plan.rounds, deadline, cpu_round)
    direct = Target("direct", f"{upstream.url}/v1/chat/completions", {}, 0)

    def latency_round(number: int) -> None:
        for workload in (PLAIN, STREAM):
            measure_latency(book, alternately([direct, *targets], number), workload, seconds=plan.latency_s)
        for workload in (ROUTE, HIT):
            measure_latency(book, alternately(gateways, number), workload, seconds=plan.latency_s)

    repeat(plan.latency_rounds, deadline, latency_round)
    say(f"{server}: latency done")
    return ServerFigures(server, book, rss_of(targets), rounds)
