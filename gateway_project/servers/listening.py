"""What a server is told, whichever it is, and the socket it listens on."""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gateway_project.env import SettingError

BACKLOG = 2048
MAX_HEADER_BYTES = 64 * 1024
# Slower than this after the first slow_sender_s, and a request is cut: it only holds a connection.
MIN_BYTES_PER_S = 1024

Announce = Callable[[], None]


class Application(Protocol):
    """An ASGI application with a life of its own: servers here never send lifespan events."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def start(self) -> None:
        """Before the first request; a failure keeps the server from listening."""
        ...

    def begin_stopping(self) -> None:
        """No new work is wanted: readiness turns false. Requests in flight go on."""
        ...

    async def stop(self) -> None:
        """After the last request."""
        ...


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Times in seconds. too_large_body: JSON that answers a request whose body exceeds max_body_bytes."""

    host: str
    port: int
    stop_grace_s: float
    slow_sender_s: float
    max_body_bytes: int
    too_large_body: bytes


def open_socket(host: str, port: int) -> socket.socket:
    """Listening, non-blocking, shareable with the sibling processes of a role."""
    listener = _bound(host, port, share=True)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def check_address_free(host: str, port: int, *, host_variable: str, port_variable: str) -> None:
    """Raises SettingError when somebody else listens there: a shared bind would silently take turns with them."""
    try:
        _bound(host, port, share=False).close()
    except OSError as error:
        raise SettingError(_explain(error, host, port, (host_variable, port_variable))) from error


def _bound(host: str, port: int, *, share: bool) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _explain(error: OSError, host: str, port: int, variables: tuple[str, str]) -> str:
    host_variable, port_variable = variables
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken. Stop what listens there, or choose another one with {port_variable}."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has. Choose one above 1023 with {port_variable}."
    return f"Cannot listen on {host}:{port} ({error.strerror}). Set {host_variable} to an address of this machine."
