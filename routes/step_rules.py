"""What the steps of a route may be, and which operation they come to. Pure.

There is no list of models: a provider may have any. What a name tells, such as that it is for embeddings, is used.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from providers.adapters.registry import ADAPTERS
from providers.catalog import CATALOG
from routes.records import RouteOperation
from routes.rules import (
    DEFAULT_RETRY_INTERVAL,
    DEFAULT_TIMEOUT,
    MAX_DEADLINE_S,
    MAX_RETRIES,
    StepFields,
    check_text,
    duration_s,
    invalid,
)

# By the seed's name of a format; where it is None the models tell.
REQUEST_FORMATS: Mapping[str, RouteOperation | None] = {
    "": None,
    "openai": None,
    "openai_chat": "chat",
    "openai_embeddings": "embeddings",
    "openai_completions": "text_completion",
    "openai_responses": "responses",
}
MAX_MODEL_CHARACTERS = 255
MAX_RETRY_INTERVAL_S = 3600
MAX_REQUEST_PARAMS_BYTES = 16_384
_OPERATIONS: tuple[RouteOperation, ...] = ("chat", "text_completion", "embeddings", "responses")
_EMBEDS = re.compile(r"embed|(?:^|[^a-z])ada(?:[^a-z]|$)|^(?:bge|e5|gte|voyage)-")
_GENERATES = re.compile(r"^(?:gpt-|chatgpt-|o[1-9](?:-|$)|claude|gemini-|llama|mistral-|mixtral|deepseek|grok|qwen)")
# A parameter becomes a part of an URL.
_PARAM = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?")
_MEMBER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# The step, the caller or the gateway says them.
_NOT_REPLACED = ("model", "stream", "stream_options", "messages", "prompt", "input")
# Whether a value is right, and what it must be, in words.
_Type = tuple[Callable[[Any], bool], str]


def check_steps(steps: Sequence[StepFields], request_format: str) -> RouteOperation:
    """The operation of a route with these steps. Raises RouteInvalid for one that cannot be, alone or beside others."""
    operation = operation_of(request_format, [step.get("model", "") for step in steps])
    for index, step in enumerate(steps):
        _check_step(f"steps.[{index}]", step, operation)
    for index, step in enumerate(steps):
        _check_congruent(f"steps.[{index}]", step["model"], operation)
    return operation


def operation_of(request_format: str, models: Sequence[str]) -> RouteOperation:
    """What the format says, else what the first model is for: embeddings or chat. Raises RouteInvalid."""
    if request_format not in REQUEST_FORMATS:
        known = ", ".join(name for name in REQUEST_FORMATS if name)
        raise invalid("requestFormat", f"requestFormat {request_format[:64]!r} is not known; it is one of {known}")
    told = REQUEST_FORMATS[request_format]
    return told or ("embeddings" if models and makes_embeddings(models[0]) else "chat")


def makes_embeddings(model: str) -> bool | None:
    """What a model's name tells: True for embeddings, False for generating text, None when it does not tell."""
    name = model.lower().removeprefix("ft:").rsplit("/", 1)[-1]
    if _EMBEDS.search(name):
        return True
    return False if _GENERATES.match(name) else None


def route_providers() -> list[str]:
    """Providers that a step can name: those of the table that speak an operation of routes."""
    return [
        name
        for name in CATALOG
        if any(
            _is_spoken(name, each, "any-model", dict.fromkeys(CATALOG[name].route_params, "a")) for each in _OPERATIONS
        )
    ]


def _is_spoken(provider: str, operation: RouteOperation, model: str, params: Mapping[str, str]) -> bool:
    return any(
        adapter.route_target(operation, model, params) is not None
        for adapter in ADAPTERS
        if adapter.provider == provider
    )


