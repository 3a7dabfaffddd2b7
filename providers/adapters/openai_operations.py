"""What OpenAI's methods and paths mean, and what each request body says. Source: OpenAI API reference."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from providers.adapters.base import BodyFacts, Operation

_JSON: dict[str, Operation] = {
    "chat/completions": Operation("chat", "estimated", "json"),
    "completions": Operation("text_completion", "estimated", "json"),
    "responses": Operation("responses", "estimated", "json"),
    "embeddings": Operation("embeddings", "estimated", "json"),
    "images/generations": Operation("image_generation", "estimated", "json"),
    "images/edits": Operation("image_generation", "estimated", "any"),
    "images/variations": Operation("image_generation", "estimated", "any"),
    "audio/speech": Operation("speech", "estimated", "json"),
    "audio/transcriptions": Operation("transcription", "estimated", "multipart"),
    "audio/translations": Operation("transcription", "estimated", "multipart"),
    "audios/translations": Operation("transcription", "estimated", "multipart"),
    "moderations": Operation("moderation", "free", "json"),
    "responses/input_tokens": Operation("count_tokens", "free", "json"),
}
_FREE_ROOTS = ("files", "uploads")
_READ = Operation("read", "free")
# Batches and runs work between calls: whoever looks at one that has ended is told its usage.
_LATE_READ = Operation("read", "free", tells_late=True)
_WORK = re.compile(r"batches/[^/]+|threads/[^/]+/runs/[^/]+")
_RUNS = re.compile(r"threads/runs|threads/[^/]+/runs(?:/[^/]+/submit_tool_outputs)?")
_RUN = re.compile(r"threads/[^/]+/runs/[^/]+")
# Tuples: what a client names as type may be a list, which a set cannot look up.
_MEDIA_PARTS = ("image_url", "input_image", "image", "input_audio", "file", "input_file")
_OWN_TOOLS = ("function", "custom")
# What the API takes for a request that names no model.
_DEFAULT_IMAGE_MODEL = "dall-e-2"
_MAX_DEPTH_WALKED = 6


def operation_of(method: str, tail: str) -> Operation:
    """The operation of a method and a path below /v1 (with or without a leading slash)."""
    path = tail.strip("/")
    if "%" in path:
        path = unquote(path)  # the provider decodes it as well: an encoded letter must not make a path another one
    if method in ("GET", "HEAD", "DELETE", "OPTIONS"):
        if path.startswith("models/") and (model := path.removeprefix("models/")):
            return Operation("read", "free", model_in_path=model)
        return _LATE_READ if method == "GET" and _WORK.fullmatch(path) else _READ
    known = _JSON.get(path)
    if known is not None and method == "POST":
        return known
    return _further_operation(method, path)


def _further_operation(method: str, path: str) -> Operation:
    root, *rest = path.split("/")
    if root in _FREE_ROOTS:
        # The seed documents POST without a body as the way to delete a file.
        deletes = method == "POST" and root == "files" and len(rest) == 1
        return Operation("files", "free", bodiless_method="DELETE" if deletes else "")
    if root == "responses" and path.endswith("/cancel"):
        return Operation("read", "free")
    if method == "POST" and _RUN.fullmatch(path):
        return Operation("threads", "free")  # changes the metadata of a run
    if method == "POST" and _RUNS.fullmatch(path):
        return Operation("threads", "unmetered", tells_late=True)
    return Operation(root or "unknown", "unmetered")


def facts_of(operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
    """Facts of a body. Raises ValueError that names the member when one has an impossible type."""
    if not _RARE.isdisjoint(document) or operation.name in _WITH_FACTS_OF_ITS_OWN:
        return _all_facts(operation, document)
    # Most bodies have none of the rarer members: on the request path asking for each of them costs.
    return BodyFacts(
        model=_text(document, "model"),
        stream=_flag(document, "stream"),
        max_output_tokens=None if _MAXIMA_SET.isdisjoint(document) else _max_output(document),
        open_input=_open_input(operation, document),
    )


_MAXIMA = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_MAXIMA_SET = frozenset(_MAXIMA)
_RARE = frozenset({"user", "n", "best_of", "stream_options", "service_tier", "background"})
_WITH_FACTS_OF_ITS_OWN = frozenset({"speech", "image_generation", "text_completion"})


def _all_facts(operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
    options = document.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise ValueError("stream_options must be an object")
    text = document.get("input")
    images = operation.name == "image_generation"
    return BodyFacts(
        model=_text(document, "model") or (_DEFAULT_IMAGE_MODEL if images else ""),
        stream=_flag(document, "stream"),
        user=_text(document, "user"),
        choices=_prompts(operation, document) * max(_whole(document, "n") or 1, _whole(document, "best_of") or 1),
        max_output_tokens=_max_output(document),
        usage_asked=options is not None and bool(options.get("include_usage")),
        has_stream_options=options is not None,
        open_input=_open_input(operation, document),
        characters=len(text) if operation.name == "speech" and isinstance(text, str) else 0,
        images=(_whole(document, "n") or 1) if images else 0,
        size=_text(document, "size") if images else "",
        quality=_text(document, "quality") if images else "",
        service_tier=_text(document, "service_tier"),
        deferred=operation.name == "responses" and _flag(document, "background"),
    )


def _prompts(operation: Operation, document: Mapping[str, Any]) -> int:
    """Each of several prompts is answered; a list of numbers is one prompt in tokens."""
    prompt = document.get("prompt") if operation.name == "text_completion" else None
    return len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1


def _max_output(document: Mapping[str, Any]) -> int | None:
    found = [value for name in _MAXIMA if (value := _whole(document, name))]  # 0 means no maximum to some servers
    # The largest counts: which of the two a model obeys is the model's business, and this is an upper bound.
    return max(found) if found else None


def _open_input(operation: Operation, document: Mapping[str, Any]) -> bool:
    if operation.name == "responses":
        if any(document.get(name) is not None for name in ("previous_response_id", "conversation", "prompt")):
            return True
        return _hosted_tools(document.get("tools")) or _has_media(document.get("input"), 0)
    if operation.name == "chat":
        return document.get("web_search_options") is not None or _has_media(document.get("messages"), 0)
    return False


def _hosted_tools(tools: Any) -> bool:
    if not isinstance(tools, list):
        return False
    return any(isinstance(tool, dict) and tool.get("type") not in _OWN_TOOLS for tool in tools)


def _has_media(value: Any, depth: int) -> bool:
    """True for content whose size in tokens the body does not tell; also for what is nested too deeply to look."""
    if isinstance(value, list):
        if depth > _MAX_DEPTH_WALKED:
            return True
        for item in value:
            if isinstance(item, dict) and (item.get("type") in _MEDIA_PARTS or _has_media(_content(item), depth + 1)):
                return True
    return False


def _content(item: dict[str, Any]) -> Any:
    return item["content"] if "content" in item else item.get("output")


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        if name in ("size", "quality"):
            return ""
        raise ValueError(f"{name} must be a string")
    return value


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):  # a multipart form has only strings
        return value.lower() == "true"
    raise ValueError(f"{name} must be true or false")


def _whole(document: Mapping[str, Any], name: str) -> int | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value >= 10**9:
        raise ValueError(f"{name} must be a whole number below 1000000000")
    return value if value >= 0 else None  # -1 means no maximum to some servers
