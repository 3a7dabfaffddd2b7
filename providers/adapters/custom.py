"""A provider that an operator described: where its JSON holds model, prompt and text is said by GJSON paths."""

from collections.abc import Mapping
from typing import Any

import orjson

from providers.adapters.base import BodyFacts, CutContext, Operation, PlainTransport, StreamDialect, UsageReading
from providers.adapters.gjson_paths import MISSING, texts_in, value_at
from providers.adapters.openai_usage import MAX_TOKENS, usage_of
from providers.records import CustomProviderRecord, CustomRouteRecord, ProviderRecord

PREFIX = "/api/custom/providers/"
# Counted and bounded as everything whose bytes are all that is known of it.
_GENERATION = Operation("custom", "estimated", "strict_json")
_BODILESS = Operation("custom", "free", "none")
_BODILESS_METHODS = ("GET", "HEAD", "DELETE")
_USAGE_PAIRS = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))


class CustomAdapter(PlainTransport):
    """One path of such a provider."""

    watches_events = True

    def __init__(self, provider: CustomProviderRecord, route: CustomRouteRecord) -> None:
        self.provider = provider.name
        self.path_prefix = PREFIX + provider.name
        self._bearer = provider.authentication_param
        self._route = route
        self._stream = StreamDialect(
            done=route.stream_end_word.encode(), most_empty_events=route.stream_max_empty_messages
        )

    def operation(self, method: str, tail: str) -> Operation:
        del tail
        return _BODILESS if method in _BODILESS_METHODS else _GENERATION

    def read_body(self, operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
        """A prompt that is not where it should be is the whole body: what is paid for is never counted as nothing."""
        route = self._route
        prompt = _text(value_at(route.request_prompt_location, document))
        return BodyFacts(
            model=_model(route.model_location, document),
            stream=value_at(route.stream_location, document) is True,
            max_output_tokens=_maximum(route.max_tokens_location, document),
            prompt=orjson.dumps(document).decode() if prompt is None else prompt,
        )

    def url(self, setting: ProviderRecord, tail: str, query: str) -> str:
        del setting, tail
        return f"{self._route.target_url}?{query}" if query else self._route.target_url

    def credentials(self, setting: ProviderRecord) -> tuple[tuple[str, str], ...]:
        if not self._bearer:
            return ()
        return (("authorization", f"Bearer {setting.secrets[self._bearer]}"),)

    def stream(self, operation: Operation) -> StreamDialect:
        del operation
        return self._stream

    def read_answer(self, operation: Operation, content: bytes) -> UsageReading | None:
        del operation, content
        return None

    def read_usage(self, operation: Operation, payload: Mapping[str, Any]) -> UsageReading:
        """Usage only where it can mean one thing: a pair of counts as OpenAI has them, and no others beside."""
        del operation
        usage = payload.get("usage")
        if not isinstance(usage, dict) or any("cache_" in name for name in usage):
            return UsageReading(None)
        told = any(all(_is_count(usage.get(name)) for name in pair) for pair in _USAGE_PAIRS)
        return UsageReading(usage_of(usage) if told else None)

    def text_of(self, operation: Operation, payload: Mapping[str, Any], *, streamed: bool) -> str:
        """An event may be without text; an answer without it is counted as a whole."""
        del operation
        route = self._route
        if streamed:
            location = route.stream_response_completion_location or route.response_completion_location
            return _text(value_at(location, payload)) or ""
        text = _text(value_at(route.response_completion_location, payload))
        return orjson.dumps(payload).decode() if text is None else text

    def cut_events(self, operation: Operation, context: CutContext) -> bytes:
        del operation, context
        done = self._stream.done
        return b"data: " + done + b"\n\n" if done else b""

    def error_in(self, operation: Operation, payload: Mapping[str, Any]) -> str | None:
        del operation
        error = payload.get("error")
        return str(error.get("code") or "upstream_error") if isinstance(error, Mapping) else None

    def error_event(self, operation: Operation, error: Mapping[str, Any]) -> bytes:
        del operation
        return b"data: " + orjson.dumps({"error": dict(error)}) + b"\n\n"


def _model(location: str, document: Mapping[str, Any]) -> str:
    found = value_at(location, document)
    if isinstance(found, str):
        return found
    if found is MISSING or found is None:
        return ""
    raise ValueError(f"the model (at {location}) must be a string")


def _maximum(location: str, document: Mapping[str, Any]) -> int | None:
    """The most tokens of an answer; None where the request sets no bound, as 0 and -1 mean to some servers."""
    found = value_at(location, document)
    if found is MISSING or found is None:
        return None
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or found >= MAX_TOKENS:
        raise ValueError(f"the most tokens (at {location}) must be a whole number below {MAX_TOKENS}")
    return found if found > 0 else None


def _text(found: Any) -> str | None:
    """The strings of what a location led to; None when it led to nothing, or to what has no text in it."""
    if found is MISSING or isinstance(found, bool | int | float) or (isinstance(found, dict) and "text" not in found):
        return None
    return "".join(texts_in(found))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
