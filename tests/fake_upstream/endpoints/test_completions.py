"""Tests of text completions with the official SDK."""

from typing import Any

from openai import OpenAI


def test_it_completes_each_prompt(client: OpenAI) -> None:
    answer = client.completions.create(model="gpt-3.5-turbo-instruct", prompt=["one", "two words"], max_tokens=3)
    assert [choice.text for choice in answer.choices] == ["The quick brown"] * 2
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 6)


def test_it_streams(client: OpenAI) -> None:
    asked: Any = {"include_usage": True}
    stream = client.completions.create(model="x", prompt="one", stream=True, stream_options=asked)
    *chunks, last = stream
    assert "".join(chunk.choices[0].text for chunk in chunks).startswith("The quick brown")
    assert last.usage is not None
    assert last.usage.completion_tokens == 16
