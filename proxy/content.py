"""Reads the request body, within its bounds."""

from gateway_project.shared.problems import BodyTooLarge
from proxy.messages import Receive


class ClientGone(Exception):
    """The client left before its request was complete."""


class ReadContent:
    """Reads one body when called. Raises BodyTooLarge, ClientGone."""

    __slots__ = ("_declared", "_limit", "receive")

    def __init__(self, receive: Receive, declared: int, limit: int) -> None:
        self.receive = receive
        self._declared = declared
        self._limit = limit

    async def __call__(self) -> bytes:
        if self._declared > self._limit:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._limit:
                raise self._too_large()
            if not message.get("more_body"):
                return b"".join([*parts, part]) if parts else part
            parts.append(part)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body may have at most {self._limit} bytes.")


def declared_length(value: bytes) -> int:
    """The length a content-length header declares; 0 when it declares none."""
    return int(value) if value.isdigit() else 0
