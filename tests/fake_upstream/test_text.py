"""Tests of what the fake provider says and how it counts."""

import pytest

from fake_upstream.directives import NOTHING, parse
from fake_upstream.text import content_tokens, count_tokens, example_of, generate, pieces_of, words


def test_it_counts_one_token_per_word() -> None:
    assert count_tokens("three little  words\n") == 3


def test_it_counts_pictures_beside_the_words() -> None:
    assert content_tokens([{"type": "text", "text": "two words"}, {"type": "image_url", "image_url": {}}]) == 87


def test_it_cuts_a_text_into_pieces_that_join_to_it_again() -> None:
    text = '{"a long name": [1, 2.5, "é\\n"], "b": null}  '
    assert "".join(pieces_of(text)) == text


def test_it_stops_at_the_limit() -> None:
    generation = generate(words(10), NOTHING, 4)
    assert (generation.text, generation.tokens, generation.cut_short) == ("The quick brown fox", 4, True)


def test_it_counts_reasoning_towards_the_limit() -> None:
    generation = generate(words(10), parse("reasoning=3"), 5)
    assert (generation.tokens, generation.reasoning_tokens, len(generation.pieces)) == (5, 3, 2)


def test_it_makes_as_many_megabytes_as_asked() -> None:
    assert 2 << 20 <= len(generate([], parse("huge=2"), 1).text) < 2.2 * (1 << 20)


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}}}, {"a": 7, "b": "x"}),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": ["number", "null"], "minimum": 9}, 9),
        ({"const": 3}, 3),
        (None, "fox"),
    ],
)
def test_it_finds_a_value_that_a_schema_allows(schema: object, example: object) -> None:
    assert example_of(schema) == example
