"""Claude on Bedrock: Anthropic's endpoints, with the model in the path and the stream in frames."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import orjson

from fake_upstream import aws
from fake_upstream.call import Call
from fake_upstream.endpoints import messages
from fake_upstream.messages import Answer, Chunk, Reply, Stream

_VERSION = re.compile(r"bedrock-2023-05-31|202[6-9]-\d\d-\d\d")
_UNKNOWN = ("model", "stream")


def answer(call: Call, streamed: bool) -> Answer:
    """What /messages or /complete of Anthropic's own API answers, in Bedrock's way."""
    if not _VERSION.fullmatch(str(call.body.get("anthropic_version"))):
        return aws.error("anthropic_version: Field required", 400)
    for name in _UNKNOWN:
        if name in call.body:
            return aws.error(f"{name}: Extra inputs are not permitted", 400)
    call.body = {**call.body, "model": call.model, "stream": streamed}
    given = messages.complete(call) if "max_tokens_to_sample" in call.body else messages.create_message(call)
    if isinstance(given, Stream):
        given.chunks = _frames(call, given.chunks)
    elif given.status == 200:
        given.headers |= _headers(given)
    return given


def metrics(call: Call, usage: dict[str, Any]) -> dict[str, Any]:
    """What the last chunk of a stream tells, unless it is told not to."""
    if "no-usage" in call.directives:
        return {}
    found = {
        "inputTokenCount": usage["input_tokens"],
        "outputTokenCount": usage["output_tokens"],
        "invocationLatency": 1234,
        "firstByteLatency": 456,
        "cacheReadInputTokenCount": usage.get("cache_read_input_tokens", 0),
        "cacheWriteInputTokenCount": usage.get("cache_creation_input_tokens", 0),
    }
    return {"amazon-bedrock-invocationMetrics": found}


def chunk(payload: dict[str, Any], *, content: bool) -> Chunk:
    """A frame with a model's own JSON in it."""
    encoded = base64.b64encode(orjson.dumps(payload)).decode()
    return aws.event_frame("chunk", {"bytes": encoded, "p": "abcdefgh"[: len(encoded) % 9]}), content


def _frames(call: Call, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    usage: dict[str, Any] = {"input_tokens": 11, "output_tokens": 0}
    for data, content in chunks:
        payload = orjson.loads(data.partition(b"data: ")[2])
        if payload["type"] == "ping":
            continue
        begun = payload.get("message", payload)
        usage |= begun.get("usage") or {}
        if payload["type"] == "completion":
            usage["output_tokens"] += content
        if payload["type"] == "message_stop" or payload.get("stop_reason"):
            payload |= metrics(call, usage)
        yield chunk(payload, content=content)


def _headers(given: Reply) -> dict[str, str]:
    """Completions tell no usage but here."""
    document = orjson.loads(given.body)
    usage = document.get("usage") or {"input_tokens": 11, "output_tokens": len(document.get("completion", "").split())}
    return {
        "x-amzn-bedrock-input-token-count": str(usage["input_tokens"]),
        "x-amzn-bedrock-output-token-count": str(usage["output_tokens"]),
        "x-amzn-bedrock-invocation-latency": "1234",
    }
