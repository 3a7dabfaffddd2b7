"""Tests of chat completions with the official SDK."""

import json
from typing import Any

import openai
import pytest
from openai import OpenAI

HI: Any = [{"role": "user", "content": "hi"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    },
}


def test_it_answers_with_usage(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=HI)
    assert (
        answer.choices[0].message.content
        == "The quick brown fox jumps over the lazy dog and then it rests under a tall"
    )
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (8, 16, 24)


def test_it_streams_the_same_answer(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=HI, stream=True, n=2))
    texts = ["", ""]
    for chunk in chunks:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts[0] == texts[1] == "The quick brown fox jumps over the lazy dog and then it rests under a tall"
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == ["stop", "stop"]
    assert all(chunk.usage is None for chunk in chunks)


def test_it_sends_usage_at_the_end_of_a_stream_when_asked(client: OpenAI) -> None:
    asked: Any = {"include_usage": True}
    *rest, last = client.chat.completions.create(model="gpt-4o", messages=HI, stream=True, stream_options=asked)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 16
    assert sum(1 for chunk in rest if chunk.choices[0].delta.content) == 16


def test_it_stops_at_max_tokens(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=HI, max_completion_tokens=2, n=3)
    assert [choice.finish_reason for choice in answer.choices] == ["length"] * 3
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 6


def test_it_calls_a_tool(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=HI, tools=[WEATHER])
    calls: Any = answer.choices[0].message.tool_calls
    assert (calls[0].function.name, json.loads(calls[0].function.arguments)) == ("weather", {"city": "fox", "days": 7})
    assert answer.choices[0].finish_reason == "tool_calls"


def test_it_streams_a_tool_call(client: OpenAI) -> None:
    with client.chat.completions.stream(model="gpt-4o-mini", messages=HI, tools=[WEATHER]) as stream:
        calls: Any = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(calls[0].function.arguments) == {"city": "fox", "days": 7}


def test_it_talks_again_once_the_tool_has_answered(client: OpenAI) -> None:
    messages: Any = [*HI, {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[WEATHER])
    assert answer.choices[0].finish_reason == "stop"


def test_it_fills_a_json_schema(client: OpenAI) -> None:
    schema = {"type": "object", "properties": {"steps": {"type": "array", "items": {"type": "string"}}}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "plan", "schema": schema}}
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=HI, response_format=form)
    assert json.loads(answer.choices[0].message.content or "") == {"steps": ["fox"]}


def test_it_echoes_and_names_the_snapshot_when_told(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o-mini@echo,snapshot", messages=HI)
    assert (answer.model, answer.choices[0].message.content) == ("gpt-4o-mini-2024-07-18", "hi")


def test_it_reports_cached_and_reasoning_tokens_when_told(client: OpenAI) -> None:
    usage: Any = client.chat.completions.create(model="o3@cached=5,reasoning=9", messages=HI).usage
    assert usage.prompt_tokens_details.cached_tokens == 5
    assert (usage.completion_tokens_details.reasoning_tokens, usage.completion_tokens) == (9, 25)


def test_it_knows_no_model_of_that_name(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="does-not-exist", messages=HI)
    assert caught.value.code == "model_not_found"


def test_it_names_what_is_missing(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="messages"):
        client.post("/chat/completions", body={"model": "gpt-4o-mini"}, cast_to=object)
    with pytest.raises(openai.BadRequestError, match="model parameter"):
        client.post("/chat/completions", body={"messages": HI}, cast_to=object)
