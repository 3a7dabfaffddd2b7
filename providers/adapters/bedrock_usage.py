"""Usage and text as Bedrock's model families tell them, by shape: an ARN does not say which family answers.

Sources: Amazon Bedrock user guide, "Inference request parameters and response fields" of each family; API reference,
`TokenUsage` of Converse; `amazon-bedrock-invocationMetrics` and the x-amzn-bedrock-*-token-count headers of
InvokeModel. Cached tokens are beside input tokens in all of them, as in Anthropic's own API.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from providers.adapters.anthropic_usage import usage_of as anthropic_usage_of
from providers.adapters.openai_usage import MAX_TOKENS
from providers.adapters.openai_usage import usage_of as openai_usage_of
from providers.records import TokenUsage

METRICS = "amazon-bedrock-invocationMetrics"
_HEADERS = {
    b"x-amzn-bedrock-input-token-count": "input_tokens",
    b"x-amzn-bedrock-output-token-count": "output_tokens",
    b"x-amzn-bedrock-cache-read-input-token-count": "cache_read_tokens",
    b"x-amzn-bedrock-cache-write-input-token-count": "cache_write_tokens",
}
_NOTHING: Mapping[str, Any] = {}


def usage_in(payload: Mapping[str, Any]) -> TokenUsage | None:
    """Usage of a whole answer, or of an event that tells all of it; None when there is none the gateway knows."""
    holder = _inner(payload, "metadata") or payload
    found = metrics_of(payload) or _usage_member(_inner(holder, "usage")) or _flat(payload)
    tier = _inner(holder, "serviceTier").get("type")
    if found is None or not isinstance(tier, str) or tier == "default":
        return found
    return msgspec.structs.replace(found, service_tier=tier)


def metrics_of(payload: Mapping[str, Any], before: TokenUsage | None = None) -> TokenUsage | None:
    """What the last chunk of every streaming invocation tells. before: what chunks told earlier.

    The metrics tell what was written to caches in one number, Claude's own events for how long.
    """
    metrics = _inner(payload, METRICS)
    if "inputTokenCount" not in metrics:
        return None
    known = before or TokenUsage()
    written = known.cache_write_tokens + known.cache_write_1h_tokens
    if "cacheWriteInputTokenCount" in metrics:
        written = _count(metrics["cacheWriteInputTokenCount"])
    for_an_hour = min(known.cache_write_1h_tokens, written)
    read = metrics.get("cacheReadInputTokenCount", known.cache_read_tokens)
    return msgspec.structs.replace(
        known,
        input_tokens=_count(metrics["inputTokenCount"]),
        output_tokens=_count(metrics.get("outputTokenCount")),
        cache_read_tokens=_count(read),
        cache_write_tokens=written - for_an_hour,
        cache_write_1h_tokens=for_an_hour,
    )


def head_usage_of(headers: Sequence[tuple[bytes, bytes]]) -> TokenUsage | None:
    """What the headers of every whole invocation tell."""
    counts = {
        member: min(int(value), MAX_TOKENS)
        for name, value in headers
        if (member := _HEADERS.get(name)) and value.isdigit()
    }
    return msgspec.convert(counts, TokenUsage) if "input_tokens" in counts else None


def text_in(payload: Mapping[str, Any], *, streamed: bool) -> str:
    """Generated text of a whole answer or of one event, tool calls and reasoning included."""
    if streamed:
        delta = _inner(payload, "contentBlockDelta") or _inner(payload, "contentBlockStart")
        parts = _block_texts(_inner(delta, "delta") or _inner(delta, "start"))
        parts += _claude_texts(_inner(payload, "delta") or _inner(payload, "content_block"))
    else:
        blocks = _list(_inner(_inner(payload, "output"), "message"), "content")
        parts = [text for block in blocks for text in _block_texts(block)]
        parts += [text for block in _list(payload, "content") for text in _claude_texts(block)]
    return "".join((*parts, *_other_texts(payload)))


def _usage_member(usage: Mapping[str, Any]) -> TokenUsage | None:
    if "inputTokens" in usage:
        return _converse_usage(usage)
    if "prompt_tokens" in usage:
        return openai_usage_of(usage)
    if "input_tokens" in usage and "output_tokens" in usage:
        return anthropic_usage_of(usage)
    return None


def _converse_usage(usage: Mapping[str, Any]) -> TokenUsage:
    """As Converse has it; Nova's own answers name what is cached with a `Count` at the end."""
    read = _count(usage.get("cacheReadInputTokens", usage.get("cacheReadInputTokenCount")))
    written = _count(usage.get("cacheWriteInputTokens", usage.get("cacheWriteInputTokenCount")))
    details = [detail for detail in _list(usage, "cacheDetails") if detail.get("ttl") == "1h"]
    for_an_hour = min(sum(_count(detail.get("inputTokens")) for detail in details), written)
    return TokenUsage(
        input_tokens=_count(usage["inputTokens"]),
        output_tokens=_count(usage.get("outputTokens")),
        cache_read_tokens=read,
        cache_write_tokens=written - for_an_hour,
        cache_write_1h_tokens=for_an_hour,
    )


