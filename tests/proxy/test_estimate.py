"""Tests of the upper bound of what a request may cost: never less than it does."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.costs import cost_nano
from providers.records import PriceRecord, TokenUsage
from providers.tokens import count_request_tokens
from proxy.estimate import ENVELOPE_TOKENS, Bound, estimate
from proxy.flow import Body
from tests.proxy.builders import body_of, call_of
from tests.proxy_gateway import price

CHAT = price(max_output_tokens=100, max_input_tokens=10_000)


def unit_price(**prices: Any) -> PriceRecord:
    """Of a model that is not billed by the token."""
    return price(input_pico=None, output_pico=None, **prices)


def bound(tail: str, row: PriceRecord | None = CHAT, body: Body | None = None, **members: Any) -> Bound:
    body = body or body_of(json.dumps(members).encode(), tail)
    return estimate(call_of(tail).operation, body, row, default_output_tokens=50)


def test_a_chat_is_bounded_by_its_bytes_and_its_maximum() -> None:
    content = b'{"max_tokens":7}'
    found = bound("/chat/completions", body=body_of(content))
    assert found == Bound(len(content) + ENVELOPE_TOKENS + 2 * 7, 7)


def test_what_the_provider_adds_to_the_input_counts_as_well() -> None:
    body = body_of(b'{"max_tokens":7}')
    more = Body(body.content, msgspec.structs.replace(body.facts, hidden_input_tokens=500))
    assert bound("/chat/completions", body=more).cost_nano == bound("/chat/completions", body=body).cost_nano + 500


@pytest.mark.parametrize(
    ("members", "row", "output"),
    [
        ({}, CHAT, 100),
        ({}, price(), 50),
        ({"max_tokens": 5, "n": 3}, CHAT, 15),
        ({"n": 3}, CHAT, 300),
        ({"max_tokens": 0}, CHAT, 100),
        ({"max_tokens": -1}, CHAT, 100),
        ({"max_tokens": 1_000_000}, CHAT, 1_000_000),
    ],
)
def test_output_is_the_requests_maximum_else_the_models_else_the_default(
    members: dict[str, Any], row: PriceRecord, output: int
) -> None:
    assert bound("/chat/completions", row, **members).output_tokens == output


def test_input_is_no_more_than_the_models_context() -> None:
    long = "x" * 50_000
    chat = bound("/chat/completions", messages=[{"role": "user", "content": long}], max_tokens=1)
    assert chat.cost_nano == 10_000 + 2
    # Each of several inputs may be as long as the context.
    assert bound("/embeddings", input=[long, long]).cost_nano > 100_000
    assert bound("/completions", prompt=[long, long], max_tokens=1).cost_nano > 100_000


def test_input_that_is_elsewhere_is_the_whole_context() -> None:
    assert bound("/responses", input="x", previous_response_id="r", max_output_tokens=1).cost_nano == 10_000 + 2
    unknown = bound("/responses", price(), input="x", previous_response_id="r", max_output_tokens=1)
    assert unknown.cost_nano == 128_000 + 2


def test_several_prompts_have_several_answers() -> None:
    assert bound("/completions", prompt=["a", "b", "c"], max_tokens=5, n=2).output_tokens == 30


def test_the_dearest_kind_of_token_counts() -> None:
    row = price(audio_input_pico=9_000, audio_output_pico=30_000)
    content = b'{"max_tokens":1}'
    found = bound("/chat/completions", row, body=body_of(content))
    assert found.cost_nano == 9 * (len(content) + ENVELOPE_TOKENS) + 30


def test_a_service_tier_may_be_dearer() -> None:
    row = price(tiers={"priority": price(input_pico=5_000, output_pico=10_000)})
    content = b'{"max_tokens":1,"service_tier":"priority"}'
    assert bound("/chat/completions", row, body=body_of(content)).cost_nano == 5 * (len(content) + 64) + 10


@pytest.mark.parametrize(
    ("tail", "members", "row", "nano"),
    [
        ("/images/generations", {"n": 3}, unit_price(image_prices={"": 20_000_000}), 60_000),
        (
            "/images/generations",
            {"size": "small"},
            unit_price(image_prices={"small": 1_000_000, "large": 5_000_000}),
            5_000,
        ),
        (
            "/images/generations",
            {"n": 2},
            price(input_pico=1_000, output_pico=None, image_output_pico=40_000, max_input_tokens=100),
            100 + 2 * 8192 * 40,
        ),
        ("/audio/speech", {"input": "12345"}, unit_price(character_pico=15_000_000), 75_000),
        ("/embeddings", {"input": "x"}, price(output_pico=0), 64 + len('{"input": "x"}')),
    ],
)  # fmt: skip
def test_other_media_have_bounds_of_their_own(tail: str, members: dict[str, Any], row: PriceRecord, nano: int) -> None:
    assert bound(tail, row, **members).cost_nano == nano


def test_a_transcription_is_bounded_by_the_bytes_of_its_sound() -> None:
    sound = Body(b"x" * 10_000, body_of(b"{}").facts)
    row = unit_price(second_pico=100_000_000)
    assert bound("/audio/transcriptions", row, body=sound).cost_nano == 11 * 100_000
    tokens = price(audio_input_pico=6_000, output_pico=10_000)
    assert bound("/audio/transcriptions", tokens, body=sound).cost_nano == 11 * 50 * 6 + 11 * 20 * 10


@pytest.mark.parametrize("tail", ["/files", "/moderations", "/batches", "/unknown"])
def test_what_is_free_or_unmetered_has_no_bound(tail: str) -> None:
    assert bound(tail) == Bound()


def test_what_is_unpriced_has_no_bound() -> None:
    assert bound("/chat/completions", None) == Bound()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=200), min_size=1, max_size=4),
    st.integers(1, 500),
    st.integers(1, 3),
    st.booleans(),
)
def test_a_text_never_costs_more_than_its_bound(texts: list[str], most: int, choices: int, ascii_only: bool) -> None:
    document = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": text} for text in texts],
        "max_tokens": most,
        "n": choices,
    }
    content = json.dumps(document, ensure_ascii=ascii_only, separators=(",", ":")).encode()
    row = price()
    worst = TokenUsage(input_tokens=count_request_tokens(document, "gpt-4o"), output_tokens=most * choices)
    cost = cost_nano(worst, row)
    assert cost is not None
    assert cost <= bound("/chat/completions", row, body=body_of(content)).cost_nano
