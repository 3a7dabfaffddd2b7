"""What the fields of a route may hold."""

from typing import Any
from uuid import uuid4

import pytest

from routes import rules
from routes.rules import MAX_KEYS, MAX_STEPS, RouteInvalid


@pytest.mark.parametrize(
    "path", ["/", "/a", "/production/chat/completion", "/a/", "/v1.0/~x/a:b@c!$&'()*+,=", "/...", "/.a/b."]
)
def test_it_takes_a_path_that_can_be_called(path: str) -> None:
    rules.check_fields({"path": path})


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "must not be empty"),
        ("a/b", 'must start with "/"'),
        ("/a b", "white space"),
        ("/a\n", "white space"),
        ("/a\u00a0b", "white space"),
        ("/a//b", "empty or dot segments"),
        ("//", "empty or dot segments"),
        ("/a//", "empty or dot segments"),
        ("/..", "empty or dot segments"),
        ("/a/./b", "empty or dot segments"),
        ("/a/../", "empty or dot segments"),
        ("/a?b", "letters, digits"),
        ("/a#b", "letters, digits"),
        ("/a%2e", "letters, digits"),
        ("/a\\b", "letters, digits"),
        ("/a;b", "letters, digits"),
        ("/é", "letters, digits"),
        ("/a\x00", "NUL"),
        ("/" + "a" * 255, "longer than 255"),
    ],
)
def test_it_refuses_a_path_that_cannot_be_called(path: str, reason: str) -> None:
    with pytest.raises(RouteInvalid, match=reason) as caught:
        rules.check_fields({"path": path})
    assert caught.value.fields == ("path",)


@pytest.mark.parametrize(("name", "reason"), [("", "empty"), (" ", "empty"), ("a" * 256, "longer"), ("a\0", "NUL")])
def test_it_wants_a_name(name: str, reason: str) -> None:
    with pytest.raises(RouteInvalid, match=reason):
        rules.check_fields({"name": name})


@pytest.mark.parametrize(
    ("fields", "member", "reason"),
    [
        ({"cache_ttl": "0s"}, "cacheConfig.ttl", "above 0s.*cacheConfig.enabled"),
        ({"cache_ttl": "0"}, "cacheConfig.ttl", "above 0s"),
        ({"cache_ttl": "-5s"}, "cacheConfig.ttl", "is not a duration"),
        ({"cache_ttl": "five"}, "cacheConfig.ttl", "is not a duration"),
        ({"cache_ttl": "721h"}, "cacheConfig.ttl", "exceeds 30 days"),
        ({"cache_ttl": "31d"}, "cacheConfig.ttl", "exceeds 30 days"),
        ({"cache_ttl": "9" * 63 + "h"}, "cacheConfig.ttl", "exceeds 30 days"),
        ({"cache_ttl": "1" * 64 + "s"}, "cacheConfig.ttl", "longer than 64"),
        ({"deadline": "0s"}, "deadline", "above 0s"),
        ({"deadline": "25h"}, "deadline", "longer than 24h"),
        ({"deadline": "soon"}, "deadline", "is not a duration"),
        ({"retry_strategy": "linear"}, "retryStrategy", "constant or exponential"),
        ({"steps": []}, "steps", "1 to"),
        ({"steps": [{}] * (MAX_STEPS + 1)}, "steps", "1 to"),
        ({"key_ids": []}, "keyIds", "1 to"),
        ({"key_ids": ["x"] * (MAX_KEYS + 1)}, "keyIds", "1 to"),
        ({"key_ids": ["nonsense"]}, "keyIds", "specified key ids are not found: nonsense"),
    ],
)
def test_it_names_the_wrong_member(fields: Any, member: str, reason: str) -> None:
    with pytest.raises(RouteInvalid, match=reason) as caught:
        rules.check_fields(fields)
    assert caught.value.fields == (member,)
    assert member in caught.value.detail


@pytest.mark.parametrize("ttl", ["", "1ms", "5s", "168h", "720h", "30d", "1h30m"])
def test_it_takes_a_ttl_up_to_thirty_days(ttl: str) -> None:
    rules.check_fields({"cache_ttl": ttl})


def test_it_refuses_a_key_given_twice_however_it_is_written() -> None:
    key_id = uuid4()
    with pytest.raises(RouteInvalid, match="given twice") as caught:
        rules.key_ids_of([str(key_id), str(key_id).upper()])
    assert caught.value.fields == ("keyIds.[1]",)


@pytest.mark.parametrize(("text", "seconds"), [("1ms", 1), ("1s", 1), ("1500ms", 2), ("168h", 604_800)])
def test_a_ttl_is_whole_seconds_and_never_none(text: str, seconds: int) -> None:
    assert rules.ttl_s(text) == seconds


def test_nothing_waits_only_where_nothing_may() -> None:
    assert rules.duration_s("m", "0s", most_s=60, zero=True) == 0
    with pytest.raises(RouteInvalid, match="longer than 60s"):
        rules.duration_s("m", "61s", most_s=60)
