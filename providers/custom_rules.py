"""What a custom provider may hold. Pure; an error names the member as `route_configs.[0].target_url`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway_project.shared.problems import ValidationFailed
from providers.adapters.gjson_paths import parse_path
from providers.catalog import CATALOG, URL
from providers.destinations import check_url
from providers.records import CustomRouteRecord

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Without a body there is nothing to find a model or a prompt in.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
LOCATIONS = (
    "model_location",
    "request_prompt_location",
    "max_tokens_location",
    "response_completion_location",
    "stream_location",
    "stream_response_completion_location",
)
MEMBERS = ("path", "target_url", "methods", *LOCATIONS, "stream_end_word", "stream_max_empty_messages")
_ALWAYS_REQUIRED = ("path", "target_url")
_REQUIRED_WITH_BODY = ("model_location", "request_prompt_location", "response_completion_location")
_REQUIRED_WITH_STREAM = ("stream_end_word", "stream_response_completion_location")

MAX_ROUTES = 200
_MAX_EMPTY_MESSAGES = 1_000_000
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_PARAMETER = re.compile(r"[a-z0-9_.-]{1,64}")
_SPACE = re.compile(r"\s")
# What no request line may hold, and what another server could read as a different path; as proxy/paths.py has it.
_PATH = re.compile(r"/[!-~]{0,254}")
_BAD_IN_PATH = re.compile(r"[?#\\*]|//|%2f|%5c|%00|(?:^|/)(?:\.|%2e){1,2}(?:/|;|$)", re.IGNORECASE)
_END_WORD = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


class CustomProviderInvalid(ValidationFailed):
    title = "custom provider validation failed"


def invalid(name: str, reason: str) -> CustomProviderInvalid:
    """An error about one member: its name, then a phrase that says what it must be."""
    return CustomProviderInvalid(f"{name} {reason}", fields=(name,))


def route_member(index: int, member: str) -> str:
    """How errors name a member of a route config."""
    return f"route_configs.[{index}].{member}"


def check_name(name: Any) -> str:
    """The name in lower case."""
    if not isinstance(name, str):
        raise invalid("provider", "must be a string")
    if _SPACE.search(name):
        raise invalid("provider", "cannot contain white space")
    found = name.lower()
    if found in CATALOG:
        raise invalid("provider", f"cannot be named {found}: the gateway knows that provider itself")
    if not _NAME.fullmatch(found):
        raise invalid("provider", "must be 1 to 64 letters, digits, dots, _ and -, with a letter or digit at each end")
    return found


def check_parameter(parameter: Any) -> str:
    """The name of the member that is sent as bearer, in lower case; "" for none."""
    if parameter is None or parameter == "":
        return ""
    if not isinstance(parameter, str):
        raise invalid("authentication_param", "must be a string")
    if _SPACE.search(parameter):
        raise invalid("authentication_param", "cannot contain white space")
    found = parameter.lower()
    if not _PARAMETER.fullmatch(found) or found == URL:
        raise invalid("authentication_param", "must be the name of a member: letters, digits, dots, _ and -")
    return found


def check_required(name: Any, routes: Any) -> None:
    """Raises CustomProviderInvalid that lists every member which is missing or empty."""
    empty = [] if name else ["provider"]
    if routes is None or routes == []:
        empty.append("route_configs")
    elif isinstance(routes, list):
        empty += [each for index, route in enumerate(routes) for each in _empty_in(index, route)]
    if empty:
        raise CustomProviderInvalid(f"empty fields in provider: {', '.join(empty)}", fields=tuple(empty))


def check_routes(routes: Any) -> list[CustomRouteRecord]:
    """The route configs, with every member checked."""
    if not isinstance(routes, list):
        raise invalid("route_configs", "must be a list")
    return _within_bounds(_by_path([_checked(index, route) for index, route in enumerate(routes)]))


def merged(stored: Sequence[Mapping[str, Any]], changes: Any) -> list[CustomRouteRecord]:
    """Route configs changed by path: members that are not empty override, null empties, unknown paths are appended.

    Errors name a member by its place among the changes.
    """
    if not isinstance(changes, list):
        raise invalid("route_configs", "must be a list")
    before = {route["path"]: route for route in stored}
    changed = []
    for index, change in enumerate(changes):
        path = change.get("path") if isinstance(change, Mapping) else None
        if not isinstance(path, str) or not path:
            raise invalid(route_member(index, "path"), "must say which route config is meant")
        given = {name: value for name, value in change.items() if value not in ("", [])}
        changed.append(_checked(index, {**before.get(path, {}), **given}))
    after = _by_path(changed)
    kept = {path: after.get(path) or _checked(index, route) for index, (path, route) in enumerate(before.items())}
    return _within_bounds(kept | after)


def _by_path(routes: Sequence[CustomRouteRecord]) -> dict[str, CustomRouteRecord]:
    found: dict[str, CustomRouteRecord] = {}
    for index, route in enumerate(routes):
        if route.path in found:
            raise invalid(route_member(index, "path"), f"must be unique: {route.path} is there twice")
        found[route.path] = route
    return found


def _within_bounds(routes: Mapping[str, CustomRouteRecord]) -> list[CustomRouteRecord]:
    if not 0 < len(routes) <= MAX_ROUTES:
        raise invalid("route_configs", f"must be 1 to {MAX_ROUTES} route configs")
    return list(routes.values())


def _empty_in(index: int, route: Any) -> list[str]:
    if not isinstance(route, Mapping):
        return []  # said by _checked
    required = list(_ALWAYS_REQUIRED)
    methods = route.get("methods") or ["POST"]
    if not isinstance(methods, list) or any(str(method).upper() in _WITH_BODY for method in methods):
        required += _REQUIRED_WITH_BODY
    if route.get("stream_location"):
        required += _REQUIRED_WITH_STREAM
    return [route_member(index, name) for name in required if not route.get(name)]


def _checked(index: int, route: Any) -> CustomRouteRecord:
    if not isinstance(route, Mapping):
        raise invalid(f"route_configs.[{index}]", "must be an object")
    missing = _empty_in(index, route)
    if missing:
        raise CustomProviderInvalid(f"empty fields in provider: {', '.join(missing)}", fields=tuple(missing))
    texts = {name: _text(index, route, name) for name in MEMBERS if name not in _OTHER_TYPES}
    _check_path(route_member(index, "path"), texts["path"])
    _check_phrase(index, "target_url", texts["target_url"], check_url)
    for name in LOCATIONS:
        if texts[name]:
            _check_phrase(index, name, texts[name], parse_path)
    if texts["stream_end_word"] and not _END_WORD.fullmatch(texts["stream_end_word"]):
        raise invalid(route_member(index, "stream_end_word"), "must be one line of at most 255 characters")
    return CustomRouteRecord(
        methods=_methods(index, route.get("methods")),
        stream_max_empty_messages=_empty_messages(index, route.get("stream_max_empty_messages")),
        **texts,
    )


_OTHER_TYPES = ("methods", "stream_max_empty_messages")


def _text(index: int, route: Mapping[str, Any], name: str) -> str:
    value = route.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(route_member(index, name), "must be a string")
    return value


def _check_path(name: str, path: str) -> None:
    if _SPACE.search(path):
        raise invalid(name, "cannot contain white space")
    if not path.startswith("/"):
        raise invalid(name, 'must start with "/"')
    if not _PATH.fullmatch(path) or _BAD_IN_PATH.search(path):
        raise invalid(name, "must be a plain path of at most 255 characters, without query, wildcards or dot segments")


def _check_phrase(index: int, name: str, value: str, check: Any) -> None:
    """Runs a check that raises ValueError with a phrase."""
    try:
        check(value)
    except ValueError as error:
        raise invalid(route_member(index, name), str(error)) from error


def _methods(index: int, methods: Any) -> frozenset[str]:
    if methods is None or methods == []:
        return frozenset({"POST"})
    name = route_member(index, "methods")
    if not isinstance(methods, list) or not all(isinstance(method, str) for method in methods):
        raise invalid(name, "must be a list of strings")
    found = frozenset(method.upper() for method in methods)
    if not found <= frozenset(METHODS):
        raise invalid(name, f"must be some of {', '.join(METHODS)}")
    return found


def _empty_messages(index: int, value: Any) -> int:
    name = route_member(index, "stream_max_empty_messages")
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:10])
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(name, "must be a whole number")
    if not 0 <= value <= _MAX_EMPTY_MESSAGES:
        raise invalid(name, f"must be between 0 (never) and {_MAX_EMPTY_MESSAGES}")
    return value
