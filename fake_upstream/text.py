"""What the fake provider says, and how it counts tokens."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from fake_upstream.directives import Directives

_SENTENCE = (
    "The quick brown fox jumps over the lazy dog and then it rests under a tall green tree while the sun goes down "
    "behind the hills and the river runs on to the sea"
)
WORDS = _SENTENCE.split()
"""Common words: each is one token, with the space before it, in every encoding of OpenAI."""

_PIECE = re.compile(r"\s*(?:\w{1,6}|[^\w\s])|\s+$")
_MEGABYTE = 1 << 20
_BLOCK = "lorem ipsum dolor sit amet, " * 2341


def count_tokens(text: str) -> int:
    """One per whitespace-separated word: a real tokenizer never counts fewer."""
    return len(text.split())


def pieces_of(text: str) -> list[str]:
    """Cut a text into token-sized pieces that join to it again."""
    return _PIECE.findall(text)


def words(count: int) -> list[str]:
    """`count` tokens of prose."""
    size = len(WORDS)
    return [WORDS[0], *(f" {WORDS[i % size]}" for i in range(1, count))] if count else []


def megabytes(count: int) -> list[str]:
    """Pieces of about 64 KB that make `count` megabytes."""
    return [_BLOCK] * (count * _MEGABYTE // len(_BLOCK) + 1)


@dataclass(slots=True)
class Generation:
    """What one choice says: pieces of one token each, and why it stopped there."""

    pieces: list[str]
    cut_short: bool = False
    reasoning_tokens: int = 0

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        """Output tokens, reasoning included."""
        return len(self.pieces) + self.reasoning_tokens


def generate(pieces: list[str], directives: Directives, limit: int | None) -> Generation:
    """Say `pieces` within `limit` tokens, reasoning first, as the provider counts them."""
    if "huge" in directives:
        return Generation(megabytes(directives["huge"] or 0))
    reasoning = directives.get("reasoning") or 0
    if limit is None or reasoning + len(pieces) <= limit:
        return Generation(pieces, False, reasoning)
    reasoning = min(reasoning, limit)
    return Generation(pieces[: limit - reasoning], True, reasoning)


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict))
    return " ".join(part for part in parts if isinstance(part, str))


def content_tokens(content: Any) -> int:
    """Tokens of a message's content; any part that is not text counts 85, as a small picture does."""
    if not isinstance(content, list):
        return count_tokens(text_of(content))
    other = sum(1 for part in content if isinstance(part, dict) and "text" not in part)
    return count_tokens(text_of(content)) + 85 * other


def example_of(schema: Any) -> Any:
    """A value that is valid for a simple JSON schema (type, properties, items, enum, const, anyOf, minimum)."""
    if not isinstance(schema, dict):
        return "fox"
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return example_of(schema[choice][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return _example_of_type(kind[0] if isinstance(kind, list) else kind, schema)


def _example_of_type(kind: str, schema: dict[str, Any]) -> Any:
    if kind == "object":
        return {name: example_of(part) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema.get("items"))] * max(1, schema.get("minItems", 1))
    if kind in ("integer", "number"):
        return schema.get("minimum", 7)
    return {"boolean": True, "null": None}.get(kind, "fox")


def json_text(value: Any) -> str:
    """Compact JSON."""
    return orjson.dumps(value).decode()
