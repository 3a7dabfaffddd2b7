"""One request as the endpoints see it: parsed body, parameters, directives, and the state of the provider."""

import itertools
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from fake_upstream.directives import NOTHING, Directives, Script
from fake_upstream.messages import Request
from fake_upstream.multipart import Form
from fake_upstream.objects import ObjectStore
from fake_upstream.text import Generation, generate, words

SNAPSHOTS = {
    "gpt-3.5-turbo": "gpt-3.5-turbo-0125",
    "gpt-4": "gpt-4-0613",
    "gpt-4-turbo": "gpt-4-turbo-2024-04-09",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "o3": "o3-2025-04-16",
    "o4-mini": "o4-mini-2025-04-16",
}

_PREFIX = uuid.uuid4().hex[:16]
_NUMBERS = itertools.count(1)


def new_id(prefix: str) -> str:
    """Unique over restarts too, and cheap: a random half for the process and a number."""
    return f"{prefix}{_PREFIX}{next(_NUMBERS):012x}"


@dataclass(slots=True)
class Options:
    """How the provider behaves unless a request's directives say otherwise."""

    require_key: str = ""
    """The only accepted key; empty accepts any, also none."""
    pause_ms: float = 0.0
    tokens: int = 16
    snapshots: bool = False
    record: bool = True


@dataclass(slots=True)
class State:
    """What the provider remembers."""

    options: Options
    script: Script = field(default_factory=Script)
    objects: ObjectStore = field(default_factory=ObjectStore)


@dataclass(slots=True)
class Call:
    """What an endpoint is given."""

    request: Request
    path: str
    """The path without host prefix and version, beginning with a slash."""
    state: State
    body: Any = None
    form: Form | None = None
    model: str = ""
    directives: Directives = field(default_factory=lambda: NOTHING)
    now: int = field(default_factory=lambda: int(time.time()))

    @property
    def query(self) -> dict[str, str]:
        """The last value of each query parameter."""
        return {name: values[-1] for name, values in parse_qs(self.request.query).items()}

    @property
    def answered_model(self) -> str:
        """The model the answer names."""
        if self.state.options.snapshots or "snapshot" in self.directives:
            return SNAPSHOTS.get(self.model, self.model)
        return self.model

    def member(self, name: str, default: Any = None) -> Any:
        """A member of the JSON body or a form field; `default` also stands for null."""
        if self.form is not None:
            return self.form.text(name) or default
        value = self.body.get(name) if isinstance(self.body, dict) else None
        return default if value is None else value

    def prose(self, last_message: str, limit: int | None) -> Generation:
        """What the provider says when it may say anything."""
        if "echo" in self.directives:
            pieces = [f" {word}" if i else word for i, word in enumerate(last_message.split())]
        else:
            pieces = words(self.directives.get("tokens") or self.state.options.tokens)
        return generate(pieces, self.directives, limit)
