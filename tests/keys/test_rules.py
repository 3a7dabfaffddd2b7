from typing import Any

import pytest

from keys.records import PathRule
from keys.rules import (
    COST_WINDOW,
    RATE_WINDOW,
    KeyFields,
    KeyValidationFailed,
    LimitWindow,
    changed_window,
    check_fields,
    check_secret,
    secret_hint,
    starts_afresh,
    ttl_s,
)

NONE = LimitWindow(None, None)
PER_MINUTE = LimitWindow(2, "m")
PER_HOUR = LimitWindow(2, "h")


@pytest.mark.parametrize("secret", ["x", "a b", "tab\tinside", "ü", "🔑" * 256, "-" * 1024])
def test_it_takes_any_secret_a_header_can_carry(secret: str) -> None:
    check_secret(secret)


@pytest.mark.parametrize("secret", ["", "qz\rqz", "qz\nqz", "qz\x00qz", "qz\x7f", " qz", "qz\t", "qz" + "🔑" * 256])
def test_it_refuses_other_secrets_without_repeating_them(secret: str) -> None:
    with pytest.raises(KeyValidationFailed) as refused:
        check_secret(secret)
    assert refused.value.fields == ("key",)
    assert "qz" not in refused.value.detail


@pytest.mark.parametrize(
    ("secret", "hint"), [("sixteen-chars-ok", "six…ok"), ("fifteen-chars-k", ""), ("short", ""), ("", "")]
)
def test_it_hints_only_at_long_secrets(secret: str, hint: str) -> None:
    assert secret_hint(secret) == hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", None), ("0", None), ("0s", None), ("30s", 30), ("1h30m", 5400), ("2d", 172_800), ("1500ms", 2), ("1ms", 1)],
)
def test_it_reads_a_ttl_in_whole_seconds_rounded_up(text: str, seconds: int | None) -> None:
    assert ttl_s(text) == seconds


@pytest.mark.parametrize("text", ["soon", "2", "-1s", "2w", "40000d", "9" * 64 + "h", "1s "])
def test_it_refuses_what_is_no_ttl(text: str) -> None:
    with pytest.raises(KeyValidationFailed, match="ttl"):
        ttl_s(text)


@pytest.mark.parametrize(
    ("stored", "changes", "after"),
    [
        (NONE, {}, NONE),
        (PER_MINUTE, {}, PER_MINUTE),
        (NONE, {"request_limit": 2, "request_window_unit": "m"}, PER_MINUTE),
        (PER_MINUTE, {"request_limit": 5}, LimitWindow(5, "m")),
        (PER_MINUTE, {"request_limit": 2, "request_window_unit": "h"}, PER_HOUR),
        (PER_MINUTE, {"request_limit": None}, NONE),
        (PER_MINUTE, {"request_limit": None, "request_window_unit": ""}, NONE),
        (PER_MINUTE, {"request_limit": None, "request_window_unit": None}, NONE),
        (NONE, {"request_window_unit": ""}, NONE),
        (NONE, {"request_window_unit": None}, NONE),
        (PER_MINUTE, {"cost_window_limit_nano": 9, "cost_window_unit": "d"}, PER_MINUTE),
    ],
)
def test_it_changes_a_window(stored: LimitWindow, changes: dict[str, Any], after: LimitWindow) -> None:
    assert changed_window(RATE_WINDOW, changes, stored) == after


