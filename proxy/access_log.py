"""One line per request: never a header or a query, which may hold secrets or personal data, and bodies only when the
operator asked for them."""

import sys
from typing import IO

import orjson

from gateway_project.shared import clock
from proxy.reply import Reply
from proxy.visit import Visit


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
        self._lines: list[bytes] = []

    def write(self, visit: Visit, reply: Reply) -> None:
        if not self._enabled:
            return
        request, meter = visit.request, visit.meter
        latency_ms = int((clock.perf() - request.started) * 1000)
        body = self._body_of(visit)
        if self._as_json:
            line = orjson.dumps(
                {
                    "event": "request",
                    "at": request.arrived_at,
                    "request_id": request.id,
                    "key_id": visit.key.id,
                    "method": request.method,
                    "path": request.path,
                    "status": meter.status,
                    "ending": meter.ending,
                    "latency_ms": latency_ms,
                }
                | ({"body": body} if body else {})
            )
        else:
            text = f"{request.method} {request.path} {meter.status} {meter.ending} {latency_ms} ms {request.id}"
            line = f"{text} {body!r}".encode() if body else text.encode()
        self._lines.append(line)

    def _body_of(self, visit: Visit) -> str:
        if not self._body_bytes or visit.body is None:
            return ""
        return visit.body.content[: self._body_bytes].decode("utf-8", "replace")

    def flush(self) -> None:
        """Write the lines kept since the last time, in one go."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            self._stream.write(b"\n".join(lines) + b"\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._enabled = False
