"""Tests of the Responses API with the official SDK."""

import json
from typing import Any

import openai
import pytest
from openai import OpenAI

TOOL: Any = {
    "type": "function",
    "name": "weather",
    "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def test_it_answers_and_keeps_the_answer(client: OpenAI) -> None:
    answer = client.responses.create(model="gpt-4o-mini", input="hi there")
    assert answer.output_text.startswith("The quick brown fox")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 16)
    assert client.responses.retrieve(answer.id).output_text == answer.output_text
    assert len(client.responses.input_items.list(answer.id).data) == 1
    client.responses.delete(answer.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


def test_it_streams_named_events(client: OpenAI) -> None:
    events: Any = list(client.responses.create(model="gpt-4o-mini", input="hi", stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert (kinds[-1], kinds.count("response.output_text.delta")) == ("response.completed", 16)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response.usage.output_tokens == 16


def test_it_says_when_it_is_incomplete(client: OpenAI) -> None:
    events: Any = list(client.responses.create(model="gpt-4o-mini", input="hi", max_output_tokens=3, stream=True))
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"


def test_it_calls_a_function(client: OpenAI) -> None:
    with client.responses.stream(model="gpt-4o-mini", input="hi", tools=[TOOL]) as stream:
        output: Any = stream.get_final_response().output[0]
    assert (output.type, output.name, json.loads(output.arguments)) == ("function_call", "weather", {"city": "fox"})


def test_it_fills_a_json_schema(client: OpenAI) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    form: Any = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    assert json.loads(client.responses.create(model="gpt-4o-mini", input="hi", text=form).output_text) == {"ok": True}
