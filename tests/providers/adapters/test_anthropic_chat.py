"""Tests of Anthropic's paths in OpenAI's dialect: where they go, and that routes may take them."""

import pytest

from providers.adapters.anthropic_chat import AnthropicChatAdapter
from providers.adapters.base import RouteTarget
from providers.adapters.registry import ADAPTERS
from providers.records import ProviderRecord

ADAPTER = AnthropicChatAdapter()
SETTING = ProviderRecord(id="s", provider="anthropic", base_url="https://host/v1", secrets={"apikey": "sk-1"})


def test_the_path_and_the_key_are_as_that_dialect_has_them() -> None:
    assert ADAPTER.url(SETTING, "/completions", "a=b") == "https://host/v1/chat/completions?a=b"
    assert ADAPTER.credentials(SETTING) == (("authorization", "Bearer sk-1"),)


@pytest.mark.parametrize(
    ("method", "tail", "name", "metering"),
    [("POST", "/completions", "chat", "estimated"), ("GET", "/completions/c", "read", "free"),
     ("POST", "/other", "chat", "unmetered")],
)  # fmt: skip
def test_chats_are_chats(method: str, tail: str, name: str, metering: str) -> None:
    operation = ADAPTER.operation(method, tail)
    assert (operation.name, operation.metering) == (name, metering)


def test_routes_may_send_it_chats_only() -> None:
    assert ADAPTER.route_target("chat", "claude-opus-4-8", {}) == RouteTarget("/completions")
    for operation in ("text_completion", "embeddings", "responses"):
        assert ADAPTER.route_target(operation, "claude-opus-4-8", {}) is None


def test_it_is_found_before_the_other_paths() -> None:
    prefixes = [adapter.path_prefix for adapter in ADAPTERS if adapter.provider == "anthropic"]
    assert prefixes == ["/api/providers/anthropic/v1/chat", "/api/providers/anthropic/v1"]
