"""A proxy on a real socket without a database: doors that open to plain dictionaries."""

import asyncio
import contextlib
import itertools
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn
import uvloop
from openai import OpenAI

from gateway_project.shared.counters import Balance, CounterId, CounterStore
from gateway_project.shared.memory_counters import MemoryCounters
from keys.records import ConfigChanges, KeyRecord
from keys.secrets import Pepper, digest_of
from providers.records import CustomProviderRecord, PriceRecord, ProviderRecord
from proxy.access_log import AccessLog
from proxy.application import Proxy, Surroundings, build_proxy
from proxy.cache_store import AnswerStore
from proxy.config import ProxyConfig
from proxy.snapshot import Snapshot
from reporting.records import UsageEventRecord
from reporting.spool import list_spools, read_records
from routes.records import RouteRecord
from tests.services import free_port

PEPPER = Pepper("test", b"p" * 32)
SECRET = "client-secret"
# Loading certificates for addresses without TLS takes longer than most of these requests.
UNENCRYPTED = False


def price(**changes: object) -> PriceRecord:
    """Input 1 nano-dollar a token, output 2."""
    values = {"provider": "openai", "model": "gpt-4o", "input_pico": 1_000, "output_pico": 2_000}
    return PriceRecord(**{**values, **changes})  # type: ignore[arg-type]


def key(**changes: object) -> KeyRecord:
    values = {"id": "00000000-0000-4000-8000-000000000001", "name": "test", "setting_ids": ("setting-1",)}
    return KeyRecord(**{**values, **changes})  # type: ignore[arg-type]


@dataclass
class PlainDoors:
    """Doors to what a test says. `changes` is what the next poll finds."""

    keys: dict[str, KeyRecord] = field(default_factory=dict)
    settings: dict[str, ProviderRecord] = field(default_factory=dict)
    prices: dict[tuple[str, str], PriceRecord] = field(default_factory=dict)
    routes: dict[str, RouteRecord] = field(default_factory=dict)
    custom: dict[str, CustomProviderRecord] = field(default_factory=dict)
    balance: Balance = field(default_factory=Balance)
    version: int = 1
    pending: list[str] = field(default_factory=list)
    key_loads: int = 0

    def put_key(self, record: KeyRecord, secret: str = SECRET) -> None:
        digest = digest_of(secret, PEPPER)
        self.keys[digest] = record
        self.pending.append(digest)
        self.version += 1

    async def load_key(self, digests: Sequence[str]) -> tuple[str, KeyRecord] | None:
        self.key_loads += 1
        return next(((digest, self.keys[digest]) for digest in digests if digest in self.keys), None)

    async def changes_since(self, version: int) -> ConfigChanges:
        digests = []
        while self.pending:  # one by one: a test in another thread may be adding
            digests.append(self.pending.pop(0))
        return ConfigChanges(self.version, self.version, tuple(digests))

    async def load_snapshot(self, version: int) -> Snapshot:
        return Snapshot(
            version,
            dict(self.settings),
            dict(self.prices),
            routes=dict(self.routes),
            custom_providers=dict(self.custom),
        )

    async def load_balance(self, key_id: str, counters: Sequence[CounterId], live: Sequence[str]) -> Balance:
        return Balance({counter: self.balance.used.get(counter, 0) for counter in counters}, self.balance.settled)


@dataclass
class RunningProxy:
    """A proxy that listens. events(): what it has written into its spool so far. clients: closed with it."""

    proxy: Proxy
    doors: PlainDoors
    url: str
    spool_root: Path
    counters: CounterStore
    clients: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def events(self) -> list[UsageEventRecord]:
        found: list[UsageEventRecord] = []
        for spool in list_spools(self.spool_root):
            batch = read_records(spool, 0, 1_000_000, 1 << 30)
            found += [msgspec.json.decode(record, type=UsageEventRecord) for record in batch.records]
        return found

    async def event(self, *, index: int = -1, at_least: int = 1, within_s: float = 3.0) -> UsageEventRecord:
        """One event, waited for."""
        for _ in range(int(within_s / 0.02)):
            if len(events := self.events()) >= at_least:
                return events[index]
            await asyncio.sleep(0.02)
        raise AssertionError(f"{len(self.events())} events after {within_s} s, not {at_least}")

    @property
    def openai_url(self) -> str:
        return f"{self.url}/api/providers/openai/v1"

    def caller(self, **key_changes: object) -> "Caller":
        """A client with a fresh key of its own, whose events are told apart from everybody else's."""
        record = key(**{"id": str(uuid.uuid4()), **key_changes})
        secret = f"secret of {record.id}"
        self.doors.put_key(record, secret)
        return Caller(self, record, secret)


