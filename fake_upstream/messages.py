"""What a connection hands to the application, and what it gets back."""

from collections.abc import Iterator
from dataclasses import dataclass, field

Headers = list[tuple[bytes, bytes]]

Chunk = tuple[bytes, bool]
"""Bytes of a streamed body, and whether they are content (counted, paced and cut after)."""


@dataclass(slots=True)
class Request:
    """One received request. Header names are as sent; `target` is the raw request target."""

    number: int
    connection: int
    method: str
    target: bytes
    path: str
    query: str
    headers: Headers
    body: bytes
    keep_alive: bool = True

    def header(self, name: bytes) -> str:
        """The first value of a header given in lower case; empty when it is missing."""
        for key, value in self.headers:
            if key.lower() == name:
                return value.decode("latin-1")
        return ""


@dataclass(slots=True)
class Reply:
    """A whole answer."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stream:
    """An answer sent chunk by chunk with chunked transfer coding."""

    chunks: Iterator[Chunk]
    content_type: str = "text/event-stream; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Answer = Reply | Stream


@dataclass(slots=True)
class Delivery:
    """How an answer is put on the wire. `None` means: not at all."""

    answer: Answer | None
    delay_s: float = 0.0
    pause_s: float = 0.0
    stop_after: int | None = None
    """Content chunks after which `stop_how` happens; half the body of a plain answer."""
    stop_how: str = "end"
    """`reset`, `close`, `end` (a proper end of the body) or `hang`."""
