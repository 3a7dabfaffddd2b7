"""What tests may ask afterwards: requests received, connections, how many chunks went out, how each answer ended."""

import base64
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from fake_upstream.messages import Request

_MOST_RECORDS = 5000


@dataclass(slots=True)
class RequestRecord:
    """One request and what became of its answer."""

    request: Request
    at: float
    status: int | None = None
    chunks: int = 0
    """Content chunks that were generated and written."""
    ending: str = ""
    """Empty while running, then `complete`, `client-left`, `cut` or `hung` (still open, nothing more will come)."""
    ended_at: float | None = None

    def end(self, how: str) -> None:
        """Set the ending once; a client that leaves a hung answer ends it anew."""
        if self.ending in ("", "hung"):
            self.ending, self.ended_at = how, time.time()

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        request = self.request
        return {
            "number": request.number,
            "connection": request.connection,
            "at": self.at,
            "method": request.method,
            "target": request.target.decode("latin-1"),
            "path": request.path,
            "query": request.query,
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
            "body_base64": base64.b64encode(request.body).decode(),
            "status": self.status,
            "chunks": self.chunks,
            "ending": self.ending,
            "ended_at": self.ended_at,
        }


@dataclass(slots=True)
class ConnectionRecord:
    """One TCP connection. `closed_by` is `client` or `server`, empty while it is open."""

    number: int
    opened_at: float
    requests: int = 0
    closed_at: float | None = None
    closed_by: str = ""
    request_number: int | None = None
    """The request that was being answered when the connection closed."""
    chunks: int | None = None
    """Content chunks of that answer."""


@dataclass(slots=True)
class Recorder:
    """Keeps the last few thousand of each; `enabled=False` only counts requests."""

    enabled: bool = True
    count: int = 0
    by_path: Counter[str] = field(default_factory=Counter)
    requests: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=_MOST_RECORDS))
    connections: deque[ConnectionRecord] = field(default_factory=lambda: deque(maxlen=_MOST_RECORDS))

    def received(self, request: Request) -> RequestRecord | None:
        """None when recording is off."""
        self.count += 1
        if not self.enabled:
            return None
        self.by_path[request.path] += 1
        record = RequestRecord(request, time.time())
        self.requests.append(record)
        return record

    def opened(self, number: int) -> ConnectionRecord:
        """Note a new connection."""
        record = ConnectionRecord(number, time.time())
        self.connections.append(record)
        return record

    def clear(self) -> None:
        """Forget requests and closed connections."""
        self.count = 0
        self.by_path.clear()
        self.requests.clear()
        still_open = [connection for connection in self.connections if connection.closed_at is None]
        self.connections.clear()
        self.connections.extend(still_open)
