"""A small application and the program that serves it: `python -m … <daphne|uvicorn> <port> <grace in seconds>`."""

import asyncio
import importlib
import sys
from typing import Any

from gateway_project.servers.listening import ServerConfig

MAX_BODY_BYTES = 100_000
SLOW_SENDER_S = 2.0
TOO_LARGE = b'{"error": "too large"}'


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class ServedApp:
    """Says what it got.

    /stream sends ten chunks a tenth of a second apart, /endless goes on, /broken fails in between, /status/429 has
    that status.
    """

    async def start(self) -> None:
        say("started")

    def begin_stopping(self) -> None:
        say("stopping")

    async def stop(self) -> None:
        say("stopped")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
            return
        length = 0
        while (message := await receive())["type"] == "http.request":
            length += len(message["body"])
            if not message.get("more_body"):
                break
        if scope["path"] == "/broken":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            raise RuntimeError("broken on purpose")
        if scope["path"] in {"/stream", "/endless"}:
            await self._stream(10 if scope["path"] == "/stream" else 10_000, receive, send)
        else:
            status = int(scope["path"].removeprefix("/status/")) if scope["path"].startswith("/status/") else 200
            await self._answer(status, f"{scope['client'][0]} {length}".encode(), send)

    async def _stream(self, count: int, receive: Any, send: Any) -> None:
        gone = asyncio.ensure_future(receive())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for number in range(count):
                if gone.done():
                    say("client left")
                    return
                await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
                await asyncio.sleep(0.1)
            await send({"type": "http.response.body", "body": b"end\n"})
        except asyncio.CancelledError:
            say("cancelled")
            raise
        finally:
            gone.cancel()

    async def _answer(self, status: int, body: bytes, send: Any) -> None:
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main(kind: str, port: int, grace_s: float) -> None:
    config = ServerConfig(
        host="127.0.0.1",
        port=port,
        stop_grace_s=grace_s,
        slow_sender_s=SLOW_SENDER_S,
        max_body_bytes=MAX_BODY_BYTES,
        too_large_body=TOO_LARGE,
    )
    server = importlib.import_module(f"gateway_project.servers.{kind}")
    server.serve(ServedApp(), config, lambda: say("listening"))
    say("over")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
