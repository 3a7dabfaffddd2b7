"""What Anthropic's methods and paths mean, and what each request body says. Source: Anthropic API reference."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from providers.adapters.anthropic_usage import served_as
from providers.adapters.base import BodyFacts, Operation

_JSON: dict[str, Operation] = {
    "messages": Operation("chat", "estimated", "json"),
    "complete": Operation("text_completion", "estimated", "json"),
    "messages/count_tokens": Operation("count_tokens", "free", "json"),
    "messages/batches": Operation("batches", "unmetered", "json"),
}
_READ = Operation("read", "free")
_READ_BATCHES = Operation("read_batches", "free")
# The provider writes these into the prompt by itself: at most so many tokens each, as documented or more.
_PROMPTED_TOKENS = 1024
_CLIENT_TOOL_TOKENS = 4096
_IMAGE_TOKENS = 5120
# Members for which the provider has a prompt of its own.
_PROMPTED = ("tools", "thinking", "output_config", "output_format")
# Tools of Anthropic's own making that the client runs, so that what they find comes in a request's body.
_CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "browser_", "memory_")
# Blocks whose size in tokens their bytes bound. Anything else may stand for what is stored elsewhere.
_BLOCKS_IN_FULL = frozenset(
    {"text", "thinking", "redacted_thinking", "tool_use", "tool_result", "search_result", "server_tool_use",
     "web_search_tool_result", "web_search_result", "tool_reference"}
)  # fmt: skip
# Members that bring in what is not in the body: stored conversations and files, what servers answer.
_OPEN_MEMBERS = ("container", "context_management", "compaction", "mcp_servers", "thread")
_MAX_DEPTH_WALKED = 6


def operation_of(method: str, tail: str) -> Operation:
    """The operation of a method and a path below /v1 (with or without a leading slash)."""
    path = tail.strip("/")
    if "%" in path:
        path = unquote(path)  # the provider decodes it as well: an encoded letter must not make a path another one
    if method in ("GET", "HEAD", "DELETE", "OPTIONS"):
        if path.startswith("messages/batches"):
            return _READ if path.endswith("/results") else _READ_BATCHES
        model = path.removeprefix("models/") if path.startswith("models/") else ""
        return Operation("read", "free", model_in_path=model) if model else _READ
    known = _JSON.get(path)
    if known is not None and method == "POST":
        return known
    if path.startswith("messages/batches/") and path.endswith("/cancel"):
        return _READ_BATCHES
    root = path.split("/", 1)[0]
    return Operation("files", "free") if root == "files" else Operation(root or "unknown", "unmetered")


def facts_of(operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
    """Facts of a body. Raises ValueError that names the member when one has an impossible type."""
    if operation.name == "batches":
        return _batch_facts(document)
    others = tuple(_other_models(document))
    images, closed = _media(document)
    return BodyFacts(
        model=_text(document, "model"),
        stream=_flag(document, "stream"),
        user=_user(document),
        max_output_tokens=_whole(
            document, "max_tokens_to_sample" if operation.name == "text_completion" else "max_tokens"
        ),
        open_input=not closed or _brings_more(document),
        hidden_input_tokens=images * _IMAGE_TOKENS + _prompted_tokens(document),
        # Where nothing is said, the account may be set to a place that costs more.
        service_tier=served_as(document.get("speed"), document.get("inference_geo") or "us"),
        deferred=bool(others),
        other_models=others,
    )


def _batch_facts(document: Mapping[str, Any]) -> BodyFacts:
    """The models of all its requests: the first in order of their names is the batch's."""
    asked = [request.get("params") for request in _items(document.get("requests")) if isinstance(request, dict)]
    models = {_text(params, "model") for params in asked if isinstance(params, dict)}
    models |= {name for params in asked if isinstance(params, dict) for name in _other_models(params)}
    first, *others = sorted(models) or [""]
    return BodyFacts(model=first, other_models=tuple(others))


def _other_models(document: Mapping[str, Any]) -> Iterator[str]:
    """Models that may answer beside the one the request is for: on refusal, or asked for advice."""
    fallbacks = document.get("fallbacks")
    if fallbacks is not None and not _is_list(fallbacks):
        yield str(fallbacks)  # "default": the provider decides which
    tools = document.get("tools")
    for named in (*_items(fallbacks), *_items(tools)):
        if isinstance(named, dict) and isinstance(model := named.get("model"), str) and model != document.get("model"):
            yield model


def _brings_more(document: Mapping[str, Any]) -> bool:
    if any(document.get(name) for name in _OPEN_MEMBERS):
        return True
    tools = document.get("tools")
    return tools is not None and (not _is_list(tools) or any(_is_hosted(tool) for tool in tools))


def _is_hosted(tool: Any) -> bool:
    kind = tool.get("type") if isinstance(tool, dict) else ""
    return kind not in (None, "custom") and not (isinstance(kind, str) and kind.startswith(_CLIENT_TOOLS))


def _prompted_tokens(document: Mapping[str, Any]) -> int:
    tools = _items(document.get("tools"))
    provided = sum(1 for tool in tools if isinstance(tool, dict) and tool.get("type") not in (None, "custom"))
    asked = sum(1 for name in _PROMPTED if document.get(name))
    return asked * _PROMPTED_TOKENS + provided * _CLIENT_TOOL_TOKENS


def _media(document: Mapping[str, Any]) -> tuple[int, bool]:
    """(images, whether the size of everything else in the conversation is known)."""
    images, closed = 0, True
    for message in (*_items(document.get("messages")), {"content": document.get("system")}):
        content = message.get("content") if isinstance(message, dict) else None
        if content.__class__ is list:
            found, known = _in_blocks(content, 0)
            images, closed = images + found, closed and known
    return images, closed


def _in_blocks(blocks: list[Any], depth: int) -> tuple[int, bool]:
    images, closed = 0, depth < _MAX_DEPTH_WALKED
    for block in blocks if closed else ():
        found, known = _in_block(block, depth) if isinstance(block, dict) else (0, True)
        images, closed = images + found, closed and known
    return images, closed


def _in_block(block: Mapping[str, Any], depth: int) -> tuple[int, bool]:
    kind = block.get("type")
    if kind == "image":
        return 1, True  # pictures are scaled down to what the model takes, wherever they come from
    inner = block.get("content")
    if kind == "document":
        source = block.get("source")
        source = source if isinstance(source, dict) else {}
        if source.get("type") == "text":
            return 0, True
        if source.get("type") != "content":
            return 0, False  # pages are pictures as well, and nobody knows how many
        inner = source.get("content")
    elif not isinstance(kind, str) or kind not in _BLOCKS_IN_FULL:
        return 0, False
    return _in_blocks(inner, depth + 1) if isinstance(inner, list) else (0, True)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _user(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    if metadata is None:
        return ""
    if not isinstance(metadata, dict):
        raise ValueError("metadata must be an object")  # noqa: TRY004  (told as every bad member is)
    user = metadata.get("user_id")
    if user is not None and not isinstance(user, str):
        raise ValueError("metadata.user_id must be a string")
    return user or ""


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} must be a string")
    return value or ""


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return bool(value)


def _whole(document: Mapping[str, Any], name: str) -> int | None:
    value = document.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None and (value.__class__ is not int or not 0 <= value < 10**9):
        raise ValueError(f"{name} must be a whole number below 1000000000")
    return value
