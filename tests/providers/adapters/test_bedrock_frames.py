"""Tests of what frames say and of ended streams, read by Amazon's own reader."""

import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer

from providers.adapters.aws_events import FrameReader, encode_frame
from providers.adapters.base import CutContext
from providers.adapters.bedrock_frames import (
    chunk_frame,
    cut_chunks,
    cut_converse,
    event_frame,
    exception_frame,
    payload_of,
)
from providers.adapters.bedrock_usage import METRICS, usage_in
from providers.records import TokenUsage

USAGE = TokenUsage(input_tokens=3, output_tokens=7)


def said(frames: bytes) -> list[Any]:
    return [payload_of(frame) for frame in FrameReader().feed(frames)]


def test_frames_say_what_is_in_them() -> None:
    assert said(chunk_frame({"generation": "é"})) == [{"generation": "é"}]
    assert said(event_frame("messageStop", {"stopReason": "end_turn"})) == [{"messageStop": {"stopReason": "end_turn"}}]
    assert said(exception_frame("throttlingException", "Slow down")) == [
        {"exception": {"type": "throttlingException", "message": "Slow down"}}
    ]
    error = {":message-type": "error", ":error-code": "InternalError", ":error-message": "It broke"}
    assert said(encode_frame(error, b"")) == [{"exception": {"type": "InternalError", "message": "It broke"}}]


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{", b'{"bytes": "%%%"}', b'{"bytes": "WzFd"}', b'{"bytes": 5}', b"{}"]
)
def test_frames_that_say_nothing_are_no_error(payload: bytes) -> None:
    assert said(encode_frame({":message-type": "event", ":event-type": "chunk"}, payload)) == [None]


def test_an_exception_without_words_is_one() -> None:
    frame = encode_frame({":message-type": "exception", ":exception-type": "modelTimeoutException"}, b"gone")
    assert said(frame) == [{"exception": {"type": "modelTimeoutException", "message": ""}}]


def test_amazons_reader_reads_what_is_made() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(chunk_frame({"a": 1}) + exception_frame("validationException", "No"))
    first, second = buffer
    assert first.to_response_dict()["status_code"] == 200
    assert second.to_response_dict()["status_code"] == 400
    assert second.to_response_dict()["headers"][":exception-type"] == "validationException"
    assert json.loads(second.payload) == {"message": "No"}


def delta(index: int) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": {"text": "x"}, "contentBlockIndex": index}}


@pytest.mark.parametrize(
    ("recent", "names"),
    [
        ((delta(0),), ["contentBlockStop", "messageStop", "metadata"]),
        ((delta(0), {"contentBlockStop": {"contentBlockIndex": 0}}), ["messageStop", "metadata"]),
        ((), ["messageStop", "metadata"]),
    ],
)
def test_a_conversation_is_ended_where_it_stands(recent: tuple[dict[str, Any], ...], names: list[str]) -> None:
    events = said(cut_converse(CutContext({"messageStart": {"role": "assistant"}}, USAGE, recent=recent)))
    assert [next(iter(event)) for event in events] == names
    assert events[-2]["messageStop"]["stopReason"] == "max_tokens"
    assert usage_in(events[-1]) == USAGE


def claude(*recent: dict[str, Any]) -> list[Any]:
    return said(cut_chunks(CutContext({"type": "message_start", "message": {}}, USAGE, recent=recent)))


def test_claude_is_ended_where_it_stands() -> None:
    begun = {"type": "content_block_delta", "index": 2, "delta": {}}
    stopped = {"type": "content_block_stop", "index": 2}
    assert [event["type"] for event in claude(begun)] == ["content_block_stop", "message_delta", "message_stop"]
    assert claude(begun)[0]["index"] == 2
    assert [event["type"] for event in claude(begun, stopped)] == ["message_delta", "message_stop"]
    assert [event["type"] for event in claude(begun, stopped, {"type": "message_delta"})] == ["message_stop"]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ({"completion": "x"}, ("stop_reason", "max_tokens")),
        ({"generation": "x"}, ("stop_reason", "length")),
        ({"outputText": "x"}, ("completionReason", "LENGTH")),
        ({"event_type": "text-generation", "text": "x"}, ("finish_reason", "MAX_TOKENS")),
        ({"is_finished": False, "text": "x"}, ("finish_reason", "MAX_TOKENS")),
    ],
)
def test_every_family_is_ended_in_its_own_words(first: dict[str, Any], reason: tuple[str, str]) -> None:
    (last,) = said(cut_chunks(CutContext(first, USAGE)))
    assert last[reason[0]] == reason[1]
    assert last[METRICS]["outputTokenCount"] == 7


def test_families_with_lists_too() -> None:
    (mistral,) = said(cut_chunks(CutContext({"outputs": [{"text": "x"}]}, USAGE)))
    assert mistral["outputs"] == [{"text": "", "stop_reason": "length"}]
    (jamba,) = said(cut_chunks(CutContext({"id": "c", "choices": []}, USAGE)))
    assert (jamba["id"], jamba["choices"][0]["finish_reason"]) == ("c", "length")
    nova = said(cut_chunks(CutContext({"messageStart": {"role": "assistant"}}, USAGE, recent=(delta(0),))))
    assert [next(iter(event)) for event in nova] == ["contentBlockStop", "messageStop", "metadata"]
    assert nova[-1][METRICS]["inputTokenCount"] == 3
