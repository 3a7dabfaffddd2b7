"""One line per request: never a header or a query, which may hold secrets or personal data, and bodies only when the
operator asked for them."""

import sys
from typing import IO

import orjson

from gateway_project.shared import clock
from proxy.reply import Reply
from proxy.visit import Visit

# at, request id, key id, method, path, status, ending, latency in ms, body
_Kept = tuple[int, str, str, str, str, int, str, int, str]


class AccessLog:
    """Writes JSON lines or plain ones. A stream that is gone stops the log, not the request.

    body_bytes: how much of a request's body, and so of its prompt, goes into its line; 0 for nothing of it.
    """

    def __init__(
        self, stream: IO[bytes] | None = None, *, enabled: bool = True, as_json: bool = True, body_bytes: int = 0
    ) -> None:
        self._stream = stream if stream is not None else sys.stdout.buffer
        self._enabled = enabled
        self._as_json = as_json
        self._body_bytes = body_bytes
        self._kept: list[_Kept] = []

    def write(self, visit: Visit, reply: Reply) -> None:
        """Keep what a line says; it is put together later, many at a time, which costs half of it one by one."""
        del reply
        if not self._enabled:
            return
        request, meter = visit.request, visit.meter
        latency_ms = int((clock.perf() - request.started) * 1000)
        said = (request.arrived_at, request.id, visit.key.id, request.method, request.path, meter.status, meter.ending)
        self._kept.append((*said, latency_ms, self._body_of(visit)))

    def _line(self, kept: _Kept) -> bytes:
        at, request_id, key_id, method, path, status, ending, latency_ms, body = kept
        if not self._as_json:
            text = f"{method} {path} {status} {ending} {latency_ms} ms {request_id}"
            return f"{text} {body!r}".encode() if body else text.encode()
        members = {
            "event": "request",
            "at": at,
            "request_id": request_id,
            "key_id": key_id,
            "method": method,
            "path": path,
            "status": status,
            "ending": ending,
            "latency_ms": latency_ms,
        }
        return orjson.dumps(members | ({"body": body} if body else {}))

    def _body_of(self, visit: Visit) -> str:
        if not self._body_bytes or visit.body is None:
            return ""
        return visit.body.content[: self._body_bytes].decode("utf-8", "replace")

    def flush(self) -> None:
        """Write the lines kept since the last time, in one go."""
        if not self._kept:
            return
        kept, self._kept = self._kept, []
        lines = [self._line(each) for each in kept]
        try:
            self._stream.write(b"\n".join(lines) + b"\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._enabled = False
