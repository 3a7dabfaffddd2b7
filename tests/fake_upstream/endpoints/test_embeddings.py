"""Tests of embeddings with the official SDK, which asks for base64."""

import math

import pytest
from openai import OpenAI


def test_it_gives_unit_vectors_that_depend_on_the_text(client: OpenAI) -> None:
    answer = client.embeddings.create(model="text-embedding-3-small", input=["one text", "another", "one text"])
    first, second, third = (item.embedding for item in answer.data)
    assert len(first) == 1536
    assert math.isclose(sum(x * x for x in first), 1.0, rel_tol=1e-4)
    assert first == third != second
    assert answer.usage.prompt_tokens == 5


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_it_honours_dimensions_in_both_encodings(client: OpenAI, encoding: str) -> None:
    raw = client.embeddings.with_raw_response.create(
        model="text-embedding-3-large",
        input=[1, 2, 3],
        dimensions=8,
        encoding_format=encoding,  # type: ignore[arg-type]
    )
    assert raw.http_response.json()["usage"]["prompt_tokens"] == 3
    vector = raw.http_response.json()["data"][0]["embedding"]
    assert len(vector) == (8 if encoding == "float" else 44)


def test_it_takes_token_arrays(client: OpenAI) -> None:
    answer = client.embeddings.create(model="text-embedding-3-small", input=[[1, 2], [3]], dimensions=4)
    assert (len(answer.data), answer.usage.total_tokens) == (2, 3)
