"""Anthropic: messages, the older completions, batches, models and files."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from providers.adapters import members
from providers.adapters.anthropic_operations import facts_of, operation_of
from providers.adapters.anthropic_usage import plain_reading, told_in
from providers.adapters.base import (
    BodyFacts,
    CutContext,
    ErrorDialect,
    Operation,
    PlainTransport,
    StreamDialect,
    UpstreamRequest,
    UsageReading,
)
from providers.records import ProviderRecord, TokenUsage

VERSION_HEADER = "anthropic-version"
DEFAULT_VERSION = "2023-06-01"
_MESSAGES = StreamDialect(last_types=frozenset({"message_stop", "error"}), always_ends=True)
# A completion ends with an event like all the others.
_OTHERS = StreamDialect(last_types=frozenset({"error"}))
_RESULTS_URL = re.compile(rb'("results_url"\s*:\s*")https?://[^"/]+[^"]*?(/v1/messages/batches/[^"/]+/results")')
_TEXT_MEMBERS = ("text", "thinking", "partial_json", "content")


class AnthropicAdapter(PlainTransport):
    """The Anthropic API, every path of it, also ones invented after today."""

    provider = "anthropic"
    path_prefix = "/api/providers/anthropic/v1"
    error_dialect: ErrorDialect = "anthropic"
    prepares = True
    read_members = members.ANTHROPIC

    def prepare(self, setting: ProviderRecord, operation: Operation, request: UpstreamRequest) -> UpstreamRequest:
        """With a version, where the client names none: the provider wants one."""
        del setting, operation
        if any(name == VERSION_HEADER for name, _ in request.headers):
            return request
        return request._replace(headers=[*request.headers, (VERSION_HEADER, DEFAULT_VERSION)])

    def operation(self, method: str, tail: str) -> Operation:
        return operation_of(method, tail)

    def read_body(self, operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
        return facts_of(operation, document)

    def credentials(self, setting: ProviderRecord) -> tuple[tuple[str, str], ...]:
        return (("x-api-key", setting.secrets.get("apikey", "")),)

    def stream(self, operation: Operation) -> StreamDialect:
        return _MESSAGES if operation.name == "chat" else _OTHERS

    def read_answer(self, operation: Operation, content: bytes) -> UsageReading | None:
        return plain_reading(content) if operation.name == "chat" else None

    def read_usage(self, operation: Operation, payload: Mapping[str, Any]) -> UsageReading:
        return told_in(payload)

    def read_event(self, operation: Operation, payload: Mapping[str, Any], before: TokenUsage | None) -> UsageReading:
        return told_in(payload, before)

    def led_back(self, operation: Operation, content: bytes) -> bytes:
        """SDKs fetch a batch's results where it says they are: a path they take below their own base URL."""
        return _RESULTS_URL.sub(rb"\1\2", content) if operation.name in ("batches", "read_batches") else content

    def text_of(self, operation: Operation, payload: Mapping[str, Any], *, streamed: bool) -> str:
        if isinstance(completion := payload.get("completion"), str):
            return completion
        if not streamed:
            content = payload.get("content")
            return "".join(_block_text(block) for block in content) if isinstance(content, list) else ""
        delta = payload.get("delta")
        if isinstance(delta, str):  # a whole answer's text, which is counted as one event
            return delta
        if isinstance(delta, dict):
            return "".join(value for name in _TEXT_MEMBERS if isinstance(value := delta.get(name), str))
        return _block_text(payload.get("content_block"))

    def cut_events(self, operation: Operation, context: CutContext) -> bytes:
        if operation.name == "text_completion":
            named = {name: context.envelope.get(name) for name in ("id", "model", "log_id")}
            last = {"type": "completion", **named, "completion": "", "stop_reason": "max_tokens", "stop": None}
            return event_of(last)
        if _last_type_of(context.recent) == "message_delta":
            return event_of({"type": "message_stop"})
        begun = _open_block(context.recent)
        closing = [] if begun is None else [event_of({"type": "content_block_stop", "index": begun})]
        stopped = {"stop_reason": "max_tokens", "stop_sequence": None}
        last = {"type": "message_delta", "delta": stopped, "usage": usage_document(context.usage)}
        return b"".join([*closing, event_of(last), event_of({"type": "message_stop"})])

    def error_in(self, operation: Operation, payload: Mapping[str, Any]) -> str | None:
        error = payload.get("error")
        if payload.get("type") != "error" and not isinstance(error, Mapping):
            return None
        kind = error.get("type") if isinstance(error, Mapping) else None
        return str(kind or "upstream_error")

    def error_event(self, operation: Operation, error: Mapping[str, Any]) -> bytes:
        told = {"type": "api_error", "message": error.get("message"), "details": {"error_code": error.get("code")}}
        return event_of({"type": "error", "error": told})


def event_of(payload: Mapping[str, Any]) -> bytes:
    """A server-sent event named as its payload's type, as the SDKs want it."""
    return b"event: %b\ndata: %b\n\n" % (str(payload["type"]).encode(), orjson.dumps(payload))


def usage_document(usage: TokenUsage) -> dict[str, Any]:
    """Usage as the API tells it at the end of a stream."""
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    }


def _block_text(block: Any) -> str:
    """What the model wrote of a block; results of the provider's own tools it did not write."""
    if not isinstance(block, dict) or str(block.get("type", "")).endswith("_result"):
        return ""
    parts = [value for name in ("text", "thinking", "name") if isinstance(value := block.get(name), str)]
    called = block.get("input")
    return "".join(parts) + (orjson.dumps(called).decode() if called else "")


def _last_type_of(events: Sequence[Mapping[str, Any]]) -> Any:
    return next((kind for event in reversed(events) if (kind := event.get("type")) != "ping"), None)


def _open_block(events: Sequence[Mapping[str, Any]]) -> Any:
    """The index of the block that has begun and has no end yet; None when there is none."""
    for event in reversed(events):
        kind = event.get("type")
        if kind in ("content_block_start", "content_block_delta"):
            return event.get("index", 0)
        if kind in ("content_block_stop", "message_start"):
            return None
    return None
