"""Server-sent events as bytes: where they end, and what JSON they carry. Source: WHATWG HTML, section 9.2."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

_BLANKS = (b"\n\n", b"\n\r\n", b"\r\r")
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\n\r\n|\r\r")


class Splitter:
    """Cuts what arrives in pieces of any size into runs of whole events."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> bytes:
        """The whole events there are now, b"" for none."""
        rest = self._rest
        if not rest and chunk.endswith(b"\n\n"):
            return chunk
        # A blank line may begin in what is kept; everything before was searched already.
        searched = max(len(rest) - 3, 0)
        rest += chunk
        end = max(at + len(blank) if (at := rest.rfind(blank, searched)) >= 0 else 0 for blank in _BLANKS)
        if not end:
            return b""
        whole = bytes(rest[:end])
        del rest[:end]
        return whole

    def rest(self) -> bytes:
        """What has come of an event whose end has not."""
        return bytes(self._rest)


def events(data: bytes) -> Iterator[bytes]:
    """The events of a run of whole events, each with its blank line."""
    position = 0
    for end in _EVENT_END.finditer(data):
        yield data[position : end.end()]
        position = end.end()
    if position < len(data):
        yield data[position:]


def data_of(event: bytes) -> bytes:
    """What the data lines of one event say."""
    lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)


def payload_of(data: bytes) -> Mapping[str, Any] | None:
    """The JSON object in an event's data; None when there is none ([DONE], comments, other text)."""
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        payload = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return payload if isinstance(payload, dict) else None


@lru_cache(64)
def of_type(types: frozenset[str]) -> re.Pattern[bytes]:
    """What an event of one of these types has in it, and perhaps others too: its text may say anything."""
    names = "|".join(re.escape(name) for name in sorted(types))
    return re.compile(rf'"type"\s*:\s*"(?:{names})"'.encode())


def payloads(data: bytes) -> list[Mapping[str, Any]]:
    """The JSON objects in a run of whole events."""
    found = (payload_of(data_of(event)) for event in events(data))
    return [payload for payload in found if payload is not None]
