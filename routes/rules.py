"""What a route may be: the checks on its fields. Pure; step_rules has those of its steps.

Messages name the members as the REST has them (`cacheConfig.ttl`, `steps.[0].model`).
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict
from uuid import UUID

from gateway_project.shared.durations import parse_duration_s
from gateway_project.shared.problems import NotFound, ValidationFailed

DEFAULT_TTL: Final = "168h"
DEFAULT_DEADLINE: Final = "10m"
DEFAULT_RETRY_INTERVAL: Final = "1s"
DEFAULT_TIMEOUT: Final = "5m"
MAX_TTL_S = 30 * 86_400
MAX_DEADLINE_S = 86_400
MAX_RETRIES = 10
MAX_STEPS = 50
MAX_KEYS = 10_000
MAX_NAME_CHARACTERS = 255
MAX_PATH_CHARACTERS = 255
MAX_DURATION_CHARACTERS = 64
RETRY_STRATEGIES = ("", "constant", "exponential")
# No percent sign: a path that can be written in two ways could be matched in one only.
_PATH_CHARACTERS = re.compile(r"[A-Za-z0-9/._~:@!$&'()*+,=-]*")


class RouteInvalid(ValidationFailed):
    title = "route validation failed"


class RouteNotFound(NotFound):
    default_code = "route_not_found"
    title = "route not found error"


class StepFields(TypedDict, total=False):
    """A step; what is not there takes its default. Durations as they are written, "" for the default."""

    provider: str
    model: str
    params: Mapping[str, str]
    request_params: Mapping[str, Any]
    retries: int
    retry_interval: str
    timeout: str


class RouteFields(TypedDict, total=False):
    """What a route is made of, and what a change changes: what is not there stays, or takes the default.

    steps, key_ids: in order, and replaced as a whole. Durations as they are written, "" for the default.
    """

    name: str
    path: str
    key_ids: Sequence[str | UUID]
    steps: Sequence[StepFields]
    request_format: str
    retry_strategy: str
    deadline: str
    cache_enabled: bool
    cache_ttl: str
    cache_single_flight: bool


def invalid(member: str, reason: str) -> RouteInvalid:
    """The error for one wrong member."""
    return RouteInvalid(f"fields [{member}] are invalid: {reason}", fields=(member,))


def check_fields(fields: RouteFields) -> None:
    """Every check that needs a field alone. Raises RouteInvalid."""
    if "name" in fields:
        check_text("name", fields["name"], MAX_NAME_CHARACTERS)
    if "path" in fields:
        _check_path(fields["path"])
    if fields.get("retry_strategy", "") not in RETRY_STRATEGIES:
        raise invalid("retryStrategy", "retryStrategy must be constant or exponential")
    if "deadline" in fields:
        duration_s("deadline", fields["deadline"] or DEFAULT_DEADLINE, most_s=MAX_DEADLINE_S)
    if "cache_ttl" in fields:
        _check_ttl(fields["cache_ttl"] or DEFAULT_TTL)
    if "steps" in fields and not 0 < len(fields["steps"]) <= MAX_STEPS:
        raise invalid("steps", f"steps must be 1 to {MAX_STEPS}")
    if "key_ids" in fields:
        key_ids_of(fields["key_ids"])


def key_ids_of(given: Sequence[str | UUID]) -> list[UUID]:
    """The ids as they are stored. Raises RouteInvalid for none, too many, what is no id, and doubles."""
    if not 0 < len(given) <= MAX_KEYS:
        raise invalid("keyIds", f"keyIds must be 1 to {MAX_KEYS}: they say who may call the route")
    ids: dict[UUID, None] = {}
    for index, each in enumerate(given):
        try:
            key_id = UUID(str(each))
        except ValueError as error:
            raise unknown_keys([str(each)]) from error
        if key_id in ids:
            raise invalid(f"keyIds.[{index}]", f"keyIds.[{index}] is given twice")
        ids[key_id] = None
    return list(ids)


def unknown_keys(ids: Sequence[str]) -> RouteInvalid:
    listed = ", ".join(each[:64] for each in ids[:5])
    return invalid("keyIds", f"specified key ids are not found: {listed}")


def path_taken() -> RouteInvalid:
    return invalid("path", "path is not unique: another route has it")


def duration_s(member: str, text: str, *, most_s: float, zero: bool = False) -> float:
    """Seconds of a duration between 0 (only if `zero`) and most_s. Raises RouteInvalid."""
    if len(text) > MAX_DURATION_CHARACTERS:
        raise invalid(member, f"{member} must not be longer than {MAX_DURATION_CHARACTERS} characters")
    try:
        seconds = parse_duration_s(text)
    except ValueError as error:
        raise invalid(member, f"{member} {text!r} is not a duration: write such as 500ms, 30s, 5m or 1h") from error
    if not seconds and not zero:
        raise invalid(member, f"{member} must be above 0s")
    if seconds > most_s:
        raise invalid(member, f"{member} must not be longer than {_written(most_s)}")
    return seconds


def ttl_s(text: str) -> int:
    """Whole seconds of a checked ttl, rounded up: one below a second is not none."""
    return math.ceil(parse_duration_s(text))


def check_text(member: str, text: str, longest: int) -> None:
    if not text.strip():
        raise invalid(member, f"{member} must not be empty")
    if len(text) > longest:
        raise invalid(member, f"{member} must not be longer than {longest} characters")
    if "\x00" in text:
        raise invalid(member, f"{member} must not have NUL characters")


def _check_ttl(text: str) -> None:
    seconds = duration_s("cacheConfig.ttl", text, most_s=math.inf, zero=True)
    if not seconds:
        raise invalid(
            "cacheConfig.ttl", "cacheConfig.ttl must be above 0s: to keep no answers, set cacheConfig.enabled to false"
        )
    if seconds > MAX_TTL_S:
        raise invalid("cacheConfig.ttl", "cacheConfig.ttl exceeds 30 days")


def _check_path(path: str) -> None:
    check_text("path", path, MAX_PATH_CHARACTERS)
    if not path.startswith("/"):
        raise invalid("path", 'path must start with "/"')
    if re.search(r"\s", path):
        raise invalid("path", "path must not have white space")
    if not _PATH_CHARACTERS.fullmatch(path):
        raise invalid("path", "path must consist of letters, digits, slashes and any of -._~:@!$&'()*+,=")
    segments = path[1:].removesuffix("/").split("/") if path != "/" else []
    if any(segment in ("", ".", "..") for segment in segments):
        raise invalid("path", "path must not have empty or dot segments")


def _written(seconds: float) -> str:
    return f"{seconds / 3600:g}h" if seconds >= 3600 else f"{seconds:g}s"
