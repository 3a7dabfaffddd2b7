"""Tests of turning chat completions into streams and back."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from proxy.replay_chat import put_together, take_apart
from proxy.replaying import CannotTurn

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
HEAD = {"id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "gpt-4o", "service_tier": "default"}
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
TOKENS = st.fixed_dictionaries(
    {"token": TEXTS, "logprob": st.floats(-9, 0), "bytes": st.none(), "top_logprobs": st.just([])}
)
FUNCTION_CALLS = st.builds(
    lambda number, name, arguments: {
        "id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments},
    },
    st.integers(0, 99), TEXTS, TEXTS,
)  # fmt: skip
CUSTOM_CALLS = st.builds(
    lambda name, given_to: {"id": "call_c", "type": "custom", "custom": {"name": name, "input": given_to}}, TEXTS, TEXTS
)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    choices = [choice(draw, index) for index in range(draw(st.integers(1, 3)))]
    answer: dict[str, Any] = {**HEAD, "choices": choices}
    return {**answer, "usage": USAGE} if draw(st.booleans()) else answer


def choice(draw: st.DrawFn, index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    kind = draw(st.sampled_from(["text", "tools", "both", "refusal", "reasoned"]))
    if kind in ("text", "both", "reasoned"):
        message["content"] = draw(TEXTS)
    if kind == "reasoned":
        message["reasoning_content"] = draw(TEXTS)
    if kind == "refusal":
        message["refusal"] = draw(TEXTS)
    if kind in ("tools", "both"):
        message["tool_calls"] = draw(st.lists(FUNCTION_CALLS | CUSTOM_CALLS, min_size=1, max_size=3))
    logprobs = draw(st.none() | st.fixed_dictionaries({"content": st.lists(TOKENS, min_size=1, max_size=3)}))
    reason = draw(st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": reason}


@settings(max_examples=150, deadline=None)
@given(answers(), st.booleans())
def test_what_is_taken_apart_goes_together_again(answer: dict[str, Any], asked: bool) -> None:
    if asked and "usage" not in answer:
        with pytest.raises(CannotTurn):
            list(take_apart(answer, usage_asked=True))
        return
    chunks = list(take_apart(answer, usage_asked=asked))
    again = put_together(chunks)
    assert again.pop("usage", None) == (USAGE if asked else None)
    assert again == {name: value for name, value in answer.items() if name != "usage"}
    ChatCompletion.model_validate(again, strict=True)
    for chunk in chunks:
        if b"custom" not in orjson.dumps(chunk):  # the SDK's chunks have no type for them
            ChatCompletionChunk.model_validate(chunk, strict=True)


@settings(max_examples=100, deadline=None)
@given(answers())
def test_the_sdk_puts_the_same_together(answer: dict[str, Any]) -> None:
    for each in answer["choices"]:
        each["message"]["tool_calls"] = [
            call for call in each["message"].get("tool_calls", []) if call["type"] == "function"
        ]  # the SDK's own accumulator knows no others
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in take_apart(answer, usage_asked=False):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    told = state.current_completion_snapshot
    for mine, theirs in zip(answer["choices"], told.choices, strict=True):
        assert theirs.message.content == (mine["message"]["content"] or (None if theirs.message.tool_calls else ""))
        assert theirs.message.refusal == mine["message"]["refusal"]
        assert theirs.finish_reason == mine["finish_reason"]
        calls = [(call.id, call.function.name, call.function.arguments) for call in theirs.message.tool_calls or []]
        assert calls == [
            (call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in mine["message"]["tool_calls"]
        ]


def chunk(delta: dict[str, Any], *, index: int = 0, **choice_members: Any) -> dict[str, Any]:
    return {**HEAD, "object": "chat.completion.chunk", "choices": [{"index": index, "delta": delta, **choice_members}]}


def test_tool_calls_are_merged_by_their_number() -> None:
    def piece(number: int, arguments: str, **members: Any) -> dict[str, Any]:
        name = members.pop("name", None)
        function = {"arguments": arguments} | ({"name": name} if name else {})
        return {"tool_calls": [{"index": number, "function": function, **members}]}

    chunks = [
        chunk({"role": "assistant", "content": None}),
        chunk(piece(1, "", id="call_b", type="function", name="second")),
        chunk(piece(0, "", id="call_a", type="function", name="first")),
        chunk(piece(1, '{"b"')),
        chunk(piece(0, '{"a":')),
        chunk(piece(1, ":2}")),
        chunk(piece(0, "1}")),
        chunk({}, finish_reason="tool_calls"),
    ]
    message = put_together(chunks)["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"type": "function", "id": "call_a", "function": {"name": "first", "arguments": '{"a":1}'}},
        {"type": "function", "id": "call_b", "function": {"name": "second", "arguments": '{"b":2}'}},
    ]


def test_choices_that_come_in_turn_are_kept_apart() -> None:
    chunks = [
        chunk({"content": "b"}, index=1), chunk({"content": "a"}), chunk({"content": "B"}, index=1),
        chunk({}, finish_reason="stop"), chunk({}, index=1, finish_reason="length"),
    ]  # fmt: skip
    told = [(c["index"], c["message"]["content"], c["finish_reason"]) for c in put_together(chunks)["choices"]]
    assert told == [(0, "a", "stop"), (1, "bB", "length")]


def test_what_a_filter_found_goes_along_if_it_found_the_same_throughout() -> None:
    safe = {"hate": {"filtered": False, "severity": "safe"}}
    bad = {"hate": {"filtered": False, "severity": "low"}}
    first = {**HEAD, "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    last = chunk({}, finish_reason="stop", content_filter_results={})
    whole = put_together([first, chunk({"content": "a"}, content_filter_results=safe), last])
    assert whole["prompt_filter_results"] == [{"prompt_index": 0}]
    assert whole["choices"][0]["content_filter_results"] == safe
    assert put_together(list(take_apart(whole, usage_asked=False))) == whole
    with pytest.raises(CannotTurn, match="filters"):
        put_together([chunk({}, content_filter_results=safe), chunk({}, content_filter_results=bad)])


def broken_chunks() -> Iterator[dict[str, Any]]:
    yield chunk({"audio": {"data": "AAAA"}})
    yield chunk({"content": [{"type": "text"}]})
    yield chunk({"tool_calls": [{"function": {"arguments": ""}}]})
    yield chunk({"tool_calls": [{"index": 0, "extra_content": {"google": {}}}]})
    yield chunk({"tool_calls": [{"index": 0, "function": "f"}]})
    yield chunk({"content": "a"}, index="0")  # type: ignore[arg-type]
    yield chunk({"content": "a"}, logprobs=[1])
    yield {**HEAD, "provider": "somebody", "choices": []}
    yield {**HEAD, "choices": "none"}
    yield {**HEAD, "choices": [[]]}


@pytest.mark.parametrize("piece", list(broken_chunks()))
def test_chunks_that_are_not_understood_are_not_turned(piece: dict[str, Any]) -> None:
    with pytest.raises(CannotTurn):
        put_together([piece])


@pytest.mark.parametrize(
    "broken",
    [
        {"message": {"content": [{"type": "text", "text": "a"}]}},
        {"message": {"audio": {"id": "audio_1"}}},
        {"message": None},
        {"message": {"tool_calls": [1]}},
        {"text": "a"},
    ],
)
def test_answers_that_are_not_understood_are_not_turned(broken: dict[str, Any]) -> None:
    with pytest.raises(CannotTurn):
        list(take_apart({**HEAD, "choices": [broken]}, usage_asked=False))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "message", "content", "tool_calls", "function", "index", "logprobs"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["choices", "usage", "id"]), ANYTHING))
def test_whatever_was_stored_is_turned_or_refused(document: dict[str, Any]) -> None:
    for turn in (lambda: put_together([document]), lambda: list(take_apart(document, usage_asked=False))):
        try:
            turn()
        except CannotTurn:
            continue
