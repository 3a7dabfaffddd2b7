"""uvicorn with uvloop and httptools: the same application at a fraction of Daphne's CPU."""

import asyncio
import contextlib
import signal
from collections.abc import Generator
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway_project.servers.listening import (
    MAX_HEADER_BYTES,
    MIN_BYTES_PER_S,
    Announce,
    Application,
    ServerConfig,
    open_socket,
)

_KEEP_ALIVE_S = 75
_CANCELLED_TASKS_S = 5.0


def serve(application: Application, config: ServerConfig, announce: Announce) -> None:
    """Serve until SIGTERM: stop listening, let requests in flight end, then stop the application."""
    uvloop.run(_serve(application, config, announce))


async def _serve(application: Application, config: ServerConfig, announce: Announce) -> None:
    await application.start()
    try:
        listener = open_socket(config.host, config.port)
        server = _Server(_uvicorn_config(application, config), announce)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.begin_stopping, application)
        await server.serve(sockets=[listener])
        if server.server_state.tasks:
            await asyncio.wait(server.server_state.tasks, timeout=_CANCELLED_TASKS_S)
    finally:
        await application.stop()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Announce) -> None:
        super().__init__(config)
        self._announce = announce

    def begin_stopping(self, application: Application) -> None:
        if not self.should_exit:
            application.begin_stopping()
            self.should_exit = True

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are handled by this module: uvicorn would raise SIGTERM anew before the application stops."""
        yield


def _uvicorn_config(application: Application, config: ServerConfig) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        interface="asgi3",  # not told by a listener, which is no coroutine function
        http=_protocol_class(config),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        # A client's x-forwarded-for must not make it a loopback peer.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(config.stop_grace_s) or 1,
    )


def _protocol_class(config: ServerConfig) -> type[HttpToolsProtocol]:
    class Guarded(GuardedProtocol):
        slow_sender_s = config.slow_sender_s

    return Guarded


class GuardedProtocol(HttpToolsProtocol):
    """Cuts senders that are too slow, silent from the start, or whose headers do not end."""

    slow_sender_s = 30.0
    _began_at: float | None = None
    _received = 0
    _header_bytes = 0
    _in_headers = False
    _check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.slow_sender_s, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._began_at is None:
            return
        self._received += len(data)
        if self._in_headers:
            self._header_bytes += len(data)
        if self._header_bytes > MAX_HEADER_BYTES:
            self.transport.close()
        elif self._check is None:
            self._check = self.loop.call_later(self.slow_sender_s, self._check_speed)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._began_at, self._received, self._header_bytes, self._in_headers = self.loop.time(), 0, 0, True

    def on_headers_complete(self) -> None:
        self._in_headers, self._header_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _forget(self) -> None:
        self._began_at = None
        if self._check is not None:
            self._check.cancel()
            self._check = None

    def _check_speed(self) -> None:
        self._check = None
        if self._began_at is None or self.transport.is_closing():
            return
        waited_for_us = self.flow is not None and self.flow.read_paused
        if not waited_for_us and self._received < MIN_BYTES_PER_S * (self.loop.time() - self._began_at):
            self.transport.close()
        else:
            self._check = self.loop.call_later(self.slow_sender_s, self._check_speed)
