"""Custom providers for tests."""

from typing import Any

from providers.custom_services import create_custom_provider
from providers.models import CustomProvider

SECRET = "sk-canary-of-acme-77"


def route_config(**changes: Any) -> dict[str, Any]:
    """A route config in which every member says something."""
    return {
        "path": "/chat/completions",
        "target_url": "https://api.acme.example/v1/chat/completions",
        "model_location": "model",
        "request_prompt_location": "messages.#.content",
        "max_tokens_location": "max_tokens",
        "response_completion_location": "choices.#.message.content",
        "stream_location": "stream",
        "stream_end_word": "[DONE]",
        "stream_response_completion_location": "choices.#.delta.content",
        "stream_max_empty_messages": 10,
        **changes,
    }


def plain_config(**changes: Any) -> dict[str, Any]:
    """One without streams and with nothing that may be left out."""
    names = ("path", "target_url", "model_location", "request_prompt_location", "response_completion_location")
    return {name: route_config()[name] for name in names} | changes


def new_provider(name: str = "acme", *configs: dict[str, Any], authentication_param: str = "apikey") -> CustomProvider:
    return create_custom_provider(
        provider=name, route_configs=list(configs) or [route_config()], authentication_param=authentication_param
    )
