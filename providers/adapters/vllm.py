"""vLLM: OpenAI's dialect, and paths of its own. Source: vLLM documentation, OpenAI-compatible server."""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.adapters.base import BodyFacts, Operation
from providers.adapters.compatible import CompatibleAdapter
from providers.catalog import CATALOG
from providers.records import ProviderRecord

_OPERATIONS = {
    "tokenize": Operation("tokenize", "free", "json"),
    "detokenize": Operation("detokenize", "free", "json"),
    "score": Operation("score", "estimated", "json"),
    "rerank": Operation("rerank", "estimated", "json"),
    "pooling": Operation("pooling", "estimated", "json"),
    "classify": Operation("classify", "estimated", "json"),
}
_WITHOUT_OUTPUT = frozenset({"score", "rerank", "pooling", "classify"})
# The server has these beside its versioned paths, not below them.
_WITHOUT_VERSION = frozenset({"/tokenize", "/detokenize", "/pooling", "/classify"})


class VLLMAdapter(CompatibleAdapter):
    """A server of one's own at the setting's `url`, with or without a key."""

    def __init__(self) -> None:
        super().__init__(CATALOG["vllm"])

    def operation(self, method: str, tail: str) -> Operation:
        own = _OPERATIONS.get(tail.strip("/")) if method == "POST" else None
        return own or super().operation(method, tail)

    def read_body(self, operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
        facts = super().read_body(operation, document)
        if operation.name in _WITHOUT_OUTPUT:
            return msgspec.structs.replace(facts, max_output_tokens=0)
        return facts

    def url(self, setting: ProviderRecord, tail: str, query: str) -> str:
        url = super().url(setting, tail, query)
        if tail not in _WITHOUT_VERSION:
            return url
        return setting.base_url.removesuffix("/v1") + url.removeprefix(setting.base_url)
