from typing import Any

from gateway_project.front import BodyLimit, Listener, NoLife, deny_websocket


class Recording(NoLife):
    """Keeps the scope it was called with, and what happened to it."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {}
        self.happened: list[str] = []

    async def __call__(self, scope: dict[str, Any], receive: object, send: object) -> None:
        self.scope = scope

    async def start(self) -> None:
        self.happened.append("start")

    def begin_stopping(self) -> None:
        self.happened.append("begin_stopping")

    async def stop(self) -> None:
        self.happened.append("stop")


async def call(scope: dict[str, Any], *, root_path: str = "") -> dict[str, Any]:
    inner = Recording()
    await Listener({"http": inner}, NoLife(), root_path=root_path)(scope, None, None)
    return inner.scope


async def test_the_root_path_is_the_configured_one() -> None:
    scope = {"type": "http", "root_path": "/chosen/by/client", "headers": []}
    assert (await call(dict(scope)))["root_path"] == ""
    assert (await call(dict(scope), root_path="/gateway"))["root_path"] == "/gateway"


async def test_header_names_with_an_underscore_are_dropped() -> None:
    headers = [(b"x-api-key", b"a"), (b"x_api_key", b"b"), (b"x-forwarded_for", b"c"), (b"host", b"d_e")]
    scope = await call({"type": "http", "headers": headers})
    assert scope["headers"] == [(b"x-api-key", b"a"), (b"host", b"d_e")]


async def test_it_passes_on_its_life() -> None:
    life = Recording()
    listener = Listener({"http": life}, life)
    await listener.start()
    listener.begin_stopping()
    await listener.stop()
    assert life.happened == ["start", "begin_stopping", "stop"]


async def test_it_has_an_application_without_a_life() -> None:
    listener = Listener({"http": Recording()}, NoLife())
    await listener.start()
    listener.begin_stopping()
    await listener.stop()


async def replies_to_websocket(extensions: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await deny_websocket({"type": "websocket", "extensions": extensions}, receive, send)
    return sent


async def test_a_websocket_is_refused_before_it_opens() -> None:
    assert [message["type"] for message in await replies_to_websocket({})] == ["websocket.close"]


async def test_a_websocket_is_refused_with_501_where_the_server_can() -> None:
    start, end = await replies_to_websocket({"websocket.http.response": {}})
    assert start["status"] == 501
    assert end["type"] == "websocket.http.response.body"


class Reader:
    """Reads a whole body, then answers, as Django does; sends nothing to a client that left."""

    def __init__(self) -> None:
        self.body = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.body += message["body"]
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"read"})


async def post(parts: list[bytes], headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes, bytes]:
    """Status, answer and what the application read of a body, at most ten bytes long."""
    sent: list[dict[str, Any]] = []
    coming = [{"type": "http.request", "body": part, "more_body": part != parts[-1]} for part in parts]

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    reader = Reader()
    await BodyLimit(reader, 10, b"too large")({"type": "http", "headers": headers}, receive, send)
    return sent[0]["status"], sent[1]["body"], reader.body


async def test_a_body_within_the_limit_passes() -> None:
    assert await post([b"12345", b"67890"], [(b"content-length", b"10")]) == (200, b"read", b"1234567890")


async def test_a_body_announced_as_too_long_is_not_read() -> None:
    assert await post([b"1"], [(b"content-length", b"11")]) == (413, b"too large", b"")


async def test_a_body_that_becomes_too_long_is_refused_on_the_way() -> None:
    assert await post([b"12345", b"678901", b"x"], []) == (413, b"too large", b"12345")


async def test_a_handshake_that_comes_as_a_request_is_refused() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    inner = Recording()
    scope = {"type": "http", "headers": [(b"upgrade", b"WebSocket")]}
    await Listener({"http": inner}, NoLife())(scope, None, send)
    assert sent[0]["status"] == 501
    assert inner.scope == {}
