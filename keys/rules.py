"""What a key may be: the checks on its fields, and what a change of its limits means. Pure.

Messages name the members as the REST has them (`rateLimitOverTime`); sentences the seed has are kept word for word.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from gateway_project.shared.durations import parse_duration_s
from gateway_project.shared.problems import ValidationFailed
from gateway_project.shared.windows import COST_UNITS, RATE_UNITS
from keys.records import PathRule

MAX_SECRET_BYTES = 1024
MAX_TAGS = 100
MAX_TAG_CHARACTERS = 255
MAX_PATHS = 500
MAX_PATH_CHARACTERS = 1024
MAX_SETTINGS = 100
MAX_NAME_CHARACTERS = 255
MAX_REASON_CHARACTERS = 255
MAX_TTL_CHARACTERS = 64
MAX_TTL_S = 100 * 366 * 86_400
HINTED_FROM_CHARACTERS = 16
_METHOD = re.compile(r"[A-Za-z]{1,32}|\*")
# No HTTP header can carry these; a secret with one could never be presented.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class KeyValidationFailed(ValidationFailed):
    title = "key validation failed"


class KeyFields(TypedDict, total=False):
    """What a key is made of, and what a change changes: what is not there stays, or takes the default.

    setting_ids: in order. ttl_text: as given ("30m"), "" for ever; it counts from creation and cannot be changed.
    A limit is above 0, None is no limit; a window's limit and unit come and go together.
    """

    name: str
    tags: Sequence[str]
    setting_ids: Sequence[str | UUID]
    cost_limit_nano: int | None
    cost_window_limit_nano: int | None
    cost_window_unit: str | None
    request_limit: int | None
    request_window_unit: str | None
    ttl_text: str
    allowed_paths: Sequence[PathRule]
    should_log_request: bool
    should_log_response: bool
    rotation_enabled: bool
    allow_unmetered: bool
    policy_id: UUID | None
    revoked: bool
    revoked_reason: str


class LimitWindow(NamedTuple):
    """A limit with its window. Both are None for no limit."""

    limit: int | None
    unit: str | None


class WindowKind(NamedTuple):
    """Which of a key's two windows: its two fields, its two members on the wire, its name in messages."""

    limit_field: str
    unit_field: str
    limit_member: str
    unit_member: str
    words: str
    units: tuple[str, ...]


RATE_WINDOW = WindowKind(
    "request_limit", "request_window_unit", "rateLimitOverTime", "rateLimitUnit", "rate limit", RATE_UNITS
)
COST_WINDOW = WindowKind(
    "cost_window_limit_nano",
    "cost_window_unit",
    "costLimitInUsdOverTime",
    "costLimitInUsdUnit",
    "cost limit",
    COST_UNITS,
)


def invalid(member: str, reason: str) -> KeyValidationFailed:
    """The error for one wrong member."""
    return KeyValidationFailed(f"fields [{member}] are invalid: {reason}", fields=(member,))


def check_secret(secret: str) -> None:
    """Raises KeyValidationFailed, without the secret in it."""
    if not secret:
        raise invalid("key", "key must not be empty")
    if len(secret.encode("utf-8", "surrogatepass")) > MAX_SECRET_BYTES:
        raise invalid("key", f"key must not be longer than {MAX_SECRET_BYTES} bytes")
    if _UNSENDABLE.search(secret):
        raise invalid("key", "key must not have control characters: no HTTP header can carry them")
    if secret != secret.strip(" \t"):
        raise invalid("key", "key must not begin or end with white space: HTTP removes it")


def secret_hint(secret: str) -> str:
    """Begin and end of a secret that is long enough to give them away, else nothing."""
    return f"{secret[:3]}…{secret[-2:]}" if len(secret) >= HINTED_FROM_CHARACTERS else ""


def check_fields(fields: KeyFields) -> None:
    """Every check that needs one field alone. Raises KeyValidationFailed."""
    if "name" in fields:
        _check_text("name", fields["name"], MAX_NAME_CHARACTERS)
    if "revoked_reason" in fields:
        _check_length("revokedReason", fields["revoked_reason"], MAX_REASON_CHARACTERS)
    _check_limit("costLimitInUsd", fields.get("cost_limit_nano"))
    _check_limit(COST_WINDOW.limit_member, fields.get("cost_window_limit_nano"))
    _check_limit(RATE_WINDOW.limit_member, fields.get("request_limit"))
    _check_tags(fields.get("tags", ()))
    _check_paths(fields.get("allowed_paths", ()))
    if "setting_ids" in fields:
        _check_setting_ids(fields["setting_ids"])
    if "ttl_text" in fields:
        ttl_s(fields["ttl_text"])