def _flat(payload: Mapping[str, Any]) -> TokenUsage | None:
    """Llama's and Titan's, whose counts stand in the answer itself."""
    if "prompt_token_count" in payload and "generation_token_count" in payload:
        if payload["prompt_token_count"] is None:  # in the middle of a stream
            return None
        return TokenUsage(
            input_tokens=_count(payload["prompt_token_count"]), output_tokens=_count(payload["generation_token_count"])
        )
    if isinstance(payload.get("inputTextTokenCount"), int):
        results = payload.get("results")
        if "totalOutputTextTokenCount" in payload:
            made = _count(payload["totalOutputTextTokenCount"])
            return TokenUsage(input_tokens=payload["inputTextTokenCount"], output_tokens=made) if made else None
        made = sum(_count(result.get("tokenCount")) for result in _list(payload, "results")) if results else 0
        return TokenUsage(input_tokens=_count(payload["inputTextTokenCount"]), output_tokens=made)
    return None


def _block_texts(block: Mapping[str, Any]) -> list[str]:
    """A block of Converse or Nova, or a delta of one."""
    tool, reasoning = _inner(block, "toolUse"), _inner(block, "reasoningContent")
    inside = _inner(reasoning, "reasoningText") or reasoning
    call = tool.get("input")
    written = msgspec.json.encode(call).decode() if isinstance(call, dict) else call
    return _texts((block.get("text"), inside.get("text"), tool.get("name"), written))


def _claude_texts(block: Mapping[str, Any]) -> list[str]:
    """A block of Claude, or a delta of one."""
    call = block.get("input")
    written = msgspec.json.encode(call).decode() if isinstance(call, dict) and call else None
    names = ("text", "thinking", "partial_json", "name")
    return _texts((*(block.get(name) for name in names), written))


def _other_texts(payload: Mapping[str, Any]) -> list[str]:
    """Claude's old completions, Llama, Titan, Cohere; Mistral, Jamba and whatever else has outputs or choices."""
    texts = _texts(payload.get(name) for name in ("completion", "generation", "outputText", "text"))
    texts += [text for result in _list(payload, "results") for text in _texts((result.get("outputText"),))]
    for choice in (*_list(payload, "outputs"), *_list(payload, "choices"), *_list(payload, "generations")):
        message = _inner(choice, "message") or _inner(choice, "delta")
        texts += _texts((choice.get("text"), message.get("content"), message.get("reasoning_content")))
        for call in _list(message, "tool_calls"):
            texts += _texts(_inner(call, "function").get(name) for name in ("name", "arguments"))
    for completion in _list(payload, "completions"):
        texts += _texts((_inner(completion, "data").get("text"),))
    return texts


def _texts(values: Iterable[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _inner(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name)
    return value if isinstance(value, dict) else _NOTHING


def _list(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = payload.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _count(value: Any) -> int:
    """A whole, non-negative, sane count."""
    return min(max(value, 0), MAX_TOKENS) if isinstance(value, int) and not isinstance(value, bool) else 0
