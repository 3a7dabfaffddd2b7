"""The least a proxy can do: `python -m bench.passthrough uvicorn PORT UPSTREAM` forwards bodies and streams answers.

It runs under the gateway's own servers and with the gateway's own client options, and has no features.
"""

import importlib
import sys
from typing import Any

import aiohttp
from yarl import URL

from gateway_project.servers.listening import ServerConfig

_HOP_BY_HOP = frozenset(
    {b"host", b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"te", b"upgrade"}
)
_SKIPPED = frozenset({"User-Agent", "Accept", "Accept-Encoding", "Content-Type"})


class Passthrough:
    """An ASGI application of the kind the gateway's servers carry."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream

    async def start(self) -> None:
        """Open the client: the options are those of proxy/upstream.py."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SKIPPED,
        )
        self._timeout = aiohttp.ClientTimeout(total=600, sock_connect=10)

    def begin_stopping(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Close the client."""
        await self._session.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        response = await self._session.request(
            scope["method"],
            URL(self._upstream + scope["path"], encoded=True),
            data=await _body_of(receive),
            headers={k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"] if k not in _HOP_BY_HOP},
            allow_redirects=False,
            timeout=self._timeout,
        )
        headers = [(name.lower(), value) for name, value in response.raw_headers]
        streams = any(name == b"transfer-encoding" for name, _ in headers)
        kept = [item for item in headers if item[0] == b"content-length" or item[0] not in _HOP_BY_HOP]
        await send({"type": "http.response.start", "status": response.status, "headers": kept})
        if streams:
            while chunk := await response.content.readany():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": await response.read()})
        response.release()


async def _body_of(receive: Any) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def main() -> None:
    """Serve until SIGTERM; prints a line when it listens."""
    server, port, upstream = sys.argv[1:]
    config = ServerConfig(
        host="127.0.0.1",
        port=int(port),
        stop_grace_s=1.0,
        slow_sender_s=30.0,
        max_body_bytes=100 << 20,
        too_large_body=b"{}",
    )
    module = importlib.import_module(f"gateway_project.servers.{server}")
    module.serve(Passthrough(upstream), config, lambda: print("listening", flush=True))


if __name__ == "__main__":
    main()
