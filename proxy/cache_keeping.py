"""Keeps a copy of an answer while it is relayed, if it turns out to be one that may be given again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from gateway_project.shared import clock
from proxy.cache_entry import Entry, is_complete
from proxy.flow import Answer
from proxy.relaying import Closer, RelayParts
from proxy.visit import Visit


class Copied:
    """An answer that is copied as it is read, up to a size. content: None when it was longer."""

    def __init__(self, answer: Answer, most_bytes: int) -> None:
        self.status = answer.status
        self.head = answer.head
        self._answer = answer
        self._most_bytes = most_bytes
        self._copy: bytearray | None = bytearray()

    @property
    def content(self) -> bytes | None:
        return None if self._copy is None else bytes(self._copy)

    @property
    def finished(self) -> bool:
        return self._answer.finished

    async def read(self) -> bytes:
        content = await self._answer.read()
        self._take(content)
        return content

    def reader(self) -> Callable[[], Awaitable[bytes]]:
        read = self._answer.reader()

        async def copying() -> bytes:
            chunk = await read()
            self._take(chunk)
            return chunk

        return copying

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.chunks():
            self._take(chunk)
            yield chunk

    def _take(self, chunk: bytes) -> None:
        if self._copy is None:
            return
        if len(self._copy) + len(chunk) > self._most_bytes:
            self._copy = None
        else:
            self._copy += chunk

    def close(self) -> None:
        self._answer.close()


class Keeper:
    """Of one request: wraps its answer, and keeps it when its books are closed, before the client has the end of it.

    keep: called with the answer, once, if it may be given again. answered: there was an answer with status 200.
    """

    def __init__(self, most_bytes: int, keep: Callable[[Entry], None]) -> None:
        self._most_bytes = most_bytes
        self._keep = keep
        self._copied: Copied | None = None
        self.answered = False

    async def asked(self, asking: Awaitable[Answer]) -> Answer:
        """The answer to relay. One that came compressed, or is no success, is not copied."""
        answer = await asking
        if answer.status != 200 or answer.head.encoding:
            return answer
        self._copied = Copied(answer, self._most_bytes)
        return self._copied

    def relay_parts(self, parts: RelayParts) -> RelayParts:
        """The same, closing books by way of this."""
        return replace(parts, settler=_Closing(parts.settler, self._closed))

    def _closed(self, visit: Visit) -> None:
        copied, self._copied = self._copied, None
        if copied is None or visit.meter.ending != "completed" or visit.call is None or visit.body is None:
            return
        self.answered = True
        content = copied.content
        stream = copied.head.content_type.startswith(b"text/event-stream")
        operation = visit.call.operation.name
        if content is None or not is_complete(operation, content, stream=stream):
            return
        model = visit.meter.response_model or visit.body.facts.model
        self._keep(Entry(operation, stream, content, clock.now(), visit.call.adapter.provider, model))


class _Closing:
    def __init__(self, closer: Closer, then: Callable[[Visit], None]) -> None:
        self._closer = closer
        self._then = then

    async def close(self, visit: Visit) -> None:
        await self._closer.close(visit)
        self._then(visit)
