"""Claude on Bedrock for clients of Anthropic's API: the same requests, answers, events and errors."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from gateway_project.shared.problems import NotFound
from providers.adapters import members
from providers.adapters.anthropic import VERSION_HEADER, AnthropicAdapter, event_of
from providers.adapters.aws_events import FrameReader
from providers.adapters.base import BodyFacts, ErrorAnswer, Operation, StreamDecoder, UpstreamRequest
from providers.adapters.bedrock import sign_for
from providers.adapters.bedrock_body import invoke_body
from providers.adapters.bedrock_frames import EXCEPTION, payload_of
from providers.adapters.bedrock_usage import METRICS, head_usage_of, metrics_of
from providers.records import ProviderRecord, TokenUsage

_BETA_HEADER = "anthropic-beta"
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*")
# What Bedrock has another name for, which is the default; later versions have the same name everywhere.
_FIRST_VERSIONS = ("2023-01-01", "2023-06-01")
_SERVED = ("/messages", "/complete")
_JSON_TYPE = (b"content-type", b"application/json")
_ERROR_TYPE, _REQUEST_ID = b"x-amzn-errortype", b"x-amzn-requestid"
_LONGEST_MESSAGE = 1000


class _Error(NamedTuple):
    """How Anthropic would say what Bedrock says."""

    status: int
    type: str


# By Bedrock's name in small letters, without "Exception": streams spell it another way than headers do.
_ERRORS = {
    "validation": _Error(400, "invalid_request_error"),
    "accessdenied": _Error(403, "permission_error"),
    "resourcenotfound": _Error(404, "not_found_error"),
    "conflict": _Error(409, "conflict_error"),
    "throttling": _Error(429, "rate_limit_error"),
    "servicequotaexceeded": _Error(429, "rate_limit_error"),
    "modelnotready": _Error(529, "overloaded_error"),
    "serviceunavailable": _Error(529, "overloaded_error"),
    "modeltimeout": _Error(504, "timeout_error"),
    "modelerror": _Error(500, "api_error"),
    "modelstreamerror": _Error(500, "api_error"),
    "internalserver": _Error(500, "api_error"),
}
_BY_STATUS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error",
}  # fmt: skip


class BedrockAnthropicAdapter(AnthropicAdapter):
    """Messages and the older completions, as Bedrock's InvokeModel."""

    provider = "bedrock"
    path_prefix = "/api/providers/bedrock/anthropic/v1"
    read_members = members.BEDROCK

    def prepare(self, setting: ProviderRecord, operation: Operation, request: UpstreamRequest) -> UpstreamRequest:
        """The invocation of the body's model, signed. Raises Unavailable as BedrockAdapter does."""
        told = {VERSION_HEADER: "", _BETA_HEADER: ""}
        kept = []
        for name, value in request.headers:
            if name in told:
                told[name] = f"{told[name]},{value}" if told[name] else value
            else:
                kept.append((name, value))
        version = "" if told[VERSION_HEADER] in _FIRST_VERSIONS else told[VERSION_HEADER]
        betas = [beta.strip() for beta in told[_BETA_HEADER].split(",") if beta.strip()]
        body = invoke_body(request.body, version=version, betas=betas)
        api = "invoke-with-response-stream" if body.stream else "invoke"
        url = f"{setting.base_url}/model/{quote(body.model, safe='')}/{api}"
        return sign_for(setting, UpstreamRequest("POST", url, kept, body.content))

    def operation(self, method: str, tail: str) -> Operation:
        if method != "POST" or tail not in _SERVED:
            raise NotFound(f"Bedrock has no {method} {tail} for Claude.", code="path_not_found")
        return super().operation(method, tail)

    def read_body(self, operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
        facts = super().read_body(operation, document)
        if not _MODEL.fullmatch(facts.model):
            raise ValueError("model must be the id or ARN of a model on Bedrock")
        betas = document.get("anthropic_beta")
        if isinstance(betas, list) and not all(isinstance(beta, str) for beta in betas):
            raise ValueError("anthropic_beta must be a list of strings")
        return facts

    def credentials(self, setting: ProviderRecord) -> tuple[tuple[str, str], ...]:
        """None but the signature, which `prepare` makes."""
        del setting
        return ()

    def decoder(self, operation: Operation) -> StreamDecoder | None:
        del operation
        return ClaudeDecoder()

    def head_usage(self, headers: Sequence[tuple[bytes, bytes]]) -> TokenUsage | None:
        return head_usage_of(headers)

    def error_answer(self, answer: ErrorAnswer) -> ErrorAnswer:
        headers = dict(answer.headers)
        document = _object(answer.content)
        name = headers.get(_ERROR_TYPE, b"").decode("latin-1") or str(document.get("__type", ""))
        message = document.get("message") or document.get("Message")
        if not isinstance(message, str):
            message = answer.content[:_LONGEST_MESSAGE].decode("utf-8", "replace") or f"HTTP {answer.status}"
        name = name.partition(":")[0].rpartition("#")[2]
        known = _error_of(name) or _Error(answer.status, _BY_STATUS.get(answer.status, "api_error"))
        request_id = headers.get(_REQUEST_ID, b"").decode("latin-1")
        body = {"type": "error", "error": _told(known, name, message), "request_id": request_id or None}
        kept = [header for header in answer.headers if header[0] not in (b"content-type", _ERROR_TYPE)]
        return ErrorAnswer(known.status, [*kept, _JSON_TYPE], orjson.dumps(body))


class ClaudeDecoder:
    """Frames of Claude on Bedrock to the events Anthropic would have sent."""

    def __init__(self) -> None:
        self._frames = FrameReader()

    @property
    def pending(self) -> bool:
        return self._frames.pending

    def feed(self, chunk: bytes) -> bytes:
        payloads = (payload_of(frame) for frame in self._frames.feed(chunk))
        return b"".join(event_of(_as_anthropic(payload)) for payload in payloads if payload is not None)


def _as_anthropic(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    failed = payload.get(EXCEPTION)
    if isinstance(failed, dict):
        name = str(failed.get("type", ""))
        known = _error_of(name) or _Error(500, "api_error")
        return {"type": "error", "error": _told(known, name, str(failed.get("message", "")))}
    named = payload if "type" in payload else {"type": "completion", **payload}
    metrics = metrics_of(named)
    if metrics is None:
        return named
    told = named[METRICS]
    usage = {"input_tokens": metrics.input_tokens, "output_tokens": metrics.output_tokens}
    if "cacheReadInputTokenCount" in told:
        usage["cache_read_input_tokens"] = metrics.cache_read_tokens
    if "cacheWriteInputTokenCount" in told:
        usage["cache_creation_input_tokens"] = metrics.cache_write_tokens
    return {**{name: value for name, value in named.items() if name != METRICS}, "usage": usage}


def _error_of(name: str) -> _Error | None:
    return _ERRORS.get(name.lower().removesuffix("exception"))


def _told(error: _Error, name: str, message: str) -> Mapping[str, Any]:
    return {"type": error.type, "message": message, "details": {"error_code": name or None}}


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