@dataclass(frozen=True)
class Caller:
    """A key and the ways to use it. event() waits: the record of an answer may come after its client has gone."""

    gateway: RunningProxy
    key: KeyRecord
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}

    def sdk(self, **options: Any) -> OpenAI:
        """The official SDK; it tries each call once unless told otherwise."""
        made = OpenAI(api_key=self.secret, base_url=self.gateway.openai_url, **{"max_retries": 0, **options})
        return self.gateway.clients.enter_context(made)

    def http(self, **options: Any) -> httpx.Client:
        """A plain client that sends the key; paths are those after /v1."""
        return httpx.Client(
            base_url=self.gateway.openai_url, headers=self.headers, **{"timeout": 10, "verify": UNENCRYPTED, **options}
        )

    def post(self, path: str = "/chat/completions", **options: Any) -> httpx.Response:
        with self.http() as client:
            return client.post(path, **options)

    def events(self) -> list[UsageEventRecord]:
        return [event for event in self.gateway.events() if event.key_id == self.key.id]

    def event(self, *, number: int = 1, within_s: float = 3.0) -> UsageEventRecord:
        """The key's newest event once there are `number` of them. More are an error."""
        events = waited_for(lambda: len(found := self.events()) >= number and found, within_s)
        assert len(events) == number, events
        return events[-1]

    @property
    def subject(self) -> str:
        return f"key:{self.key.id}"


def waited_for(look: Callable[[], Any], within_s: float = 3.0) -> Any:
    """The first true answer of `look`. Raises AssertionError when there is none in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {within_s} s")


def openai_setting(url: str, **changes: object) -> ProviderRecord:
    base = url.rstrip("/")
    values = {
        "id": "setting-1",
        "provider": "openai",
        "base_url": base if base.endswith("/v1") else f"{base}/v1",
        "secrets": {"apikey": "sk-upstream-secret"},
    }
    return ProviderRecord(**{**values, **changes})  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def running_proxy(
    doors: PlainDoors, *, counters: CounterStore | None = None, answers: AnswerStore | None = None, **config: object
) -> AsyncIterator[RunningProxy]:
    """Serve a proxy with uvicorn on a free loopback port, in the test's own event loop."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        store = counters if counters is not None else MemoryCounters()
        values = {"peppers": (PEPPER,), "spool_root": root, "poll_interval_s": 0.05, "access_log": False}
        proxy = build_proxy(
            ProxyConfig(**{**values, **config}),  # type: ignore[arg-type]
            Surroundings(doors, store, AccessLog(enabled=False), answers),
        )
        await proxy.start()
        port = free_port()
        server = uvicorn.Server(
            uvicorn.Config(
                proxy, interface="asgi3", host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none"
            )
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        running = RunningProxy(proxy, doors, f"http://127.0.0.1:{port}", root, store)
        try:
            yield running
        finally:
            running.clients.close()
            server.should_exit = True
            await serving
            await proxy.stop()


@contextlib.contextmanager
def proxy_in_thread(
    doors: PlainDoors,
    *,
    make_counters: Callable[[], CounterStore] = MemoryCounters,
    answers: AnswerStore | None = None,
    **config: object,
) -> Iterator[RunningProxy]:
    """The same in a thread, for clients that block. Counters are made on the loop that uses them."""
    started = threading.Event()
    running: list[RunningProxy] = []
    stops: list[Callable[[], object]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        async with running_proxy(doors, counters=make_counters(), answers=answers, **config) as gateway:
            running.append(gateway)
            stops.append(lambda: loop.call_soon_threadsafe(stop.set))
            loop = asyncio.get_running_loop()
            started.set()
            await stop.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serve())
        finally:
            started.set()

    thread = threading.Thread(target=run, daemon=True, name=f"proxy-{next(_threads)}")
    thread.start()
    if not started.wait(20) or not running:
        raise RuntimeError("the proxy did not start")
    try:
        yield running[0]
    finally:
        stops[0]()
        thread.join(20)


_threads = itertools.count(1)
