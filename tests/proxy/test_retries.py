"""Tests of what is tried again, and when."""

import pytest

from proxy.retries import is_retried, pause_s, speaks_of_provider
from routes.records import RouteStepRecord

STEP = RouteStepRecord("openai", "gpt-4o", retry_interval_s=2.0)


def longest(_: float, most: float) -> float:
    return most


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_time_cures_is_tried_again(status: int) -> None:
    assert is_retried(status)


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 413, 415, 422, 451])
def test_what_stays_as_it_is_is_not(status: int) -> None:
    assert not is_retried(status)


def test_only_its_own_failures_speak_against_a_provider() -> None:
    said = {status: speaks_of_provider(status) for status in (200, 400, 401, 404, 408, 409, 425, 429, 500, 529)}
    assert said == {
        200: True, 400: True, 401: True, 404: True, 408: False, 409: True, 425: True, 429: None, 500: False, 529: False,
    }  # fmt: skip


def test_a_constant_pause_is_the_steps_own() -> None:
    assert [pause_s("constant", STEP, retry, None) for retry in (0, 1, 7)] == [2.0, 2.0, 2.0]


def test_an_exponential_pause_grows_to_its_bound() -> None:
    grown = [pause_s("exponential", STEP, retry, None, draw=longest) for retry in (0, 1, 2, 30, 100_000)]
    assert grown == [0.5, 0.75, 1.125, 60.0, 60.0]


def test_its_jitter_is_full() -> None:
    drawn = [pause_s("exponential", STEP, 3, None) for _ in range(500)]
    most = 0.5 * 1.5**3
    assert all(0 <= pause <= most for pause in drawn)
    assert min(drawn) < most * 0.2
    assert max(drawn) > most * 0.8


def test_a_provider_that_says_when_to_come_back_is_believed() -> None:
    assert pause_s("constant", STEP, 0, 7.0) == 7.0
    assert pause_s("constant", STEP, 0, 0.0) == 2.0
    assert pause_s("exponential", STEP, 0, 7.0, draw=longest) == 7.0
