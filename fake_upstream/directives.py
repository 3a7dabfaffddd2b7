"""Parse and collect the directives that change how a request is answered."""

import zlib
from collections import deque
from dataclasses import dataclass, field

DEFAULTS: dict[str, int | None] = {
    "429": 1,
    "429-quota": None,
    "500-then-200": 1,
    "503": None,
    "bad-status": 418,
    "reject-stream-options": 400,
    "hang": None,
    "drop": None,
    "cut": 3,
    "cut-close": 3,
    "cut-clean": 3,
    "error-event": 3,
    "malformed": 3,
    "slow-first-byte": 2000,
    "slow": 200,
    "huge": 10,
    "empty": None,
    "gzip": None,
    "no-usage": None,
    "tokens": 16,
    "reasoning": 8,
    "cached": 8,
    "cache-write": 8,
    "cache-write-1h": 8,
    "echo": None,
    "snapshot": None,
}

Directives = dict[str, int | None]
NOTHING: Directives = {}


def parse(text: str) -> Directives:
    """Raises ValueError for a name nobody knows: a misspelt fault must not pass for a healthy answer."""
    found: Directives = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in DEFAULTS:
            raise ValueError(f"unknown directive {name!r}; known: {', '.join(DEFAULTS)}")
        found[name] = int(value) if value else DEFAULTS[name]
    return found


@dataclass(slots=True)
class _Scripted:
    directives: Directives
    times: int
    path: str


@dataclass(slots=True)
class Script:
    """Directives for requests to come, and how often a failing request has failed."""

    queue: deque[_Scripted] = field(default_factory=deque)
    failures: dict[tuple[str, int], int] = field(default_factory=dict)

    def add(self, fault: str, times: int, path: str) -> None:
        """Apply `fault` to the next `times` requests whose path ends in `path` (empty: any)."""
        self.queue.append(_Scripted(parse(fault), times, path))

    def take(self, path: str) -> Directives:
        """The directives scripted for a request to this path; uses one up."""
        for entry in self.queue:
            if path.endswith(entry.path):
                entry.times -= 1
                if entry.times <= 0:
                    self.queue.remove(entry)
                return entry.directives
        return NOTHING

    def fails_again(self, path: str, body: bytes, failures: int) -> bool:
        """Whether this request still has to fail. After the success it starts anew."""
        key = (path, zlib.crc32(body))
        done = self.failures.get(key, 0)
        if done >= failures:
            self.failures.pop(key, None)
            return False
        self.failures[key] = done + 1
        return True


def split_model(model: str) -> tuple[str, Directives]:
    """`gpt-4o@cut=2` is the model `gpt-4o` and the directive `cut=2`. Raises ValueError as `parse` does."""
    name, at, directives = model.partition("@")
    return name, parse(directives) if at else NOTHING