def _check_step(member: str, step: StepFields, operation: RouteOperation) -> None:
    check_text(f"{member}.provider", step.get("provider", ""), 64)
    check_text(f"{member}.model", step.get("model", ""), MAX_MODEL_CHARACTERS)
    provider, params = step["provider"], step.get("params", {})
    if provider not in route_providers():
        known = ", ".join(route_providers())
        raise invalid(f"{member}.provider", f"{member}.provider is not supported. Only {known} are supported")
    _check_params(f"{member}.params", provider, params)
    if not _is_spoken(provider, operation, step["model"], params):
        raise invalid(f"{member}.provider", f"{member}.provider {provider} does not serve {operation}")
    if not 0 <= step.get("retries", 0) <= MAX_RETRIES:
        raise invalid(f"{member}.retries", f"{member}.retries must be 0 to {MAX_RETRIES}")
    interval = step.get("retry_interval") or DEFAULT_RETRY_INTERVAL
    duration_s(f"{member}.retryInterval", interval, most_s=MAX_RETRY_INTERVAL_S, zero=True)
    duration_s(f"{member}.timeout", step.get("timeout") or DEFAULT_TIMEOUT, most_s=MAX_DEADLINE_S)
    _check_request_params(f"{member}.requestParams", step.get("request_params", {}), operation)


def _check_congruent(member: str, model: str, operation: RouteOperation) -> None:
    told = makes_embeddings(model)
    if told is not None and told != (operation == "embeddings"):
        raise invalid(
            f"{member}.model",
            "steps must have congruent models. Chat completion and embedding models cannot be in the same route: "
            f"{member}.model {model} is not for {operation}",
        )


def _check_params(member: str, provider: str, params: Mapping[str, Any]) -> None:
    needed = CATALOG[provider].route_params
    for name in needed:
        if not params.get(name):
            raise invalid(f"{member}.{name}", f"{member}.{name} must not be empty: {provider} needs it")
    for name, value in params.items():
        if name not in needed:
            known = f"it takes {', '.join(needed)}" if needed else "it takes none"
            raise invalid(f"{member}.{name[:64]}", f"{member}.{name[:64]} is no parameter of {provider}; {known}")
        if not isinstance(value, str) or not _PARAM.fullmatch(value):
            raise invalid(f"{member}.{name}", f"{member}.{name} must be of letters, digits, dots, _ and -")


def _check_request_params(member: str, params: Mapping[str, Any], operation: RouteOperation) -> None:
    _check_storable(member, params)
    for name, value in params.items():
        if not _MEMBER.fullmatch(name):
            raise invalid(member, f"{member} has a member whose name is not made of letters, digits, dots, _ and -")
        if name in _NOT_REPLACED:
            raise invalid(f"{member}.{name}", f"{member}.{name} cannot be set here: the step or the caller says it")
        is_right, words = _COUNT_OR_NONE if (name, operation) == _OLD_LOGPROBS else _TYPES.get(name, _ANYTHING)
        if not is_right(value):
            raise invalid(f"{member}.{name}", f"{member}.{name} must be {words}")


def _check_storable(member: str, params: Mapping[str, Any]) -> None:
    try:
        written = orjson.dumps(params)
    except TypeError as error:
        raise invalid(member, f"{member} is nested too deeply, or has a number that is too large") from error
    if len(written) > MAX_REQUEST_PARAMS_BYTES:
        raise invalid(member, f"{member} must not be longer than {MAX_REQUEST_PARAMS_BYTES} bytes")
    if b"\\u0000" in written:
        raise invalid(member, f"{member} must not have NUL characters")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63


def _is_count(value: Any) -> bool:
    return _is_whole(value, least=1)


def _is_stop(value: Any) -> bool:
    words = [value] if isinstance(value, str) else value
    return isinstance(words, list) and bool(words) and all(isinstance(word, str) and word for word in words)


def _is_bias(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_number, value.values()))


_ANYTHING: _Type = (lambda _: True, "anything")
_NUMBER: _Type = (_is_number, "a number")
_COUNT: _Type = (_is_count, "a whole number above 0")
_COUNT_OR_NONE: _Type = (lambda value: _is_whole(value, least=0), "a whole number that is not negative")
# Completions have a number where chat has a flag.
_OLD_LOGPROBS = ("logprobs", "text_completion")
# What is not listed is passed on as it is.
_TYPES: Mapping[str, _Type] = {
    **dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), _NUMBER),
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "dimensions"), _COUNT),
    "seed": (lambda value: _is_whole(value, least=-(2**63)), "a whole number"),
    "top_logprobs": _COUNT_OR_NONE,
    "stop": (_is_stop, "a string or a list of strings, not empty"),
    "logit_bias": (_is_bias, "an object of numbers, not empty"),
    "logprobs": (lambda value: isinstance(value, bool), "true or false"),
}
