"""The outermost wrapper of a listener: what a client must not decide is decided here, whichever server runs."""

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

_NO_WEBSOCKETS = (
    b'{"error":{"message":"WebSockets are not served yet.","type":"invalid_request_error",'
    b'"param":null,"code":"websockets_not_served"}}'
)


class Life(Protocol):
    """The part of an application that outlives requests."""

    async def start(self) -> None: ...

    def begin_stopping(self) -> None:
        """No longer ready; requests in flight go on."""
        ...

    async def stop(self) -> None: ...


class NoLife:
    """For applications that need neither start nor stop."""

    async def start(self) -> None:
        """Nothing to start."""

    def begin_stopping(self) -> None:
        """Nothing to tell."""

    async def stop(self) -> None:
        """Nothing to stop."""


class Listener:
    """Serves `applications`, by the protocol of the scope, and lives the `life` that belongs to them.

    Daphne takes root_path from a header of the client, and header names with an underscore look to CGI-like code
    as if they were spelled with a dash: both end here.
    """

    def __init__(self, applications: Mapping[str, Any], life: Life, *, root_path: str = "") -> None:
        self._applications = applications
        self._life = life
        self._root_path = root_path

    async def start(self) -> None:
        await self._life.start()

    def begin_stopping(self) -> None:
        self._life.begin_stopping()

    async def stop(self) -> None:
        await self._life.stop()

    def __call__(self, scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        """Not a coroutine itself: each layer of them would be walked through with every chunk of a stream."""
        scope["root_path"] = self._root_path
        headers = scope["headers"]
        for name, value in headers:
            if name.find(b"_") >= 0:  # `in` raises and catches an exception inside
                scope["headers"] = [(name, value) for name, value in headers if b"_" not in name]
            elif name == b"upgrade" and value.lower() == b"websocket" and scope["type"] == "http":
                # A server without WebSockets hands the handshake over as a plain request.
                return _answer(send, 501, _NO_WEBSOCKETS)
        answering: Coroutine[Any, Any, None] = self._applications[scope["type"]](scope, receive, send)
        return answering


class BodyLimit:
    """For an application that reads whole bodies. too_large: the JSON that refuses a longer one with 413."""

    def __init__(self, application: Any, max_bytes: int, too_large: bytes) -> None:
        self._application = application
        self._max_bytes = max_bytes
        self._too_large = too_large

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if _announced_bytes(scope["headers"]) > self._max_bytes:
            await _answer(send, 413, self._too_large)
            return
        received = 0

        async def limited() -> Any:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received <= self._max_bytes:
                return message
            await _answer(send, 413, self._too_large)
            return {"type": "http.disconnect"}

        await self._application(scope, limited, send)


def _announced_bytes(headers: Any) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _answer(send: Any, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-gateway-error", b"true"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def deny_websocket(scope: Any, receive: Any, send: Any) -> None:
    """Refuse the handshake: 501 where the server lets us choose, else its 403."""
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        headers = [(b"content-length", b"0")]
        await send({"type": "websocket.http.response.start", "status": 501, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close", "code": 1008})
