"""Tests of turning answers of the Responses API into streams and back."""

from typing import Any

import pytest
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from proxy.replay_responses import put_together, take_apart
from proxy.replaying import CannotTurn

MESSAGE = {
    "id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
    "content": [
        {"type": "output_text", "text": "Foxes run.", "logprobs": [], "annotations": [
            {"type": "url_citation", "url": "http://a.example", "title": "a", "start_index": 0, "end_index": 5}]},
        {"type": "refusal", "refusal": "No more."},
    ],
}  # fmt: skip
CALL = {
    "id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "find",
    "arguments": '{"a":1}',
}  # fmt: skip
CUSTOM = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "run", "input": "ls"}
REASONING = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Thought."}]}


def answer(*output: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": "resp_1", "object": "response", "created_at": 7.0, "status": "completed", "error": None,
        "incomplete_details": None, "instructions": None, "metadata": {}, "model": "gpt-4o", "output": list(output),
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "usage": {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                  "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 5},
        **changes,
    }  # fmt: skip


WHOLE = answer(REASONING, MESSAGE, CALL, CUSTOM)


def test_the_last_event_holds_the_answer() -> None:
    events = list(take_apart(WHOLE))
    assert put_together(events) == WHOLE
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [events[0]["type"], events[1]["type"], events[-1]["type"]] == [
        "response.created", "response.in_progress", "response.completed",
    ]  # fmt: skip
    assert (events[0]["response"]["status"], events[0]["response"]["output"]) == ("in_progress", [])


def test_every_event_has_the_form_the_sdk_knows() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    for event in take_apart(WHOLE):
        assert adapter.validate_python(event).type == event["type"]


def test_the_sdk_builds_the_answer_up_from_the_events() -> None:
    """Its accumulator applies every event to what came before, so a missing or misplaced one fails."""
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    events = list(take_apart(WHOLE))
    state: ResponseStreamState[None] = ResponseStreamState(input_tools=[], text_format=omit)
    texts = []
    for event in events[:-1]:
        told = state.handle_event(adapter.validate_python(event))
        texts += [each.delta for each in told if each.type == "response.output_text.delta"]
    built = state._ResponseStreamState__current_snapshot  # type: ignore[attr-defined]
    assert "".join(texts) == "Foxes run."
    assert built.output[1].content[0].text == "Foxes run."
    assert built.output[2].arguments == '{"a":1}'


def test_a_whole_answer_stays_valid() -> None:
    Response.model_validate(put_together(list(take_apart(WHOLE))))


@pytest.mark.parametrize(
    "item",
    [
        {"type": "web_search_call", "id": "ws_1"},
        {"type": "image_generation_call", "result": "AAAA"},
        {"type": "message", "content": [{"type": "output_audio"}]},
        {"type": "message", "content": "text"},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "t"}]},
        {"type": ["message"]},
        {},
    ],
)
def test_items_that_are_not_understood_are_not_turned(item: dict[str, Any]) -> None:
    with pytest.raises(CannotTurn):
        list(take_apart(answer(item)))


def test_a_stream_without_its_end_is_no_answer() -> None:
    with pytest.raises(CannotTurn):
        put_together([{"type": "response.created", "response": {}}])
    with pytest.raises(CannotTurn):
        put_together([])
