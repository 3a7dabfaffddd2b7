"""Clients that call a running gateway, many at a time, and remember what they saw."""

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

CHAT_PATH = "/api/providers/openai/v1/chat/completions"
_BODY = {"model": "gpt-4o-mini", "max_tokens": 40, "messages": [{"role": "user", "content": "Hello there"}]}
_DONE = b"data: [DONE]"
_NOBODY_THERE_S = 0.2


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw of one request.

    status 0 and request_id "": it saw no head of an answer. complete: it saw the answer's end.
    """

    secret: str
    began_at: float
    status: int = 0
    request_id: str = ""
    complete: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = b""

    def cost_nano(self, input_nano: int, output_nano: int) -> int:
        """The price of the answer by its own usage."""
        return self.prompt_tokens * input_nano + self.completion_tokens * output_nano


async def call(
    client: httpx.AsyncClient, secret: str, *, stream: bool = False, fault: str = "slow-first-byte=40", **members: Any
) -> Seen:
    """One chat request. A connection that breaks is something seen, not an error.

    fault: directives to the fake upstream. Its default keeps plain requests in flight for a moment.
    """
    body = _BODY | members
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    began_at, head, parts, ended = time.monotonic(), None, [], False
    try:
        headers = {"authorization": f"Bearer {secret}", "x-fake-fault": fault}
        async with client.stream("POST", CHAT_PATH, json=body, headers=headers) as head:
            async for part in head.aiter_raw():
                parts.append(part)  # noqa: PERF401  (what came before the connection broke is wanted)
            ended = True
    except httpx.TransportError:
        pass
    content = b"".join(parts)
    if head is None:
        return Seen(secret, began_at)
    complete = _DONE in content if stream and head.status_code == 200 else ended
    prompt_tokens, completion_tokens = _usage(content, streamed=stream) if complete else (0, 0)
    return Seen(
        secret, began_at, head.status_code, head.headers.get("x-request-id", ""), complete,
        prompt_tokens, completion_tokens, head.headers, content,
    )  # fmt: skip


def _usage(content: bytes, *, streamed: bool) -> tuple[int, int]:
    documents = [content]
    if streamed:
        documents = [line[6:] for line in content.split(b"\n") if line.startswith(b"data: {")]
    for document in reversed(documents):
        usage = json.loads(document).get("usage")
        if usage:
            return usage["prompt_tokens"], usage["completion_tokens"]
    return 0, 0


def client_for(url: str, *, connections: int | None = None, keep_alive: bool = True) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=None if keep_alive else 0)
    return httpx.AsyncClient(base_url=url, limits=limits, timeout=30, trust_env=False)


async def call_at_once(url: str, count: int, secret: str, **members: Any) -> list[Seen]:
    """`count` callers at the same time, each on a connection of its own; every other one streams."""
    async with client_for(url) as client:
        calls = (call(client, secret, stream=number % 2 == 1, **members) for number in range(count))
        return await asyncio.gather(*calls)


class Load:
    """Callers that go on until the `with` block ends, in a thread of their own; half of them stream.

    secrets: the callers take them in turn. seen: what they saw so far; in_flight: requests without an end yet.
    """

    def __init__(
        self, urls: Sequence[str], secrets: Sequence[str], *, callers: int = 30, pause_s: float = 0.03
    ) -> None:
        self.seen: list[Seen] = []
        self.in_flight = 0
        self._urls = urls
        self._secrets = secrets
        self._callers = callers
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def wait_for(self, count: int, *, status: int = 200, timeout_s: float = 60.0) -> None:
        """Until `count` more requests have ended with the status."""
        deadline, before = time.monotonic() + timeout_s, self.ended_with(status)
        while (more := self.ended_with(status) - before) < count:
            assert time.monotonic() < deadline, f"{more} of {count} within {timeout_s:g} s"
            time.sleep(0.01)

    def ended_with(self, status: int) -> int:
        return sum(1 for seen in list(self.seen) if seen.status == status and seen.complete)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "a caller still waits for its answer"

    def _run(self) -> None:
        asyncio.run(self._call_all())

    async def _call_all(self) -> None:
        await asyncio.gather(*(self._caller(number) for number in range(self._callers)))

    async def _caller(self, number: int) -> None:
        group, streams = divmod(number, 2)
        secret = self._secrets[group % len(self._secrets)]
        url = self._urls[group // len(self._secrets) % len(self._urls)]
        async with client_for(url, connections=1) as client:
            while not self._stop.is_set():
                self.in_flight += 1
                seen = await call(client, secret, stream=bool(streams))
                self.in_flight -= 1
                self.seen.append(seen)
                # Nobody listens: trying again at once would only slow down whoever is starting.
                await asyncio.sleep(self._pause_s if seen.status else _NOBODY_THERE_S)
