"""The way back to the client."""

from collections.abc import Iterable

from proxy.messages import Send

Header = tuple[bytes, bytes]


class Reply:
    """Sends one answer. status is 0 until it has started."""

    __slots__ = ("_extra", "send", "status")

    def __init__(self, send: Send, extra_headers: list[Header]) -> None:
        self.send = send
        self._extra = extra_headers
        self.status = 0

    @property
    def started(self) -> bool:
        return self.status != 0

    def add_headers(self, headers: Iterable[Header]) -> None:
        """Headers every answer to this request carries."""
        self._extra.extend(headers)

    async def start(self, status: int, headers: Iterable[Header]) -> None:
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers, *self._extra]})

    async def chunk(self, content: bytes) -> None:
        await self.send({"type": "http.response.body", "body": content, "more_body": True})

    async def end(self, content: bytes = b"") -> None:
        await self.send({"type": "http.response.body", "body": content, "more_body": False})

    async def whole(self, status: int, headers: Iterable[Header], content: bytes) -> None:
        """A complete answer in one go."""
        self.status = status
        sized = [*headers, *self._extra, (b"content-length", b"%d" % len(content))]
        await self.send({"type": "http.response.start", "status": status, "headers": sized})
        await self.send({"type": "http.response.body", "body": content, "more_body": False})
