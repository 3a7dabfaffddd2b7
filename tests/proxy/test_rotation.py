"""Tests of turns among settings."""

from collections import Counter
from typing import Any

import pytest

from providers.records import ProviderRecord
from proxy.rotation import DEFAULT_REST_S, LONGEST_REST_S, RESTS_KEPT, TURNS_KEPT, Rotation, preferred
from tests.proxy_gateway import openai_setting


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def setting(name: str, **changes: Any) -> ProviderRecord:
    return openai_setting("http://upstream", id=name, **changes)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rotation(clock: Clock) -> Rotation:
    return Rotation(clock)


def taken(rotation: Rotation, able: list[ProviderRecord], count: int, key_id: str = "k") -> str:
    return "".join(rotation.next(key_id, able).id for _ in range(count))


def test_equals_take_turns_in_the_order_of_the_key(rotation: Rotation) -> None:
    assert taken(rotation, [setting("a"), setting("b"), setting("c")], 7) == "abcabca"


def test_keys_take_turns_each_for_itself(rotation: Rotation) -> None:
    able = [setting("a"), setting("b")]
    assert (taken(rotation, able, 1, "one"), taken(rotation, able, 1, "two")) == ("a", "a")


def test_turns_are_in_proportion_to_weights_and_mixed(rotation: Rotation) -> None:
    order = taken(rotation, [setting("a", weight=3), setting("b")], 40)
    assert Counter(order) == {"a": 30, "b": 10}
    assert "aaaa" not in order


def test_a_lower_priority_waits_until_the_higher_ones_rest(rotation: Rotation, clock: Clock) -> None:
    able = [setting("low"), setting("high", priority=5)]
    assert taken(rotation, able, 2) == "highhigh"
    rotation.rest("high", 30)
    assert taken(rotation, able, 1) == "low"
    clock.at += 30
    assert taken(rotation, able, 1) == "high"


def test_one_that_was_refused_is_stepped_over_until_its_time_has_passed(rotation: Rotation, clock: Clock) -> None:
    able = [setting("a"), setting("b")]
    rotation.rest("a", 2)
    assert taken(rotation, able, 3) == "bbb"
    clock.at += 2
    assert set(taken(rotation, able, 2)) == {"a", "b"}


def test_when_all_rest_the_first_to_be_ready_is_asked(rotation: Rotation) -> None:
    rotation.rest("a", 20)
    rotation.rest("b", 10)
    assert rotation.next("k", [setting("a"), setting("b")]).id == "b"


@pytest.mark.parametrize(("said_s", "rests_s"), [(None, DEFAULT_REST_S), (-5, 0), (10**9, LONGEST_REST_S), (7.5, 7.5)])
def test_a_rest_has_bounds(rotation: Rotation, clock: Clock, said_s: float | None, rests_s: float) -> None:
    rotation.rest("a", said_s)
    clock.at += rests_s / 2
    assert rotation.is_resting("a") == (rests_s > 0)
    clock.at += rests_s
    assert not rotation.is_resting("a")


def test_what_is_remembered_stays_small(rotation: Rotation) -> None:
    able = [setting("a"), setting("b")]
    for number in range(TURNS_KEPT + 2):
        rotation.next(f"k{number}", able)
    for number in range(RESTS_KEPT + 2):
        rotation.rest(f"s{number}", 5)
    assert len(rotation._turns) <= TURNS_KEPT
    assert len(rotation._resting) <= RESTS_KEPT


def test_without_rotation_priority_then_weight_then_order_decide() -> None:
    assert preferred([setting("a"), setting("b")]).id == "a"
    assert preferred([setting("a"), setting("b", weight=2)]).id == "b"
    assert preferred([setting("a", weight=9), setting("b", priority=1)]).id == "b"
