"""Anthropic's chat completions, for clients of OpenAI's dialect. Source: its page "OpenAI SDK compatibility"."""

from collections.abc import Mapping

from providers.adapters.base import Operation, RouteTarget
from providers.adapters.openai import OpenAIAdapter
from providers.records import ProviderRecord

_CHAT = "/chat"


class AnthropicChatAdapter(OpenAIAdapter):
    """The part of Anthropic's paths that speaks OpenAI's dialect; so routes can have Anthropic among their steps."""

    provider = "anthropic"
    path_prefix = "/api/providers/anthropic/v1/chat"

    def operation(self, method: str, tail: str) -> Operation:
        return super().operation(method, _CHAT + tail)

    def url(self, setting: ProviderRecord, tail: str, query: str) -> str:
        return super().url(setting, _CHAT + tail, query)

    def route_target(self, operation: str, model: str, params: Mapping[str, str]) -> RouteTarget | None:
        del model, params
        return RouteTarget("/completions") if operation == "chat" else None
