"""Tests of circuit breakers, with a clock that the tests turn."""

import pytest
import structlog

from proxy import breaker
from proxy.breaker import Breakers

NAME = ("setting-1", "gpt-4o")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(clock)


def opened(breakers: Breakers) -> None:
    for _ in range(breaker.FEWEST_SAMPLES):
        assert breakers.may_enter(NAME)
        breakers.note(NAME, ok=False)


def state(breakers: Breakers) -> str:
    return next((each["state"] for each in breakers.states()), "closed")


def test_it_opens_when_half_of_enough_attempts_failed(breakers: Breakers) -> None:
    for ok in (True, False, True, False):
        breakers.note(NAME, ok=ok)
    assert state(breakers) == "closed"
    with structlog.testing.capture_logs() as logs:
        breakers.note(NAME, ok=False)
    assert state(breakers) == "open"
    assert not breakers.may_enter(NAME)
    assert [(line["event"], line["setting_id"], line["failures"]) for line in logs] == [
        ("breaker_opened", "setting-1", 3)
    ]


def test_it_stays_closed_while_more_than_half_succeed(breakers: Breakers) -> None:
    for number in range(60):
        breakers.note(NAME, ok=number % 5 not in (0, 1))
    assert state(breakers) == "closed"


def test_few_failures_say_nothing(breakers: Breakers) -> None:
    for _ in range(breaker.FEWEST_SAMPLES - 1):
        breakers.note(NAME, ok=False)
    assert breakers.may_enter(NAME)


def test_failures_are_forgotten_when_the_window_has_passed(breakers: Breakers, clock: Clock) -> None:
    for _ in range(breaker.FEWEST_SAMPLES - 1):
        breakers.note(NAME, ok=False)
    clock.now += breaker.WINDOW_S + 1
    breakers.note(NAME, ok=False)
    assert state(breakers) == "closed"


def test_a_rate_limit_opens_nothing(breakers: Breakers) -> None:
    for _ in range(20):
        breakers.note(NAME, ok=None)
    assert breakers.may_enter(NAME)
    assert breakers.states() == []


def test_one_probes_when_it_has_rested_and_others_wait_for_it(breakers: Breakers, clock: Clock) -> None:
    opened(breakers)
    clock.now += breaker.OPEN_S - 0.1
    assert not breakers.may_enter(NAME)
    clock.now += 0.1
    assert state(breakers) == "half_open"
    assert breakers.may_enter(NAME)
    assert not breakers.may_enter(NAME)
    breakers.note(NAME, ok=True)
    assert state(breakers) == "closed"
    assert breakers.may_enter(NAME)
    assert breakers.may_enter(NAME)


def test_a_probe_that_fails_opens_it_anew(breakers: Breakers, clock: Clock) -> None:
    opened(breakers)
    clock.now += breaker.OPEN_S
    assert breakers.may_enter(NAME)
    breakers.note(NAME, ok=False)
    assert state(breakers) == "open"
    assert breakers.opened_at(NAME) == clock.now
    clock.now += breaker.OPEN_S
    assert breakers.may_enter(NAME)


def test_a_probe_that_says_nothing_lets_another_one_probe(breakers: Breakers, clock: Clock) -> None:
    opened(breakers)
    clock.now += breaker.OPEN_S
    assert breakers.may_enter(NAME)
    breakers.note(NAME, ok=None)
    assert state(breakers) == "half_open"
    assert breakers.may_enter(NAME)


def test_a_probe_that_never_ends_blocks_nobody_for_ever(breakers: Breakers, clock: Clock) -> None:
    opened(breakers)
    clock.now += breaker.OPEN_S
    assert breakers.may_enter(NAME)
    clock.now += breaker.PROBE_S
    assert breakers.may_enter(NAME)


def test_settings_and_models_are_apart(breakers: Breakers) -> None:
    opened(breakers)
    assert breakers.may_enter(("setting-1", "gpt-4o-mini"))
    assert breakers.may_enter(("setting-2", "gpt-4o"))


def test_what_is_open_can_be_seen(breakers: Breakers, clock: Clock) -> None:
    opened(breakers)
    clock.now += 2
    assert breakers.states() == [
        {"setting_id": "setting-1", "model": "gpt-4o", "state": "open", "opened_s_ago": 2.0,
         "samples": 5, "failures": 5}
    ]  # fmt: skip


def test_names_that_clients_invent_are_bounded(breakers: Breakers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "KEPT", 10)
    opened(breakers)
    for number in range(100):
        breakers.note(("setting-1", f"model-{number}"), ok=False)
    assert len(breakers._circuits) <= 10
    assert state(breakers) == "open"
