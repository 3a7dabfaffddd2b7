"""Requests as bytes on the wire, where a client library would not send them."""

import socket
from urllib.parse import urlsplit

from tests.proxy_gateway import Caller

CHAT = "/chat/completions"
BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
JSON = {"content-type": "application/json"}


def raw(caller: Caller, request: bytes) -> bytes:
    """The whole answer to these bytes; they must ask for the connection to be closed."""
    address = urlsplit(caller.gateway.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(request)
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


def head(caller: Caller, method: str, target: bytes, *headers: bytes) -> bytes:
    """The head of a request with the caller's key."""
    lines = [
        method.encode() + b" " + target + b" HTTP/1.1",
        b"Host: gateway",
        b"Authorization: Bearer " + caller.secret.encode(),
        b"Connection: close",
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
