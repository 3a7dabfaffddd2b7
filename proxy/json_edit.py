"""Changes a JSON document in place: every byte that is not the change stays as the client sent it."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

# A string is taken in one piece and never given back: letter by letter, pictures would take seconds and gigabytes.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(_STRING + rb'|[{}\[\]:,]|[^\s{}\[\]:,"]+')
# Of an inner value only brackets count, and strings, since they may hold some: numbers are passed over.
_BRACKET = re.compile(_STRING + rb"|[{}\[\]]")
# An escape that can spell a letter or an underscore of a member's name.
_ESCAPED_LETTER = re.compile(rb"\\u00[567]")
_OPENERS, _CLOSERS = b"{[", b"}]"
_EMPTY_REST = re.compile(rb"\s*\}")


def has_duplicate(content: bytes, names: re.Pattern[bytes]) -> str | None:
    """The first member that occurs more than once in the top-level object, of those `names` matches; or None.

    A parser keeps one of two equal members, and a provider's may keep the other one. Raises RecursionError.
    """
    found = names.findall(content)
    if len(found) == len(set(found)) and not _ESCAPED_LETTER.search(content):
        return None
    seen: set[str] = set()
    for name in _top_level_names(content):
        if name in seen and names.fullmatch(b'"' + name.encode("utf-8", "surrogatepass") + b'"'):
            return name
        seen.add(name)
    return None


def member_names(names: Iterable[str]) -> re.Pattern[bytes]:
    """The pattern has_duplicate takes: the quoted names."""
    return re.compile(b'"(?:' + b"|".join(re.escape(name).encode() for name in names) + b')"')


def duplicate_anywhere(content: bytes) -> str | None:
    """The first member that occurs more than once in any object, however deep; or None. Raises RecursionError."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        if len(dict(pairs)) < len(pairs):
            found.append(_first_twice(name for name, _ in pairs))

    json.loads(content, object_pairs_hook=look, parse_int=len, parse_float=len)
    return found[0] if found else None


def _first_twice(names: Iterable[str]) -> str:
    """The first name that was there before; "" when there is none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _top_level_names(content: bytes) -> list[str]:
    pairs: Any = json.loads(
        content,
        object_pairs_hook=lambda found: [name for name, _ in found],
        # Numbers are not looked at: one with more digits than an int may have is the provider's business.
        parse_int=len,
        parse_float=len,
    )
    return pairs if isinstance(pairs, list) else []


def insert_member(content: bytes, member: bytes) -> bytes:
    """The object with a member added in front; `member` is `"name":value`."""
    start = content.index(b"{") + 1
    separator = b"" if _EMPTY_REST.match(content, start) else b","
    return b"".join((content[:start], member, separator, content[start:]))


def replace_member(content: bytes, name: str, value: bytes) -> bytes:
    """The object with the value of a top-level member replaced. Raises KeyError when it is not there."""
    start, end = _value_span(content, name)
    return content[:start] + value + content[end:]


def _value_span(content: bytes, name: str) -> tuple[int, int]:
    parts = _top_level_parts(content)
    # name, colon, value, comma, name, …: the document has been parsed before, so nothing else can come.
    for start, end in parts:
        next(parts, None)
        value = next(parts, None)
        if value is not None and json.loads(content[start:end]) == name:
            return value
        next(parts, None)
    raise KeyError(name)


def _top_level_parts(content: bytes) -> Iterator[tuple[int, int]]:
    """Where the tokens of the top-level object stand; an object or array in it is one part."""
    token = _TOKEN.search(content)
    if token is None or token[0] != b"{":
        return
    token = _TOKEN.search(content, token.end())
    while token is not None and content[token.start()] not in _CLOSERS:
        end = _end_of_value(content, token.end()) if content[token.start()] in _OPENERS else token.end()
        yield token.start(), end
        token = _TOKEN.search(content, end)


def _end_of_value(content: bytes, inside: int) -> int:
    """Where the object or array ends that `inside` is in."""
    depth = 1
    for token in _BRACKET.finditer(content, inside):
        first = content[token.start()]
        depth += (first in _OPENERS) - (first in _CLOSERS)
        if not depth:
            return token.end()
    return len(content)
