"""The fake upstream for tests: start it, read what it received, make it fail."""

import base64
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fake_upstream.call import Options
from fake_upstream.server import ServerThread

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as the upstream received it. Times are unix seconds."""

    number: int
    connection: int
    at: float
    method: str
    target: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    """Names as they were sent, in the order they were sent."""
    body: bytes
    status: int | None
    chunks: int
    """Content chunks that were generated for it."""
    ending: str
    """Empty while running, then `complete`, `client-left`, `cut` or `hung`."""
    ended_at: float | None

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case; None when it was not sent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


@dataclass(slots=True)
class Upstream:
    """A running fake upstream. Give providers `url` (origin) or `base_url` (with /v1)."""

    url: str

    @property
    def base_url(self) -> str:
        """What an SDK takes as its base URL."""
        return f"{self.url}/v1"

    def requests(self, limit: int = 100) -> list[SeenRequest]:
        """The last requests, oldest first."""
        return [_seen(shown) for shown in self._control("GET", f"requests?limit={limit}")]

    def last(self) -> SeenRequest:
        """The latest request. Raises IndexError when there was none."""
        return self.requests(1)[-1]

    def count(self) -> int:
        """Requests since the start or the last reset; counted also when nothing is recorded."""
        return int(self._control("GET", "count")["requests"])

    def connections(self) -> list[dict[str, Any]]:
        """Connections with `opened_at`, `closed_at`, `closed_by`, `requests`, `request_number`, `chunks`."""
        found: list[dict[str, Any]] = self._control("GET", "connections")
        return found

    def fail(self, fault: str, *, times: int = 1, path: str = "") -> None:
        """Apply directives (`429`, `cut=5`, `slow=20,hang=3`) to the next requests to a path ending in `path`."""
        self._control("POST", "faults", {"fault": fault, "times": times, "path": path})

    def options(self, **options: Any) -> None:
        """Set `require_key`, `pause_ms`, `tokens`, `snapshots` or `record`."""
        self._control("POST", "options", options)

    def reset(self) -> None:
        """Forget requests, faults and stored objects; options return to those of the start."""
        self._control("POST", "reset")

    def wait_for(self, condition: Callable[[SeenRequest], bool], timeout_s: float = 5.0) -> SeenRequest:
        """The newest recorded request that meets the condition. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while True:
            for request in reversed(self.requests()):
                if condition(request):
                    return request
            if time.monotonic() > deadline:
                raise TimeoutError(f"no such request; seen: {self.requests(5)}")
            time.sleep(0.02)

    def wait_for_ending(self, ending: str, timeout_s: float = 5.0) -> SeenRequest:
        """The newest request that ended so, for example `client-left`."""
        return self.wait_for(lambda request: request.ending == ending, timeout_s)

    def _control(self, method: str, name: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request(method, f"/__control/{name}", None if body is None else json.dumps(body))
            answer = connection.getresponse()
            document = json.load(answer)
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(document["error"]["message"])
        return document


@contextmanager
def running_upstream(*arguments: str) -> Iterator[Upstream]:
    """Start `python -m fake_upstream` on a free port as a process of its own; end it afterwards."""
    command = [sys.executable, "-m", "fake_upstream", "--port", "0", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the fake upstream ended with {process.wait()}")
        yield Upstream(line.split()[-1])
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def upstream_in_thread(options: Options | None = None) -> Iterator[Upstream]:
    """The same in a thread: starts in milliseconds."""
    thread = ServerThread(options or Options())
    try:
        yield Upstream(thread.start())
    finally:
        thread.stop()


def _seen(shown: dict[str, Any]) -> SeenRequest:
    body = base64.b64decode(shown.pop("body_base64"))
    headers = tuple((name, value) for name, value in shown.pop("headers"))
    return SeenRequest(**shown, headers=headers, body=body)
