"""The one table of providers the proxy serves."""

from providers.adapters.base import Adapter
from providers.adapters.openai import OpenAIAdapter

ADAPTERS: tuple[Adapter, ...] = (OpenAIAdapter(),)
