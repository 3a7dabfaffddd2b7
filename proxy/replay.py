"""A stored answer as a client asked for it: plain or as a stream, with its usage or without."""

from collections.abc import Iterable
from typing import Any

import orjson

from proxy import replay_chat, replay_responses, replay_text, sse
from proxy.cache_entry import Entry, payloads_of
from proxy.relay_stream import without_null_usage
from proxy.replaying import CannotTurn, Document

PLAIN_TYPE = (b"content-type", b"application/json")
STREAM_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")
_DONE = b"data: [DONE]\n\n"
_USAGE = b'"usage"'


def replay(entry: Entry, *, stream: bool, usage_asked: bool) -> bytes:
    """The body of the answer. Raises CannotTurn when the stored one does not tell what was asked for."""
    if entry.stream and stream:
        return _as_asked(entry, usage_asked=usage_asked)
    if entry.stream:
        return _plain(entry)
    return _streamed(entry, usage_asked=usage_asked) if stream else entry.body


def _as_asked(entry: Entry, *, usage_asked: bool) -> bytes:
    """A stream again. The gateway asks for usage itself where it can, so what was not asked for is taken out."""
    if entry.operation == "responses":
        return entry.body
    if not usage_asked:
        body = without_null_usage(entry.body)
        return body if _USAGE not in body else b"".join(e for e in sse.events(body) if not _is_usage(e))
    if not any(isinstance(payload.get("usage"), dict) for payload in payloads_of(entry.body)):
        raise CannotTurn("no usage is known")
    return entry.body


def _is_usage(event: bytes) -> bool:
    """Whether it is there for its usage only. Usage beside a choice, as some servers send it, stays."""
    payload = sse.payload_of(sse.data_of(event)) if _USAGE in event else None
    return payload is not None and isinstance(payload.get("usage"), dict) and not payload.get("choices")


def _plain(entry: Entry) -> bytes:
    payloads = list(payloads_of(entry.body))
    match entry.operation:
        case "chat":
            return orjson.dumps(replay_chat.put_together(payloads))
        case "text_completion":
            return orjson.dumps(replay_text.put_together(payloads))
        case "responses":
            return orjson.dumps(replay_responses.put_together(payloads))
    raise CannotTurn(f"streams of {entry.operation}")


def _streamed(entry: Entry, *, usage_asked: bool) -> bytes:
    answer: Any = orjson.loads(entry.body)
    match entry.operation:
        case "chat":
            return _events(replay_chat.take_apart(answer, usage_asked=usage_asked)) + _DONE
        case "text_completion":
            return _events(replay_text.take_apart(answer, usage_asked=usage_asked)) + _DONE
        case "responses":
            return _events(replay_responses.take_apart(answer), named=True)
    raise CannotTurn(f"streams of {entry.operation}")


def _events(payloads: Iterable[Document], *, named: bool = False) -> bytes:
    lines: list[bytes] = []
    for payload in payloads:
        if named:
            lines.append(b"event: " + str(payload["type"]).encode() + b"\n")
        lines.append(b"data: " + orjson.dumps(payload) + b"\n\n")
    return b"".join(lines)
