"""Tests of OpenAI's usage objects, told as canonical usage."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.adapters.openai_usage import MAX_TOKENS, image_usage_of, speech_usage_of, usage_of
from providers.records import TokenUsage

CHAT = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 5, "accepted_prediction_tokens": 1},
}


def test_a_chat_tells_cached_audio_and_reasoning_apart() -> None:
    assert usage_of(CHAT) == TokenUsage(
        input_tokens=30,
        cache_read_tokens=60,
        audio_input_tokens=10,
        output_tokens=45,
        reasoning_tokens=20,
        audio_output_tokens=5,
    )


def test_a_response_uses_other_names() -> None:
    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 16,
    }
    assert usage_of(usage) == TokenUsage(input_tokens=5, cache_read_tokens=4, output_tokens=7, reasoning_tokens=3)


def test_what_was_written_to_a_cache_is_inside_the_input() -> None:
    usage = {
        "prompt_tokens": 3000,
        "prompt_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 900},
        "completion_tokens": 40,
        "total_tokens": 3040,
    }
    expected = TokenUsage(input_tokens=100, cache_read_tokens=2000, cache_write_tokens=900, output_tokens=40)
    assert usage_of(usage) == expected


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        # xAI: 94 were thought and are told apart; Gemini: 94 were thought and are only in the total.
        (
            {"completion_tokens_details": {"reasoning_tokens": 94}},
            TokenUsage(32, output_tokens=103, reasoning_tokens=94),
        ),
        ({}, TokenUsage(32, output_tokens=103, reasoning_tokens=94)),
        # Mistral: 94 were heard.
        ({"prompt_tokens_details": {"audio_tokens": 94}}, TokenUsage(32, audio_input_tokens=94, output_tokens=9)),
    ],
)
def test_what_is_only_in_the_total_counts(beside: dict[str, Any], expected: TokenUsage) -> None:
    assert usage_of({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135, **beside}) == expected


@pytest.mark.parametrize(("told", "seconds"), [(12, 12.0), (2.5, 2.5), (None, 0.0), ({}, 0.0)])
def test_seconds_may_stand_beside_tokens(told: Any, seconds: float) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "prompt_audio_seconds": told}
    assert usage_of(usage) == TokenUsage(input_tokens=3, output_tokens=4, seconds=seconds)


@pytest.mark.parametrize("name", ["cached_tokens", "prompt_cache_hit_tokens"])
def test_what_was_cached_may_be_told_beside_the_counts(name: str) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109, name: 64}
    assert usage_of(usage) == TokenUsage(input_tokens=36, cache_read_tokens=64, output_tokens=9)


def test_a_transcription_is_told_in_tokens_or_seconds() -> None:
    assert usage_of({"type": "duration", "seconds": 3}) == TokenUsage(seconds=3)
    tokens = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
        "output_tokens": 5,
        "total_tokens": 19,
    }
    assert usage_of(tokens) == TokenUsage(input_tokens=4, audio_input_tokens=10, output_tokens=5)


def test_embeddings_have_no_output() -> None:
    assert usage_of({"prompt_tokens": 8, "total_tokens": 8}) == TokenUsage(input_tokens=8)


def test_an_image_puts_out_image_tokens() -> None:
    usage = {"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}, "output_tokens": 272}
    assert image_usage_of(usage) == TokenUsage(input_tokens=10, image_input_tokens=40, image_output_tokens=272)
    split = {**usage, "output_tokens_details": {"text_tokens": 72, "image_tokens": 200}}
    assert image_usage_of(split) == TokenUsage(
        input_tokens=10, image_input_tokens=40, output_tokens=72, image_output_tokens=200
    )
    assert image_usage_of({**usage, "output_tokens_details": {"text_tokens": 999}}) == TokenUsage(
        input_tokens=10, image_input_tokens=40, output_tokens=272
    )


def test_speech_puts_out_audio_tokens() -> None:
    usage = {"input_tokens": 3, "output_tokens": 12, "total_tokens": 15}
    assert speech_usage_of(usage) == TokenUsage(input_tokens=3, audio_output_tokens=12)


@pytest.mark.parametrize("usage", [{}, {"total_tokens": 5}, {"tokens": 5}])
def test_a_usage_without_a_number_the_gateway_knows_is_none(usage: dict[str, Any]) -> None:
    assert usage_of(usage) is None
    assert image_usage_of(usage) is None
    assert speech_usage_of(usage) is None


nonsense = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), st.floats(), st.integers(-(10**20), 10**20), st.lists(st.integers())
)
counts = st.integers(0, 10**6) | nonsense
details = nonsense | st.dictionaries(
    st.sampled_from(["cached_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "text_tokens"]), counts
)


@settings(deadline=None, max_examples=100)
@given(counts, counts, details, details, st.sampled_from([usage_of, image_usage_of, speech_usage_of]))
def test_no_nonsense_makes_a_negative_charge_or_more_tokens_than_were_told(
    given_in: Any, made: Any, inside: Any, outside: Any, read: Any
) -> None:
    usage = {
        "input_tokens": given_in,
        "output_tokens": made,
        "input_tokens_details": inside,
        "output_tokens_details": outside,
    }
    found = read(usage)
    members = [getattr(found, name) for name in found.__struct_fields__ if name not in ("image_kind", "service_tier")]
    assert all(0 <= member <= MAX_TOKENS for member in members)
    if isinstance(given_in, int) and not isinstance(given_in, bool) and 0 <= given_in <= MAX_TOKENS:
        assert found.prompt_tokens == given_in
    if isinstance(made, int) and not isinstance(made, bool) and 0 <= made <= MAX_TOKENS:
        assert found.completion_tokens == made
    assert found.reasoning_tokens <= found.output_tokens


@pytest.mark.parametrize("seconds", [None, "3", -1, float("nan"), True])
def test_nonsense_seconds_are_none(seconds: Any) -> None:
    assert usage_of({"type": "duration", "seconds": seconds}) == TokenUsage()
