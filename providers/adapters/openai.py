"""OpenAI, and whatever speaks its dialect at another base URL."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from providers.adapters.base import (
    BodyFacts,
    CutContext,
    LateUsage,
    Operation,
    PlainTransport,
    RouteTarget,
    StreamDialect,
    UsageReading,
)
from providers.adapters.openai_late import late_usage_of
from providers.adapters.openai_operations import facts_of, operation_of
from providers.adapters.openai_usage import image_usage_of, plain_reading, speech_usage_of, usage_of
from providers.records import ProviderRecord, TokenUsage

_DONE = b"data: [DONE]\n\n"
_CHAT = StreamDialect(always_ends=True, forces_usage=True)
_RESPONSES = StreamDialect(
    last_types=frozenset({"response.completed", "response.incomplete", "response.failed", "error"}), always_ends=True
)
# Speech, transcriptions, images, runs, and whatever comes next.
_OTHERS = StreamDialect(
    last_types=frozenset(
        {"speech.audio.done", "transcript.text.done", "image_generation.completed", "image_edit.completed"}
    )
)
_PLAIN_ANSWERS = frozenset({"chat", "text_completion", "embeddings"})
_ALIASES = {"/audios/translations": "/audio/translations"}  # as older documents of the seed spell it
ROUTED_TAILS = {
    "chat": "/chat/completions",
    "text_completion": "/completions",
    "embeddings": "/embeddings",
    "responses": "/responses",
}
_READERS = {"image_generation": image_usage_of, "speech": speech_usage_of}


class OpenAIAdapter(PlainTransport):
    """The OpenAI API, every path of it, also ones invented after today."""

    provider = "openai"
    path_prefix = "/api/providers/openai/v1"

    def operation(self, method: str, tail: str) -> Operation:
        return operation_of(method, tail)

    def read_body(self, operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
        return facts_of(operation, document)

    def url(self, setting: ProviderRecord, tail: str, query: str) -> str:
        return super().url(setting, _ALIASES.get(tail, tail), query)

    def credentials(self, setting: ProviderRecord) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {setting.secrets.get('apikey', '')}"),)

    def route_target(self, operation: str, model: str, params: Mapping[str, str]) -> RouteTarget | None:
        del model, params
        tail = ROUTED_TAILS.get(operation)
        return RouteTarget(tail) if tail else None

    def stream(self, operation: Operation) -> StreamDialect:
        if operation.name in ("chat", "text_completion"):
            return _CHAT
        return _RESPONSES if operation.name == "responses" else _OTHERS

    def read_answer(self, operation: Operation, content: bytes) -> UsageReading | None:
        return plain_reading(content) if operation.name in _PLAIN_ANSWERS else None

    def read_usage(self, operation: Operation, payload: Mapping[str, Any]) -> UsageReading:
        inner = payload.get("response")
        holder = inner if isinstance(inner, dict) else payload
        model = holder.get("model")
        usage = holder.get("usage")
        found: TokenUsage | None = None
        if isinstance(usage, dict):
            found = _READERS.get(operation.name, usage_of)(usage)
        elif operation.name == "transcription" and isinstance(payload.get("duration"), int | float | str):
            found = usage_of({"type": "duration", "seconds": _seconds(payload["duration"])})
        tier = holder.get("service_tier")
        if found is not None and isinstance(tier, str) and tier != "default":
            found = msgspec.structs.replace(found, service_tier=tier)
        return UsageReading(found, model if isinstance(model, str) else "")

    def late_usage(self, payload: Mapping[str, Any]) -> LateUsage | None:
        return late_usage_of(payload)

    def text_of(self, operation: Operation, payload: Mapping[str, Any], *, streamed: bool) -> str:
        if operation.name == "responses":
            return _responses_text(payload, streamed)
        choices = payload.get("choices")
        if not isinstance(choices, list):
            return ""
        member = "delta" if streamed else "message"
        return "".join(_choice_text(choice, member) for choice in choices if isinstance(choice, dict))

    def cut_events(self, operation: Operation, context: CutContext) -> bytes:
        if operation.name == "responses":
            return _incomplete_response(context)
        member = "text" if operation.name == "text_completion" else "delta"
        envelope = {
            "id": context.envelope.get("id", ""),
            "object": context.envelope.get("object", "chat.completion.chunk"),
            "created": context.envelope.get("created", int(time.time())),
            "model": context.envelope.get("model", ""),
        }
        last = {"index": 0, member: "" if member == "text" else {}, "finish_reason": "length"}
        events = [_event({**envelope, "choices": [last]})]
        if context.usage_asked:
            events.append(_event({**envelope, "choices": [], "usage": _chat_usage(context.usage)}))
        return b"".join(events) + _DONE

    def error_in(self, operation: Operation, payload: Mapping[str, Any]) -> str | None:
        error = payload.get("error")
        if payload.get("type") == "error":
            error = error if isinstance(error, Mapping) else payload
        elif payload.get("type") == "response.failed":
            response = payload.get("response")
            error = response.get("error") if isinstance(response, Mapping) else None
        return str(error.get("code") or "upstream_error") if isinstance(error, Mapping) else None

    def error_event(self, operation: Operation, error: Mapping[str, Any]) -> bytes:
        if operation.name == "responses":
            body = {"type": "error", "code": error.get("code"), "message": error.get("message"), "param": None}
            # The SDK raises on a truthy `error`, whatever the event is called.
            return b"event: error\n" + _event({**body, "error": dict(error)})
        return _event({"error": dict(error)})


def _event(payload: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(payload) + b"\n\n"


def _seconds(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0


def _chat_usage(usage: TokenUsage) -> dict[str, int]:
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _incomplete_response(context: CutContext) -> bytes:
    usage = context.usage
    begun = context.envelope.get("response")
    envelope = begun if isinstance(begun, Mapping) else {}
    response = {
        "id": envelope.get("id", ""),
        "object": "response",
        "created_at": envelope.get("created_at", int(time.time())),
        "model": envelope.get("model", ""),
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [],
        "usage": {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        },
    }
    return b"event: response.incomplete\n" + _event({"type": "response.incomplete", "response": response})


def _choice_text(choice: Mapping[str, Any], member: str) -> str:
    plain = choice.get("text")
    if isinstance(plain, str):
        return plain
    message = choice.get(member)
    if not isinstance(message, dict):
        return ""
    names = ("content", "reasoning_content", "reasoning", "refusal")
    parts = [value for name in names if isinstance(value := message.get(name), str)]
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else [message]:
        if isinstance(call, dict):
            parts += _called(call.get("function") or call.get("function_call") or call.get("custom"))
    return "".join(parts)


def _called(tool: Any) -> list[str]:
    """The text of one tool call; a custom tool has an input in place of arguments."""
    names = ("name", "arguments", "input")
    return [value for name in names if isinstance(value := tool.get(name), str)] if isinstance(tool, dict) else []


def _responses_text(payload: Mapping[str, Any], streamed: bool) -> str:
    if streamed:
        delta = payload.get("delta")
        return delta if isinstance(delta, str) else ""
    output = payload.get("output")
    parts: list[str] = []
    for item in output if isinstance(output, list) else []:
        if not isinstance(item, dict):
            continue
        content = item.get("content")
        for part in content if isinstance(content, list) else [item]:
            if isinstance(part, dict):
                parts += [value for name in ("text", "name", "arguments") if isinstance(value := part.get(name), str)]
    return "".join(parts)
