"""Turns the body of Anthropic's API into that of a Claude on Bedrock, in place: the rest stays byte for byte.

Source: Amazon Bedrock user guide, "Anthropic Claude Messages API": model and stream stand in the path, the version and
the beta features in the body.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson

VERSION = "bedrock-2023-05-31"
# What matters within the top-level object, and what does within its values, where strings are skipped as a whole.
_OUTER, _INNER = re.compile(rb'["{}\[\],:]'), re.compile(rb'["{}\[\]]')
_QUOTE, _COLON, _BACKSLASH = b'":\\'
_OPENERS, _CLOSERS = b"{[", b"}]"
_MOVED = ("model", "stream")
_READ = (*_MOVED, "anthropic_beta")


class InvokeBody(NamedTuple):
    """content: what is sent. model and stream: what the client's body said, which the path says instead."""

    content: bytes
    model: str
    stream: bool


class _Member(NamedTuple):
    """One member of the top-level object with the blanks around it. value: as written, of those that are read."""

    name: str
    text: bytes
    value: bytes


def invoke_body(content: bytes, *, version: str, betas: Sequence[str]) -> InvokeBody:
    """The body for Bedrock. content: a JSON object that has been parsed before.

    version: replaces the body's own unless "". betas: of the client's header, added to those of the body.
    """
    members = list(_members(content))
    told = {member.name: member for member in members}
    model, stream = (orjson.loads(told[name].value) if name in told else None for name in _MOVED)
    changed = {}
    if version or "anthropic_version" not in told:
        changed["anthropic_version"] = orjson.dumps(version or VERSION)
    if betas:
        changed["anthropic_beta"] = orjson.dumps(_all_betas(told.get("anthropic_beta"), betas))
    parts = [b'"%b":%b' % (name.encode(), value) for name, value in changed.items()]
    parts += [member.text for member in members if member.name not in changed and member.name not in _MOVED]
    return InvokeBody(b"{" + b",".join(parts) + b"}", str(model or ""), stream is True)


def _all_betas(own: _Member | None, more: Sequence[str]) -> list[str]:
    listed = orjson.loads(own.value) if own is not None else []
    return list(dict.fromkeys((*listed, *more))) if isinstance(listed, list) else list(more)


def _members(content: bytes) -> Iterator[_Member]:
    depth = begun = name_end = value_at = 0
    found = _OUTER.search(content)
    while found is not None:
        start, end = found.span()
        first = content[start]
        if first == _QUOTE:
            end = _string_end(content, end)
        elif first in _OPENERS:
            depth += 1
            begun = end if depth == 1 else begun
        elif depth > 1:
            depth -= 1  # _INNER finds nothing else
        elif first == _COLON:
            name_end, value_at = start, end
        else:
            if value_at:
                yield _member(content, (begun, name_end, value_at, start))
            begun, value_at = end, 0
            depth -= first in _CLOSERS
        found = (_INNER if depth > 1 else _OUTER).search(content, end)


def _string_end(content: bytes, at: int) -> int:
    """Where a string that has begun before `at` ends: at a quote with an even number of backslashes before it."""
    while True:
        quote = content.index(b'"', at)
        before = quote - 1
        while content[before] == _BACKSLASH:
            before -= 1
        if (quote - before) % 2:
            return quote + 1
        at = quote + 1


def _member(content: bytes, spans: tuple[int, int, int, int]) -> _Member:
    begun, name_end, value_at, end = spans
    name = str(orjson.loads(content[begun:name_end]))
    return _Member(name, content[begun:end], content[value_at:end] if name in _READ else b"")
