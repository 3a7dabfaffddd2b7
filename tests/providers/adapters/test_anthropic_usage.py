"""Tests of Anthropic's usage: caches apart, streams that tell it bit by bit, nonsense that counts nothing."""

import json
from typing import Any

import pytest

from providers.adapters.anthropic_usage import MAX_TOKENS, plain_reading, served_as, told_in, usage_of
from providers.records import TokenUsage

# As Anthropic's documentation of prompt caching has it.
CACHED: dict[str, Any] = {
    "input_tokens": 2048,
    "cache_read_input_tokens": 1800,
    "cache_creation_input_tokens": 248,
    "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 503,
    "service_tier": "standard",
}
CACHED_USAGE = TokenUsage(
    input_tokens=2048, cache_read_tokens=1800, cache_write_tokens=148, cache_write_1h_tokens=100, output_tokens=503
)


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"input_tokens": 10, "output_tokens": 20}, TokenUsage(input_tokens=10, output_tokens=20)),
        (CACHED, CACHED_USAGE),
        (
            {"input_tokens": 1, "cache_creation_input_tokens": 7, "output_tokens": 2},
            TokenUsage(input_tokens=1, cache_write_tokens=7, output_tokens=2),
        ),
        (
            {"input_tokens": 1, "cache_creation_input_tokens": 9, "output_tokens": 2,
             "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}},
            TokenUsage(input_tokens=1, cache_write_tokens=5, cache_write_1h_tokens=4, output_tokens=2),
        ),
        (
            {"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 7}},
            TokenUsage(input_tokens=1, output_tokens=9, reasoning_tokens=7),
        ),
        (
            {"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 70}},
            TokenUsage(input_tokens=1, output_tokens=9, reasoning_tokens=9),
        ),
        ({"output_tokens": 3}, TokenUsage(output_tokens=3)),
        ({"input_tokens": 1, "service_tier": "priority"}, TokenUsage(input_tokens=1, service_tier="priority")),
        ({"input_tokens": 1, "service_tier": "batch"}, TokenUsage(input_tokens=1, service_tier="batch")),
        (
            {"input_tokens": 1, "service_tier": "standard", "speed": "fast", "inference_geo": "us"},
            TokenUsage(input_tokens=1, service_tier="fast_us"),
        ),
        ({"input_tokens": 1, "inference_geo": "not_available", "speed": "standard"}, TokenUsage(input_tokens=1)),
        (
            {"input_tokens": None, "output_tokens": None, "cache_creation": None, "server_tool_use": None},
            TokenUsage(),
        ),
        ({"server_tool_use": {"web_search_requests": 3}}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_usage_is_read(told: dict[str, Any], usage: TokenUsage | None) -> None:
    assert usage_of(told) == usage


@pytest.mark.parametrize("value", [-5, -0.5, "7", [1], {"a": 1}, True, float("nan"), None])
def test_nonsense_counts_nothing(value: Any) -> None:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    assert usage_of(dict.fromkeys(names, value)) == TokenUsage()
    assert usage_of({"input_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": value}}) == TokenUsage(
        input_tokens=1
    )


def test_more_than_there_can_be_counts_as_the_most_there_can_be() -> None:
    assert usage_of({"input_tokens": 10**30, "output_tokens": 1e300}) == TokenUsage(
        input_tokens=MAX_TOKENS, output_tokens=MAX_TOKENS
    )


def start(**usage: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"model": "claude-x", "usage": usage}}


def delta(stop_reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage}


def test_a_stream_tells_its_usage_bit_by_bit() -> None:
    begun = told_in(start(**{**CACHED, "output_tokens": 1}))
    assert (begun.model, begun.final) == ("claude-x", False)
    ended = told_in(delta(output_tokens=503), begun.usage)
    assert (ended.usage, ended.final) == (CACHED_USAGE, True)


@pytest.mark.parametrize(
    "last",
    [
        {"output_tokens": 503, "input_tokens": 2048, "cache_read_input_tokens": 1800},
        {"output_tokens": 503, "cache_creation_input_tokens": 248},
        {name: value for name, value in CACHED.items() if name != "cache_creation"},
        {**CACHED, "input_tokens": None, "cache_creation": None, "cache_read_input_tokens": None},
        CACHED,
    ],
)
def test_totals_told_again_are_not_added(last: dict[str, Any]) -> None:
    begun = told_in(start(**{**CACHED, "output_tokens": 1})).usage
    assert told_in(delta(**last), begun).usage == CACHED_USAGE


def test_totals_that_have_grown_replace_those_before() -> None:
    begun = told_in(start(input_tokens=10, cache_read_input_tokens=0, output_tokens=1)).usage
    grown = told_in(delta(input_tokens=4, cache_read_input_tokens=900, output_tokens=50), begun).usage
    assert grown == TokenUsage(input_tokens=4, cache_read_tokens=900, output_tokens=50)


def test_what_is_written_later_is_of_the_kind_there_was() -> None:
    hour = told_in(start(**{**CACHED, "cache_creation": {"ephemeral_1h_input_tokens": 248}})).usage
    later = told_in(delta(output_tokens=1, cache_creation_input_tokens=300), hour).usage
    assert later is not None
    assert (later.cache_write_tokens, later.cache_write_1h_tokens) == (0, 300)
    both = told_in(start(**CACHED)).usage
    later = told_in(delta(output_tokens=1, cache_creation_input_tokens=300), both).usage
    assert later is not None
    assert (later.cache_write_tokens, later.cache_write_1h_tokens) == (200, 100)


def test_totals_stand_when_the_message_has_stopped() -> None:
    begun = told_in(start(input_tokens=10, output_tokens=1)).usage
    running = told_in(delta(None, output_tokens=20), begun)
    assert (running.final, running.usage) == (False, TokenUsage(input_tokens=10, output_tokens=20))
    assert told_in(delta(output_tokens=30), running.usage).usage == TokenUsage(input_tokens=10, output_tokens=30)


def test_a_message_without_a_beginning_has_what_its_end_tells() -> None:
    assert told_in(delta(input_tokens=7, output_tokens=3)).usage == TokenUsage(input_tokens=7, output_tokens=3)


def test_shortening_the_conversation_is_paid_for_once() -> None:
    compaction = {"type": "compaction", "input_tokens": 1000, "cache_creation_input_tokens": 5, "output_tokens": 200}
    message = {"type": "message", "input_tokens": 50, "output_tokens": 20}
    usage = {"input_tokens": 50, "output_tokens": 20, "iterations": [compaction, message, None, {"type": "other"}]}
    expected = TokenUsage(input_tokens=1050, cache_write_tokens=5, output_tokens=220)
    assert told_in({"type": "message", "usage": usage}).usage == expected
    assert plain_reading(json.dumps({"usage": usage}).encode()) == (expected, "", True)
    begun = told_in(start(**{**usage, "output_tokens": 1})).usage
    assert told_in(delta(output_tokens=20, iterations=usage["iterations"]), begun).usage == expected


def test_a_whole_message_is_read_without_building_the_rest() -> None:
    content = json.dumps({"content": [{"type": "text", "text": "x"}], "model": "claude-x", "usage": CACHED}).encode()
    assert plain_reading(content) == (CACHED_USAGE, "claude-x", True)
    for odd in (b"", b"[]", b"{}", b'{"usage":null}', b'{"usage":{}}', b'{"usage":{"input_tokens":1}', b"\xff"):
        assert plain_reading(odd) is None


@pytest.mark.parametrize("payload", [{}, {"message": None}, {"message": 5, "model": 7}, {"usage": [1], "delta": "x"}])
def test_events_that_tell_nothing(payload: dict[str, Any]) -> None:
    assert told_in(payload)[:2] == (None, "")


def test_speed_and_place_make_a_tier() -> None:
    assert [served_as("fast", None), served_as(None, "us"), served_as("fast", "us")] == ["fast", "us", "fast_us"]
    assert served_as("standard", "global") == ""