def ttl_s(text: str) -> int | None:
    """Whole seconds of a ttl, rounded up, since a ttl below a second is not none; None for none ("", "0", "0s")."""
    if not text:
        return None
    _check_length("ttl", text, MAX_TTL_CHARACTERS)
    try:
        seconds = math.ceil(parse_duration_s(text))
    except (ValueError, OverflowError) as error:
        raise invalid("ttl", f"ttl {text!r} is not a duration: write such as 30s, 15m, 1h30m or 2d") from error
    if seconds > MAX_TTL_S:
        raise invalid("ttl", "ttl must not be longer than 100 years")
    return seconds or None


def changed_window(kind: WindowKind, changes: Mapping[str, Any], stored: LimitWindow) -> LimitWindow:
    """A window after a change that may give its limit, its unit, both or neither. Raises KeyValidationFailed.

    A limit alone keeps the unit; no limit takes the unit with it. A unit alone is refused: nobody could tell whether
    the old number was meant for the new window.
    """
    limit_given, unit_given = kind.limit_field in changes, kind.unit_field in changes
    limit = changes[kind.limit_field] if limit_given else None
    unit = (changes[kind.unit_field] or None) if unit_given else None
    if not limit_given:
        if not unit_given or LimitWindow(None, unit) == stored:
            return stored
        raise _window_without_limit(kind, unit)
    if limit is None:
        if unit is not None:
            raise _window_without_limit(kind, unit)
        return LimitWindow(None, None)
    if not unit_given:
        unit = stored.unit
    return LimitWindow(limit, _checked_unit(kind, unit, emptied=unit_given and stored.unit is not None))


def _window_without_limit(kind: WindowKind, unit: str | None) -> KeyValidationFailed:
    words = kind.words
    if unit is None:
        return invalid(kind.limit_member, f"{words} over time must be 0 if {words} unit is empty")
    return invalid(kind.limit_member, f"{words} over time can not be empty if {words} unit is specified")


def _checked_unit(kind: WindowKind, unit: str | None, *, emptied: bool) -> str:
    words = kind.words
    if unit is None and emptied:
        raise invalid(kind.limit_member, f"{words} over time must be 0 if {words} unit is empty")
    if unit is None:
        raise invalid(kind.unit_member, f"{words} unit can not be empty if {words} over time is specified")
    if unit not in kind.units:
        known = ", ".join(kind.units)
        raise invalid(kind.unit_member, f"{words} unit can not be identified; {kind.unit_member} is one of {known}")
    return unit


def starts_afresh(before: tuple[LimitWindow, LimitWindow], after: tuple[LimitWindow, LimitWindow]) -> bool:
    """Whether a change of the (rate, cost) windows must start their counters at zero, with a new epoch.

    It must when a window changes its unit: the counters of the new unit may hold what was counted for another limit.
    It must not while the other window stays as it was: the epoch is shared, and a new rate unit would give back the
    spend of a cost window. A limit that only changes its number keeps what was counted.
    """
    changed = [new.unit is not None and old.unit != new.unit for old, new in zip(before, after, strict=True)]
    kept = [new.unit is not None and old.unit == new.unit for old, new in zip(before, after, strict=True)]
    return any(changed) and not any(kept)


def _check_tags(tags: Sequence[str]) -> None:
    if len(tags) > MAX_TAGS:
        raise invalid("tags", f"tags must not be more than {MAX_TAGS}")
    for index, tag in enumerate(tags):
        _check_text(f"tags[{index}]", tag, MAX_TAG_CHARACTERS)


def _check_paths(paths: Sequence[PathRule]) -> None:
    if len(paths) > MAX_PATHS:
        raise invalid("allowedPaths", f"allowedPaths must not be more than {MAX_PATHS}")
    for index, rule in enumerate(paths):
        member = f"allowedPaths[{index}]"
        _check_text(f"{member}.path", rule.path, MAX_PATH_CHARACTERS)
        if not rule.path.startswith(("/", "*")):
            raise invalid(f"{member}.path", f"{member}.path must begin with a slash")
        if not _METHOD.fullmatch(rule.method):
            raise invalid(f"{member}.method", f"{member}.method must be an HTTP method")


def _check_setting_ids(ids: Sequence[str | UUID]) -> None:
    if not ids:
        raise invalid("settingIds", "settingIds must not be empty")
    if len(ids) > MAX_SETTINGS:
        raise invalid("settingIds", f"settingIds must not be more than {MAX_SETTINGS}")
    seen = set()
    for index, each in enumerate(str(each).lower() for each in ids):
        if each in seen:
            raise invalid(f"settingIds[{index}]", f"settingIds[{index}] is given twice")
        seen.add(each)


def _check_limit(member: str, limit: int | None) -> None:
    if limit is not None and limit <= 0:
        # The seed writes "no limit" as 0: a limit that lets nothing through could not be told from it.
        raise invalid(member, f"{member} must be above 0; leave it empty for no limit")


def _check_text(member: str, text: str, longest: int) -> None:
    if not text.strip():
        raise invalid(member, f"{member} must not be empty")
    _check_length(member, text, longest)


def _check_length(member: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise invalid(member, f"{member} must not be longer than {longest} characters")
    if "\x00" in text:
        raise invalid(member, f"{member} must not have NUL characters")
