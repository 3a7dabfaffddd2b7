"""Puts the proxy together. Started and stopped by whoever serves it; no lifespan events are relied on."""

import asyncio
import gc
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from gateway_project.shared.counters import CounterStore
from gateway_project.shared.ids import new_id
from providers import tokens
from providers.adapters.registry import ADAPTERS
from proxy.access_log import AccessLog
from proxy.aws_chain import ChainKeeper
from proxy.breaker import Breakers
from proxy.cache import AnswerCache
from proxy.cache_store import AnswerStore, MemoryAnswers
from proxy.calls import CallFinder
from proxy.config import ProxyConfig
from proxy.doors import Doors
from proxy.endpoint import Endpoint
from proxy.key_directory import KeyDirectory
from proxy.ledger import Ledger
from proxy.messages import Receive, Scope, Send
from proxy.pipeline import Parts, Pipeline
from proxy.recorder import Recorder
from proxy.refreshing import Refresher
from proxy.replicas import CHECK_EVERY_S
from proxy.reply import Reply
from proxy.route_runner import RouteRunner
from proxy.route_steps import Steps
from proxy.snapshot import SnapshotHolder
from proxy.stages.plan import SettingChooser
from proxy.stages.settle import Settler
from proxy.upstream import Upstream
from proxy.watch import Sweeper
from reporting.spool import SpoolWriter

# A request leaves a few hundred objects, hardly any of them in cycles.
GC_YOUNG_OBJECTS = 20_000
logger = structlog.get_logger("proxy")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the proxy cannot make itself: doors to the database, the counters, where access lines go.

    answers: where what routes answer is kept; None: in memory.
    """

    doors: Doors
    counters: CounterStore
    access_log: AccessLog
    answers: AnswerStore | None = None


class Proxy:
    """The ASGI application of the proxy listener."""

    def __init__(self, config: ProxyConfig, surroundings: Surroundings) -> None:
        self._config = config
        self._counters = surroundings.counters
        self._spool = SpoolWriter(config.spool_root, str(new_id()), fsync=config.spool_fsync)
        self._upstream = Upstream(connect_timeout_s=config.connect_timeout_s)
        self._directory = KeyDirectory(config, surroundings.doors)
        self._snapshots = SnapshotHolder()
        self._ledger = Ledger(surroundings.counters, surroundings.doors, lease_s=config.lease_s)
        self._recorder = Recorder(config, self._spool)
        self._settler = Settler(self._recorder, self._ledger)
        self._refresher = Refresher(
            surroundings.doors, self._directory, self._snapshots, every_s=config.poll_interval_s
        )
        self._sweeper = Sweeper()
        self._aws_chain = ChainKeeper(self._snapshots)
        self._access_log = surroundings.access_log
        self._chooser = SettingChooser(config)
        self._breakers = Breakers()
        steps = Steps(ADAPTERS, self._chooser)
        tools = (self._upstream, self._chooser)
        self._routes = RouteRunner(steps, tools, self._ledger, breakers=self._breakers)
        store = surroundings.answers or MemoryAnswers(config.cache_max_bytes)
        self._answers = AnswerCache(store, max_answer_bytes=config.cache_max_answer_bytes)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        parts = Parts(
            config=config,
            directory=self._directory,
            snapshots=self._snapshots,
            ledger=self._ledger,
            upstream=self._upstream,
            chooser=self._chooser,
            routes=self._routes,
            answers=self._answers,
            settler=self._settler,
            access_log=surroundings.access_log,
            sweeper=self._sweeper,
        )
        self._endpoint = Endpoint(config, CallFinder(ADAPTERS, self._snapshots), Pipeline(parts))

    async def start(self) -> None:
        """Load the configuration and start the background tasks. Raises DoorClosed without a database."""
        await self._refresher.start()
        await self._upstream.start()
        await self._aws_chain.start()
        # Half a second of work that holds the interpreter: better before the first request than during it.
        await asyncio.to_thread(tokens.preload)
        _spare_the_collector()
        self._tasks = [
            asyncio.create_task(self._refresher.run()),
            asyncio.create_task(self._ledger.keep()),
            asyncio.create_task(self._sweeper.run()),
            asyncio.create_task(self._keep_house()),
            asyncio.create_task(self._check_replicas()),
            asyncio.create_task(self._aws_chain.run()),
        ]

    async def _keep_house(self) -> None:
        """Write out access lines; see whether the disk has room."""
        while True:
            for _ in range(4):
                self._access_log.flush()
                await asyncio.sleep(0.25)
            self._recorder.probe()

    async def _check_replicas(self) -> None:
        """Look which addresses of settings that have several are healthy."""
        while True:
            pools = [setting for setting in self._snapshots.current.settings.values() if setting.base_urls]
            if pools:
                await self._chooser.replicas.check(pools, self._upstream.answers)
            await asyncio.sleep(CHECK_EVERY_S)

    def begin_stopping(self) -> None:
        """No longer ready; running requests go on."""
        self._stopping = True

    async def stop(self, *, grace_s: float = 0.0) -> None:
        """Stop being ready, wait up to grace_s for running requests, close everything."""
        self._stopping = True
        deadline = asyncio.get_running_loop().time() + grace_s
        while self._endpoint.in_flight and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        self._sweeper.cancel_all()
        await self._settler.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._settler.drain()
        await self._upstream.close()
        await self._answers.close()
        await self._counters.close()
        self._access_log.flush()
        self._spool.close()

    @property
    def requests_in_flight(self) -> int:
        return self._endpoint.in_flight

    def trouble(self) -> str:
        """Why this process should get no traffic; "" when it may."""
        if self._stopping:
            return "stopping"
        if self._directory.stale_s > self._config.key_stale_s:
            return "the database does not answer"
        if not self._recorder.has_room:
            return "the disk does not take records"
        return ""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        path = scope["path"]
        if path in ("/api/health", "/ready"):
            return self._answer_health(path, Reply(send, []))
        return self._endpoint(scope, receive, send)

    async def _answer_health(self, path: str, reply: Reply) -> None:
        if path == "/api/health":
            await reply.whole(200, [], b"")
            return
        trouble = self.trouble()
        body = {
            "ready": not trouble,
            "reason": trouble,
            "config_version": self._snapshots.current.version,
            "snapshot_age_s": round(self._snapshots.age_s, 3),
            "requests_in_flight": self._endpoint.in_flight,
            "unsettled": self._ledger.unsettled,
            "breakers": self._breakers.states(),
        }
        await reply.whole(503 if trouble else 200, [(b"content-type", b"application/json")], orjson.dumps(body))


def _spare_the_collector() -> None:
    """What was loaded at start stays for good: keep the garbage collector from walking through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 50)


def build_proxy(config: ProxyConfig, surroundings: Surroundings) -> Proxy:
    """The proxy, not yet started. The process that calls this locks its spool, so it has to be the one that serves."""
    return Proxy(config, surroundings)
