"""What a recorded or received stream says, whatever its framing: server-sent events or Amazon's event stream."""

import base64
from collections.abc import Iterator
from typing import Any

import orjson
from botocore.eventstream import EventStreamBuffer

from proxy import sse

EVENT_STREAM = "application/vnd.amazon.eventstream"


def events_of(content: bytes, content_type: str) -> list[Any]:
    """The JSON documents of a stream's events, in order."""
    if content_type.startswith(EVENT_STREAM):
        return [payload for _, payload in frames_of(content)]
    data = (sse.data_of(event) for event in sse.events(content))
    return [payload for each in data if (payload := sse.payload_of(each)) is not None]


def frames_of(content: bytes) -> Iterator[tuple[dict[str, Any], Any]]:
    """(headers, document) of Amazon's frames, as its own SDK reads them; a model's own document is unpacked."""
    buffer: Any = EventStreamBuffer()  # the stubs have it the wrong way round
    buffer.add_data(content)
    for message in buffer:
        document = orjson.loads(message.payload)
        if isinstance(document.get("bytes"), str):
            document = orjson.loads(base64.b64decode(document["bytes"]))
        yield message.headers, document


def tells_error(payload: Any) -> bool:
    return bool(payload.get("error")) or payload.get("type") in ("error", "response.failed")


def broken_off(content: bytes, content_type: str) -> bool:
    """Whether the stream ends with an error that the provider's own SDK raises."""
    if content_type.startswith(EVENT_STREAM):
        *_, (headers, _) = frames_of(content)
        return headers[":message-type"] in ("exception", "error")
    return tells_error(events_of(content, content_type)[-1])


def cut_points(content: bytes, content_type: str) -> list[int]:
    """Where to cut: in the middle of an event, after one with content, and just before the last."""
    ends = _frame_ends(content) if content_type.startswith(EVENT_STREAM) else _event_ends(content)
    return [ends[-2], ends[len(ends) // 2], ends[len(ends) // 2] + 9]


def whole_until(content: bytes, content_type: str) -> int:
    """Where the last whole event ends."""
    if content_type.startswith(EVENT_STREAM):
        return max((end for end in _frame_ends(content) if end <= len(content)), default=0)
    return len(sse.Splitter().feed(content))


def _event_ends(content: bytes) -> list[int]:
    found, position = [], 0
    for event in sse.events(content):
        position += len(event)
        found.append(position)
    return found


def _frame_ends(content: bytes) -> list[int]:
    found, position = [], 0
    while position < len(content):
        position += int.from_bytes(content[position : position + 4], "big")
        found.append(position)
    return found