@pytest.mark.parametrize(
    ("stored", "changes", "member", "sentence"),
    [
        (NONE, {"request_limit": 2}, "rateLimitUnit", "unit can not be empty if rate limit over time is specified"),
        (NONE, {"request_window_unit": "m"}, "rateLimitOverTime", "can not be empty if rate limit unit is specified"),
        (PER_MINUTE, {"request_window_unit": "h"}, "rateLimitOverTime", "can not be empty if rate limit unit"),
        (PER_MINUTE, {"request_window_unit": ""}, "rateLimitOverTime", "must be 0 if rate limit unit is empty"),
        (PER_MINUTE, {"request_limit": 2, "request_window_unit": ""}, "rateLimitOverTime", "must be 0 if rate limit"),
        (PER_MINUTE, {"request_limit": None, "request_window_unit": "m"}, "rateLimitOverTime", "can not be empty"),
        (NONE, {"request_limit": 2, "request_window_unit": "mo"}, "rateLimitUnit", "rate limit unit can not be ident"),
    ],
)
def test_it_refuses_half_a_window(stored: LimitWindow, changes: dict[str, Any], member: str, sentence: str) -> None:
    with pytest.raises(KeyValidationFailed) as refused:
        changed_window(RATE_WINDOW, changes, stored)
    assert refused.value.fields == (member,)
    assert member in refused.value.detail
    assert sentence in refused.value.detail


def test_it_says_cost_limit_of_a_cost_window() -> None:
    with pytest.raises(KeyValidationFailed, match="cost limit unit can not be identified"):
        changed_window(COST_WINDOW, {"cost_window_limit_nano": 1, "cost_window_unit": "y"}, NONE)


@pytest.mark.parametrize(
    ("before", "after", "afresh"),
    [
        ((NONE, NONE), (NONE, NONE), False),
        ((PER_MINUTE, NONE), (LimitWindow(9, "m"), NONE), False),
        ((PER_MINUTE, NONE), (PER_HOUR, NONE), True),
        ((NONE, NONE), (PER_MINUTE, NONE), True),
        ((PER_MINUTE, NONE), (NONE, NONE), False),
        ((PER_MINUTE, PER_HOUR), (PER_HOUR, PER_HOUR), False),
        ((PER_MINUTE, PER_HOUR), (PER_MINUTE, PER_MINUTE), False),
        ((PER_MINUTE, PER_HOUR), (PER_HOUR, PER_MINUTE), True),
        ((PER_MINUTE, PER_HOUR), (NONE, PER_MINUTE), True),
    ],
)
def test_it_starts_afresh_only_when_a_unit_changed_and_no_other_window_is_kept(
    before: tuple[LimitWindow, LimitWindow], after: tuple[LimitWindow, LimitWindow], afresh: bool
) -> None:
    assert starts_afresh(before, after) is afresh


@pytest.mark.parametrize(
    ("fields", "member"),
    [
        ({"name": "  "}, "name"),
        ({"tags": ["x"] * 101}, "tags"),
        ({"tags": ["x", "y" * 256]}, "tags[1]"),
        ({"cost_limit_nano": 0}, "costLimitInUsd"),
        ({"cost_window_limit_nano": -1}, "costLimitInUsdOverTime"),
        ({"request_limit": 0}, "rateLimitOverTime"),
        ({"setting_ids": []}, "settingIds"),
        ({"setting_ids": ["a", "A"]}, "settingIds[1]"),
        ({"setting_ids": [str(number) for number in range(101)]}, "settingIds"),
        ({"allowed_paths": [PathRule("GET", "/x")] * 501}, "allowedPaths"),
        ({"allowed_paths": [PathRule("GET", "")]}, "allowedPaths[0].path"),
        ({"allowed_paths": [PathRule("", "/x")]}, "allowedPaths[0].method"),
        ({"revoked_reason": "x" * 256}, "revokedReason"),
        ({"ttl_text": "soon"}, "ttl"),
    ],
)
def test_it_names_the_wrong_field_as_the_rest_has_it(fields: KeyFields, member: str) -> None:
    with pytest.raises(KeyValidationFailed) as refused:
        check_fields(fields)
    assert refused.value.fields == (member,)
    assert f"fields [{member}] are invalid" in refused.value.detail


def test_it_takes_every_field_in_order() -> None:
    check_fields(
        {
            "name": "n",
            "tags": ["a"],
            "cost_limit_nano": None,
            "request_limit": 1,
            "allowed_paths": [PathRule("get", "/x"), PathRule("*", "*")],
            "setting_ids": ["a", "b"],
            "ttl_text": "2d",
        }
    )
