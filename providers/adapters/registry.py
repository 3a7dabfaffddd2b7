"""The one table of providers the proxy serves."""

from collections.abc import Mapping

from providers.adapters.anthropic import AnthropicAdapter
from providers.adapters.anthropic_chat import AnthropicChatAdapter
from providers.adapters.azure import AzureAdapter
from providers.adapters.base import Adapter
from providers.adapters.bedrock import BedrockAdapter
from providers.adapters.bedrock_anthropic import BedrockAnthropicAdapter
from providers.adapters.compatible import CompatibleAdapter
from providers.adapters.openai import OpenAIAdapter
from providers.adapters.vllm import VLLMAdapter
from providers.catalog import CATALOG, ProviderKind

# Providers with an adapter of their own; all others are rows of the catalogue.
_OWN: tuple[Adapter, ...] = (
    OpenAIAdapter(),
    AnthropicChatAdapter(),
    AnthropicAdapter(),
    AzureAdapter(),
    BedrockAnthropicAdapter(),
    BedrockAdapter(),
    VLLMAdapter(),
)


def adapters_of(catalog: Mapping[str, ProviderKind]) -> tuple[Adapter, ...]:
    """The adapters of all providers that are served."""
    return (*_OWN, *(CompatibleAdapter(kind) for kind in catalog.values() if kind.dialect is not None))


ADAPTERS = adapters_of(CATALOG)
