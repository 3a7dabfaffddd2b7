"""Daphne, with what its own command lacks: a drain on SIGTERM, a limit on bodies, a shared port.

Importing this module chooses Twisted's reactor for the process. What stays as Daphne has it: no back-pressure
towards a slow reader, whole bodies before the application sees any, no lifespan events.
"""

import asyncio
import signal
import time
from http import HTTPStatus
from typing import Any

import uvloop
from twisted.internet import asyncioreactor

# Before daphne.server is imported, which would choose the plain event loop.
asyncioreactor.install(uvloop.new_event_loop())

from daphne.http_protocol import HTTPFactory, WebRequest  # noqa: E402
from daphne.server import Server  # noqa: E402
from twisted.internet import reactor as installed_reactor  # noqa: E402
from twisted.web.http import RESPONSES  # noqa: E402

from gateway_project.servers.listening import (  # noqa: E402
    MAX_HEADER_BYTES,
    MIN_BYTES_PER_S,
    Announce,
    Application,
    ServerConfig,
    open_socket,
)

# Twisted knows no names of the younger statuses, 429 among them.
RESPONSES.update({status.value: status.phrase.encode() for status in HTTPStatus})
# Twisted types it as a module; it is the object installed above.
reactor: Any = installed_reactor
_BODY_PART_BYTES = 1024 * 1024
_POLL_S = 0.05
_CANCELLED_TASKS_S = 5.0
# Closing at once would reset the connection and take the answer with it, while the client still sends.
_LINGER_S = 1.0


def serve(application: Application, config: ServerConfig, announce: Announce) -> None:
    """Serve until SIGTERM: stop listening, let requests in flight end, then stop the application."""
    loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
    asyncio.set_event_loop(loop)
    loop.run_until_complete(application.start())
    _GatewayServer(application, config, announce).run()


class _GatewayServer(Server):
    def __init__(self, application: Application, config: ServerConfig, announce: Announce) -> None:
        super().__init__(
            application,
            endpoints=["adopted"],
            signal_handlers=False,
            request_buffer_size=_BODY_PART_BYTES,
            ready_callable=self._listen,
            server_name="",
            verbosity=1,
        )
        self.endpoints: list[str] = []  # Daphne insists on one; the socket is adopted in _listen instead.
        self.config = config
        self.announce = announce
        self._stopping: asyncio.Task[None] | None = None

    def _listen(self) -> None:
        self.http_factory = _Factory(self)
        listener = open_socket(self.config.host, self.config.port)
        self._port = reactor.adoptStreamPort(listener.fileno(), listener.family, self.http_factory)
        listener.close()  # Twisted has a duplicate of its own.
        loop = asyncio.get_event_loop()
        loop.add_signal_handler(signal.SIGTERM, self._begin_stopping)
        loop.call_soon(self.announce)

    def _begin_stopping(self) -> None:
        if self._stopping is None:
            self.application.begin_stopping()
            self._stopping = asyncio.ensure_future(self._stop_when_idle())

    async def _stop_when_idle(self) -> None:
        try:
            await self._port.stopListening().asFuture(asyncio.get_running_loop())
            await self._until_idle()
            await self._cancel_applications()
            await self.application.stop()
        finally:
            reactor.stop()

    async def _until_idle(self) -> None:
        deadline = time.monotonic() + self.config.stop_grace_s
        while self.http_factory.close_idle_channels() and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)

    async def _cancel_applications(self) -> None:
        running = [
            instance
            for details in self.connections.values()
            if (instance := details.get("application_instance")) and not instance.done()
        ]
        for instance in running:
            instance.cancel()
        if running:
            await asyncio.wait(running, timeout=_CANCELLED_TASKS_S)

    def kill_all_applications(self) -> None:
        """Done by _cancel_applications; Daphne's own raises for connections without an application."""


class _Request(WebRequest):
    """Refuses a body while it arrives, not after all of it is held."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._began_at = time.monotonic()
        self._received = 0
        self._refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802  (Twisted's name)
        super().gotLength(length)
        if length is not None and length > self.server.config.max_body_bytes:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802  (Twisted's name)
        self._received += len(data)
        if self._refused:
            return
        if self._received > self.server.config.max_body_bytes:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def process(self) -> Any:
        return None if self._refused else super().process()

    def check_timeouts(self) -> None:
        # Daphne asks those that are gone as well, until it forgets them, and never again after an exception.
        arrived = hasattr(self, "request_start") or self.channel is None
        waited_s = time.monotonic() - self._began_at
        if not arrived and waited_s > self.server.config.slow_sender_s and self._received < MIN_BYTES_PER_S * waited_s:
            self.channel.forceAbortClient()

    def handle_exception(self, exception: BaseException) -> None:
        """An answer that has begun can only be cut; Daphne would try to begin it anew, fail and stop looking."""
        if self._response_started:
            self._hang_up()
        else:
            super().handle_exception(exception)

    def _refuse(self) -> None:
        self._refused = True
        self.requestHeaders.removeHeader(b"expect")
        body = self.server.config.too_large_body
        head = b"HTTP/1.1 413 Request Entity Too Large\r\ncontent-type: application/json\r\nx-gateway-error: true\r\n"
        self.channel.transport.write(head + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
        reactor.callLater(_LINGER_S, self._hang_up)

    def _hang_up(self) -> None:
        if self.channel is not None:
            self.channel.forceAbortClient()


class _Factory(HTTPFactory):
    def __init__(self, server: _GatewayServer) -> None:
        super().__init__(server)
        self.timeOut = server.config.slow_sender_s
        self._protocols: set[Any] = set()

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802  (Twisted's name)
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = _Request
        channel = protocol._channel
        channel.totalHeadersSize = MAX_HEADER_BYTES
        self._protocols.add(protocol)
        lost = channel.connectionLost

        def connection_lost(reason: Any) -> None:
            self._protocols.discard(protocol)
            lost(reason)

        channel.connectionLost = connection_lost
        return protocol

    def log(self, request: Any) -> None:
        """The application writes the access log; formatting Twisted's line costs CPU for nothing."""

    def close_idle_channels(self) -> int:
        """Close what waits for a next request; how many still work on one."""
        busy = 0
        for protocol in list(self._protocols):
            channel = protocol._channel
            # A WebSocket handshake was handed over, and its request stays in the list for ever.
            if any(request.transport is not None for request in channel.requests):
                busy += 1
                channel.persistent = False
            else:
                channel.loseConnection()
        return busy
