"""Small builders every endpoint uses."""

from typing import Any

import orjson

from fake_upstream.messages import Chunk, Reply

DONE: Chunk = (b"data: [DONE]\n\n", False)


def json_reply(document: Any, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(orjson.dumps(document), status)


def event(document: Any, *, content: bool = False, name: str = "") -> Chunk:
    """A server-sent event; `content` marks what is counted and paced."""
    data = b"data: " + orjson.dumps(document) + b"\n\n"
    return (f"event: {name}\n".encode() + data if name else data), content


def whole_number(value: Any) -> int | None:
    """The value when it is a whole number that is no boolean, else None (no limit)."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
