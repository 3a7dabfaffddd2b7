"""What Bedrock's stream frames say, and how a stream is ended before its provider would. Pure.

Sources: Amazon Bedrock Runtime API reference, `ResponseStream` and `ConverseStreamOutput`.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from providers.adapters.aws_events import Frame, encode_frame
from providers.adapters.base import CutContext
from providers.adapters.bedrock_usage import METRICS
from providers.records import TokenUsage

# The member under which an exception frame is read.
EXCEPTION = "exception"
_JSON = "application/json"


def payload_of(frame: Frame) -> Mapping[str, Any] | None:
    """A chunk's own JSON; another event as {name: what it says}, an error as {"exception": {type, message}}."""
    headers = frame.headers
    kind = headers.get(":message-type", "event")
    if kind == "error":
        return {EXCEPTION: {"type": headers.get(":error-code", ""), "message": headers.get(":error-message", "")}}
    document = _object(frame.payload)
    if kind == "exception":
        message = str((document or {}).get("message", ""))
        return {EXCEPTION: {"type": headers.get(":exception-type", ""), "message": message}}
    if document is None:
        return None
    name = headers.get(":event-type", "")
    return _chunk(document) if name == "chunk" else {name: document}


def _chunk(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    encoded = document.get("bytes")
    try:
        return _object(base64.b64decode(encoded)) if isinstance(encoded, str) else None
    except binascii.Error:
        return None


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def chunk_frame(payload: Mapping[str, Any]) -> bytes:
    """A chunk of InvokeModelWithResponseStream."""
    encoded = base64.b64encode(orjson.dumps(payload)).decode()
    return event_frame("chunk", {"bytes": encoded})


def event_frame(name: str, payload: Mapping[str, Any]) -> bytes:
    headers = {":event-type": name, ":content-type": _JSON, ":message-type": "event"}
    return encode_frame(headers, orjson.dumps(payload))


def exception_frame(name: str, message: str) -> bytes:
    headers = {":exception-type": name, ":content-type": _JSON, ":message-type": "exception"}
    return encode_frame(headers, orjson.dumps({"message": message}))


def cut_converse(context: CutContext) -> bytes:
    """The end of a conversation at its length limit: what is open is stopped, then the reason, then the usage."""
    events = [event_frame(*event) for event in _converse_end(context)]
    return b"".join(events)


def cut_chunks(context: CutContext) -> bytes:
    """The same for a model's own stream, in the shape that stream has begun in."""
    closing = [*_last_chunks(context)]
    closing[-1] = {**closing[-1], METRICS: _metrics(context.usage)}
    return b"".join(chunk_frame(payload) for payload in closing)


def _last_chunks(context: CutContext) -> Iterable[Mapping[str, Any]]:
    first = context.envelope
    shapes: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("completion", {"type": "completion", "completion": "", "stop_reason": "max_tokens", "stop": None}),
        ("generation", {"generation": "", "stop_reason": "length", **_llama_counts(context.usage)}),
        ("outputText", {"outputText": "", "index": 0, "completionReason": "LENGTH",
                        "inputTextTokenCount": context.usage.prompt_tokens,
                        "totalOutputTextTokenCount": context.usage.completion_tokens}),
        ("outputs", {"outputs": [{"text": "", "stop_reason": "length"}]}),
        ("event_type", {"event_type": "stream-end", "is_finished": True, "finish_reason": "MAX_TOKENS"}),
        ("is_finished", {"text": "", "is_finished": True, "finish_reason": "MAX_TOKENS"}),
    )  # fmt: skip
    for member, last in shapes:
        if member in first:
            return [last]
    if "messageStart" in first or "contentBlockDelta" in first:
        return [{name: payload} for name, payload in _converse_end(context)]
    if "choices" in first:
        envelope = {name: first[name] for name in ("id", "object", "created", "model") if name in first}
        return [{**envelope, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}]
    return _claude_end(context)


def _claude_end(context: CutContext) -> Iterable[Mapping[str, Any]]:
    if context.recent and context.recent[-1].get("type") == "message_delta":
        yield {"type": "message_stop"}
        return
    index = open_block(context.recent, "content_block_start", "content_block_delta", "content_block_stop")
    if index is not None:
        yield {"type": "content_block_stop", "index": index}
    usage = {"output_tokens": context.usage.output_tokens}
    yield {"type": "message_delta", "delta": {"stop_reason": "max_tokens", "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


def _converse_end(context: CutContext) -> Iterable[tuple[str, Mapping[str, Any]]]:
    index = _open_converse_block(context.recent)
    if index is not None:
        yield "contentBlockStop", {"contentBlockIndex": index}
    usage = context.usage
    tokens = {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.prompt_tokens + usage.completion_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
    }
    yield "messageStop", {"stopReason": "max_tokens"}
    yield "metadata", {"usage": tokens, "metrics": {"latencyMs": 0}}


def open_block(recent: Iterable[Mapping[str, Any]], start: str, delta: str, stop: str) -> int | None:
    """The index of the content block that has begun and has no end yet."""
    index: int | None = None
    for payload in recent:
        kind, at = payload.get("type"), payload.get("index")
        if kind in (start, delta) and isinstance(at, int):
            index = at
        elif kind == stop:
            index = None
    return index


def _open_converse_block(recent: Iterable[Mapping[str, Any]]) -> int | None:
    told = (
        {"type": name, "index": event.get("contentBlockIndex")}
        for payload in recent
        for name, event in payload.items()
        if isinstance(event, dict)
    )
    return open_block(told, "contentBlockStart", "contentBlockDelta", "contentBlockStop")


def _metrics(usage: TokenUsage) -> Mapping[str, int]:
    return {
        "inputTokenCount": usage.input_tokens,
        "outputTokenCount": usage.output_tokens,
        "invocationLatency": 0,
        "firstByteLatency": 0,
    }


def _llama_counts(usage: TokenUsage) -> Mapping[str, int]:
    return {"prompt_token_count": usage.prompt_tokens, "generation_token_count": usage.completion_tokens}
