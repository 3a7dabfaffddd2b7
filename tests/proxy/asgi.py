"""The proxy called as a server calls it, without a server."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from gateway_project.shared.memory_counters import MemoryCounters
from proxy.access_log import AccessLog
from proxy.application import Proxy, Surroundings, build_proxy
from proxy.config import ProxyConfig
from reporting.records import UsageEventRecord
from reporting.spool import list_spools, read_records
from tests.proxy.builders import OPENAI, Sent
from tests.proxy_gateway import PEPPER, SECRET, PlainDoors


class Called:
    """A started proxy, and what it has recorded."""

    def __init__(self, proxy: Proxy, root: Path, counters: MemoryCounters) -> None:
        self.proxy = proxy
        self.root = root
        self.counters = counters

    async def call(
        self,
        path: str = "/chat/completions",
        *,
        method: str = "POST",
        body: bytes = b"{}",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        leaves: asyncio.Event | None = None,
        secret: str = SECRET,
    ) -> Sent:
        """One request to a path after /v1. leaves: the client goes when it is set."""
        given = [(b"authorization", b"Bearer " + secret.encode()), (b"content-type", b"application/json"), *headers]
        target = path if path.startswith("/api/") or path == "/ready" else OPENAI.path_prefix + path
        scope = {
            "type": "http", "method": method, "path": target, "raw_path": target.encode(), "query_string": b"",
            "headers": given, "root_path": "",
        }  # fmt: skip
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            await (leaves or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        sent = Sent()
        await self.proxy(scope, receive, sent)
        return sent

    def events(self) -> list[UsageEventRecord]:
        return [
            msgspec.json.decode(record, type=UsageEventRecord)
            for spool in list_spools(self.root)
            for record in read_records(spool, 0, 1000, 1 << 24).records
        ]


@contextlib.asynccontextmanager
async def called_proxy(doors: PlainDoors, **config: Any) -> AsyncIterator[Called]:
    with tempfile.TemporaryDirectory() as directory:
        root, counters = Path(directory), MemoryCounters()
        values = {"peppers": (PEPPER,), "spool_root": root, "poll_interval_s": 0.02, **config}
        proxy = build_proxy(ProxyConfig(**values), Surroundings(doors, counters, AccessLog(enabled=False)))
        await proxy.start()
        try:
            yield Called(proxy, root, counters)
        finally:
            await proxy.stop()
