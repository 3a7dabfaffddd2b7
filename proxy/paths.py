"""Which paths may pass, and which of a key's path rules a path matches."""

import re
from functools import lru_cache

from gateway_project.shared.problems import BadRequest
from keys.records import PathRule

# In this order: what no request line may hold and a fragment, backslashes, encoded control characters and bytes that
# occur only in overlong UTF-8, what is unsafe once it is decoded twice, empty segments, dot segments.
_FORBIDDEN = re.compile(
    r"[^!-~]|[#\\]|%5c|%[01][0-9a-f]|%7f|%c[01]|%25(?:2e|2f|5c|00)|(?:/|%2f){2}"
    r"|(?:^|/|%2f)(?:\.|%2e){1,2}(?:/|%2f|;|%3b|$)",
    re.IGNORECASE,
)


# How the templates of routes and custom providers end: /api/custom/providers/:provider/*wildcard.
_NAMED_REST = re.compile(r"/\*[A-Za-z_]+\Z")


def check_path(path: str) -> None:
    """Raises BadRequest for a path that another server could read as a different one: dot segments (also encoded),
    empty segments, backslash, control characters, anything but visible ASCII."""
    if _FORBIDDEN.search(path):
        raise BadRequest(
            "The path has a dot segment, an empty segment, a backslash or a character that no path may have.",
            code="bad_path",
        )


def is_allowed(rules: tuple[PathRule, ...], method: str, path: str) -> bool:
    """True when there are no rules or one matches the path as the client sent it."""
    return not rules or any(rule.method in (method, "*") and _matcher(rule.path).match(path) for rule in rules)


@lru_cache(maxsize=4096)
def _matcher(pattern: str) -> re.Pattern[str]:
    """`/a/:id` matches one segment, a trailing `*` or `/*name` matches the rest, everything else is literal."""
    pattern = _NAMED_REST.sub("/*", pattern)
    if pattern.endswith("*"):
        return re.compile(_segments(pattern[:-1]))
    return re.compile(_segments(pattern) + r"\Z")


def _segments(pattern: str) -> str:
    return "/".join("[^/]+" if part.startswith(":") else re.escape(part) for part in pattern.split("/"))
