"""Every provider that is a row of the catalogue: OpenAI's dialect at another address, with its small differences."""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.adapters import members
from providers.adapters.base import BodyFacts, Operation, StreamDialect, UsageReading
from providers.adapters.openai import OpenAIAdapter
from providers.adapters.openai_usage import usage_of
from providers.catalog import OpenAIDialect, ProviderKind
from providers.records import ProviderRecord, TokenUsage

_ADDRESS = ("https://", "http://", "data:image/")


class CompatibleAdapter(OpenAIAdapter):
    """One row. The path after `/v1` is appended to the setting's base URL, whatever version that has."""

    read_members = (*members.OPENAI, "models")

    def __init__(self, kind: ProviderKind) -> None:
        dialect = kind.dialect or OpenAIDialect()
        self.provider = kind.name
        self.path_prefix = f"/api/providers/{kind.name}/v1"
        self._pictures_in_chat = dialect.pictures_in_chat
        self._chat = StreamDialect(always_ends=dialect.says_done, forces_usage=dialect.asked_for_usage)

    def credentials(self, setting: ProviderRecord) -> tuple[tuple[str, str], ...]:
        """None for a server that wants no key."""
        return super().credentials(setting) if setting.secrets.get("apikey") else ()

    def read_body(self, operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
        facts = super().read_body(operation, document)
        if facts.images and not document.get("model"):
            return msgspec.structs.replace(facts, model="")  # the default is OpenAI's own
        if document.get("models") is not None:
            others = _other_models(document)
            return msgspec.structs.replace(facts, other_models=others, deferred=bool(others))
        return facts

    def stream(self, operation: Operation) -> StreamDialect:
        return self._chat if operation.name in ("chat", "text_completion") else super().stream(operation)

    def read_answer(self, operation: Operation, content: bytes) -> UsageReading | None:
        return None if self._pictures_in_chat else super().read_answer(operation, content)

    def read_usage(self, operation: Operation, payload: Mapping[str, Any]) -> UsageReading:
        reading = super().read_usage(operation, payload)
        if reading.usage is None and isinstance(payload.get("x_groq"), dict):
            told = payload["x_groq"].get("usage")
            return reading._replace(usage=usage_of(told) if isinstance(told, dict) else None)
        if self._pictures_in_chat and reading.usage == TokenUsage() and (pictures := _pictures(payload)):
            return reading._replace(usage=TokenUsage(images=pictures))
        return reading


def _other_models(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Models that answer when the one named cannot (OpenRouter's fallbacks)."""
    models = document["models"]
    named = models if isinstance(models, list) else [models]
    return tuple(str(model) for model in named if model != document.get("model"))


def _pictures(payload: Mapping[str, Any]) -> int:
    """How many choices of an answer are the address of a picture."""
    choices = payload.get("choices")
    messages = [each.get("message") for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []
    texts = [message.get("content") for message in messages if isinstance(message, dict)]
    return sum(1 for text in texts if isinstance(text, str) and text.strip().startswith(_ADDRESS))
