"""Tests of replaying stored answers: what is sent is what was asked for, or nothing."""

import json
from typing import Any

import pytest

from proxy.cache_entry import Entry
from proxy.replay import replay
from proxy.replaying import CannotTurn

USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "gpt-4o"}
PLAIN = json.dumps(
    {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "gpt-4o", "usage": USAGE,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "fox"}, "finish_reason": "stop"}],
    }
).encode()  # fmt: skip


def event(payload: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def chunk(delta: dict[str, Any], finish: str | None = None, **members: Any) -> bytes:
    return event({**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **members})


TEXT = {"content": 'He said "usage":null and {"usage": {}}.'}
PIECES = [chunk({"role": "assistant"}), chunk(TEXT), chunk({}, "stop")]
WITH_NULLS = [chunk({"role": "assistant"}, usage=None), chunk(TEXT, usage=None), chunk({}, "stop", usage=None)]
USAGE_EVENT = event({**HEAD, "choices": [], "usage": USAGE})
DONE = b"data: [DONE]\n\n"
FORCED = b"".join([*WITH_NULLS, USAGE_EVENT, DONE])


def entry(body: bytes, *, stream: bool, operation: str = "chat") -> Entry:
    return Entry(operation, stream, body, 0)


def payloads(body: bytes) -> list[Any]:
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def test_the_same_kind_is_replayed_as_it_came() -> None:
    assert replay(entry(PLAIN, stream=False), stream=False, usage_asked=False) == PLAIN
    assert replay(entry(FORCED, stream=True), stream=True, usage_asked=True) == FORCED
    told = b"event: response.created\ndata: {}\n\n"
    assert replay(entry(told, stream=True, operation="responses"), stream=True, usage_asked=False) == told


def test_usage_that_was_not_asked_for_is_taken_out() -> None:
    replayed = replay(entry(FORCED, stream=True), stream=True, usage_asked=False)
    assert replayed == b"".join([*PIECES, DONE])
    assert replay(entry(replayed, stream=True), stream=True, usage_asked=False) == replayed


def test_usage_beside_a_choice_stays() -> None:
    body = b"".join([*PIECES[:2], chunk({}, "stop", usage=USAGE), DONE])
    assert replay(entry(body, stream=True), stream=True, usage_asked=False) == body
    assert replay(entry(body, stream=True), stream=True, usage_asked=True) == body


def test_usage_that_nobody_told_cannot_be_replayed() -> None:
    body = b"".join([*PIECES, DONE])
    with pytest.raises(CannotTurn):
        replay(entry(body, stream=True), stream=True, usage_asked=True)


@pytest.mark.parametrize("body", [FORCED, b"".join([*PIECES, DONE])])
def test_a_stream_is_put_together(body: bytes) -> None:
    document = json.loads(replay(entry(body, stream=True), stream=False, usage_asked=False))
    assert document["object"] == "chat.completion"
    assert document["choices"][0]["message"]["content"] == TEXT["content"]
    assert document.get("usage") == (USAGE if body == FORCED else None)


@pytest.mark.parametrize("asked", [True, False])
def test_a_plain_answer_is_taken_apart(asked: bool) -> None:
    body = replay(entry(PLAIN, stream=False), stream=True, usage_asked=asked)
    assert body.endswith(DONE)
    *chunks, last = payloads(body)
    assert {payload["object"] for payload in (*chunks, last)} == {"chat.completion.chunk"}
    assert last.get("usage") == (USAGE if asked else None)
    assert ["usage" in payload for payload in chunks] == [asked] * len(chunks)
    assert bool(last["choices"]) is not asked


def test_responses_are_named_events_without_a_done() -> None:
    answer = {"id": "resp_1", "status": "completed", "output": []}
    body = replay(entry(json.dumps(answer).encode(), stream=False, operation="responses"), stream=True,
                  usage_asked=False)  # fmt: skip
    assert body.startswith(b"event: response.created\ndata: {")
    assert b"[DONE]" not in body
    again = replay(entry(body, stream=True, operation="responses"), stream=False, usage_asked=False)
    assert json.loads(again) == answer


def test_text_completions_go_both_ways() -> None:
    answer = {"id": "cmpl-1", "choices": [{"index": 0, "text": "fox", "finish_reason": "stop"}], "usage": USAGE}
    body = replay(entry(json.dumps(answer).encode(), stream=False, operation="text_completion"), stream=True,
                  usage_asked=True)  # fmt: skip
    again = json.loads(replay(entry(body, stream=True, operation="text_completion"), stream=False, usage_asked=False))
    assert (again["object"], again["choices"][0]["text"], again["usage"]) == ("text_completion", "fox", USAGE)


def test_embeddings_are_only_plain() -> None:
    with pytest.raises(CannotTurn):
        replay(entry(b"{}", stream=False, operation="embeddings"), stream=True, usage_asked=False)
    with pytest.raises(CannotTurn):
        replay(entry(DONE, stream=True, operation="embeddings"), stream=False, usage_asked=False)
