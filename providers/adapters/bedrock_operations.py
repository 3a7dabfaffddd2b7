"""What Bedrock's paths mean, and what its request bodies say. Source: Amazon Bedrock Runtime API reference."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from providers.adapters import anthropic_operations
from providers.adapters.base import BodyFacts, Metering, Operation

_APIS = ("invoke", "invoke-with-response-stream", "converse", "converse-stream", "count-tokens")
_STREAMS = ("invoke-with-response-stream", "converse-stream")
_EMBEDDING_MODELS = re.compile(r"(?:amazon\.titan-embed|amazon\.nova-\d-multimodal-embed|cohere\.embed)")
_IMAGE_MODELS = re.compile(r"(?:stability\.|amazon\.titan-image|amazon\.nova-canvas)")
# Where the families put the longest answer: at the top, or in a configuration of their own.
_MAXIMA = ("max_tokens", "max_tokens_to_sample", "max_completion_tokens", "max_gen_len", "maxTokens", "max_new_tokens")
_CONFIGURATIONS = ("inferenceConfig", "textGenerationConfig", "additionalModelRequestFields")
_INNER_MAXIMA = ("maxTokens", "max_tokens", "max_new_tokens", "maxTokenCount", "max_gen_len", "max_completion_tokens")
# What Titan and Cohere call what others have in `prompt` and `messages`.
_PROMPTS = ("inputText", "message")
_CHOICES = ("n", "numResults", "num_generations")
# Text, and what a tool said; the tokens of everything else are not bounded by its bytes.
_BLOCKS_IN_FULL = frozenset({"text", "toolUse", "toolResult", "cachePoint", "reasoningContent", "guardContent", "json"})
_TYPES_IN_FULL = ("text", "tool_use", "tool_result", "thinking", "reference")
_IMAGE_TOKENS = 5120
# What a model is told of tools besides their descriptions.
_TOOL_USE_TOKENS = 1024
_MAX_DEPTH_WALKED = 4


class BedrockOperation(Operation, frozen=True):
    """api: the last part of the path, "" for anything else than a model's. streams: the path says so, not the body."""

    api: str = ""
    streams: bool = False


def operation_of(method: str, tail: str) -> BedrockOperation:
    """The operation of a method and an encoded path."""
    if method in ("GET", "HEAD", "DELETE", "OPTIONS"):
        return BedrockOperation("read", "free")
    # An encoded letter, or a slash at the end, must not make a path another one: the provider may not mind them.
    root, *middle = tail.strip("/").split("/")
    root, api = unquote(root), unquote(middle.pop()) if middle else ""
    model = unquote("/".join(middle)) if root == "model" else ""
    if method != "POST" or not model or api not in _APIS:
        return BedrockOperation(root, "unmetered", model_in_path=model)
    if api == "count-tokens":
        return BedrockOperation("count_tokens", "free", "json", model_in_path=model, api=api)
    name, metering = _meaning(model, api)
    return BedrockOperation(name, metering, "json", model_in_path=model, api=api, streams=api in _STREAMS)


def _meaning(model: str, api: str) -> tuple[str, Metering]:
    if api.startswith("invoke") and _EMBEDDING_MODELS.search(model):
        return "embeddings", "estimated"
    if api.startswith("invoke") and _IMAGE_MODELS.search(model):
        return "image_generation", "estimated"
    return "chat", "estimated"


def facts_of(operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
    """Facts of a body. Raises ValueError that names the member when one has an impossible type."""
    streams = isinstance(operation, BedrockOperation) and operation.streams
    if "anthropic_version" in document:
        return _claude_facts(operation, document, streams)
    images, closed = _media(document)
    tools = document.get("toolConfig")
    pictures = document.get("imageGenerationConfig")
    pictures = pictures if isinstance(pictures, dict) else {}
    tier = document.get("serviceTier")
    return BodyFacts(
        model=operation.model_in_path or _model_of(document),
        stream=streams,
        choices=max((_whole(name, document.get(name)) or 1 for name in _CHOICES), default=1) or 1,
        max_output_tokens=_maximum(document),
        open_input=not closed or ":prompt/" in operation.model_in_path,
        hidden_input_tokens=images * _IMAGE_TOKENS + (_TOOL_USE_TOKENS if tools or document.get("tools") else 0),
        images=_whole("numberOfImages", pictures.get("numberOfImages")) or 1,
        service_tier=str(tier.get("type", "")) if isinstance(tier, dict) else "",
        prompt=next((text for name in _PROMPTS if isinstance(text := document.get(name), str)), None),
    )


def _claude_facts(operation: Operation, document: Mapping[str, Any], streams: bool) -> BodyFacts:
    """Claude takes what Anthropic's own API takes, old completions too; model and stream stand in the path."""
    legacy = "max_tokens_to_sample" in document
    inner = Operation("text_completion" if legacy else "chat", operation.metering)
    told = {name: value for name, value in document.items() if name not in ("model", "stream")}
    facts = anthropic_operations.facts_of(inner, told)
    return msgspec.structs.replace(facts, model=operation.model_in_path, stream=streams)


def _model_of(document: Mapping[str, Any]) -> str:
    """What asynchronous invocations name in the body."""
    model = document.get("modelId")
    if model is not None and not isinstance(model, str):
        raise ValueError("modelId must be a string")
    return model or ""


def _maximum(document: Mapping[str, Any]) -> int | None:
    """The largest of all that are there: which one a model takes is its own business."""
    told = [_whole(name, document[name]) for name in _MAXIMA if name in document]
    for configuration in _CONFIGURATIONS:
        inside = document.get(configuration)
        if isinstance(inside, dict):
            told += [_whole(f"{configuration}.{name}", inside[name]) for name in _INNER_MAXIMA if name in inside]
    return max((number for number in told if number is not None), default=None)


def _whole(name: str, value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None and (value.__class__ is not int or not 0 <= value < 10**9):
        raise ValueError(f"{name} must be a whole number below 1000000000")
    return value


def _media(document: Mapping[str, Any]) -> tuple[int, bool]:
    """(images, whether the size of everything else in the conversation is known), of Converse's and Nova's messages."""
    images, closed = 0, True
    for message in (*_items(document.get("messages")), {"content": document.get("system")}):
        content = message.get("content") if isinstance(message, dict) else None
        found, known = _in_blocks(_items(content), 0)
        images, closed = images + found, closed and known
    return images, closed


def _in_blocks(blocks: list[Any], depth: int) -> tuple[int, bool]:
    images, closed = 0, depth < _MAX_DEPTH_WALKED or not blocks
    for block in blocks if closed else ():
        if not isinstance(block, dict):
            continue
        if "image" in block or block.get("type") in ("image", "image_url"):
            images += 1
        elif not (block["type"] in _TYPES_IN_FULL if "type" in block else _BLOCKS_IN_FULL.issuperset(block)):
            return images, False
        found, known = _in_blocks(_items(_result(block).get("content")), depth + 1)
        images, closed = images + found, closed and known
    return images, closed


def _result(block: Mapping[str, Any]) -> Mapping[str, Any]:
    value = block.get("toolResult")
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
