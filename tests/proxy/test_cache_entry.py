"""Tests of what may be stored, and of entries that were changed on their way."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cache_entry import Entry, is_complete, pack, unpack

SECRET = b"s" * 32
ENTRY = Entry("chat", True, b"data: [DONE]\n\n", 1_800_000_000, "openai", "gpt-4o")


def test_an_entry_survives_its_store() -> None:
    assert unpack(SECRET, "key", pack(SECRET, "key", ENTRY)) == ENTRY


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=0), st.integers(0, 255))
def test_a_changed_byte_is_noticed(position: int, value: int) -> None:
    packed = bytearray(pack(SECRET, "key", ENTRY))
    at = position % len(packed)
    if packed[at] == value:
        value = (value + 1) % 256
    packed[at] = value
    with pytest.raises(ValueError, match="damaged"):
        unpack(SECRET, "key", bytes(packed))


@pytest.mark.parametrize("cut", [0, 1, 16, 17, -1])
def test_a_torn_entry_is_noticed(cut: int) -> None:
    with pytest.raises(ValueError, match="damaged"):
        unpack(SECRET, "key", pack(SECRET, "key", ENTRY)[:cut])


def test_an_entry_of_another_key_or_installation_is_noticed() -> None:
    packed = pack(SECRET, "key", ENTRY)
    with pytest.raises(ValueError, match="damaged"):
        unpack(SECRET, "another key", packed)
    with pytest.raises(ValueError, match="damaged"):
        unpack(b"t" * 32, "key", packed)


def plain(**members: Any) -> bytes:
    return json.dumps(members).encode()


ENDED = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}


@pytest.mark.parametrize(
    ("operation", "body", "complete"),
    [
        ("chat", plain(choices=[ENDED]), True),
        ("chat", plain(choices=[ENDED, {**ENDED, "finish_reason": None}]), False),
        ("chat", plain(choices=[{**ENDED, "finish_reason": "error"}]), False),
        ("chat", plain(choices=[]), False),
        ("chat", plain(choices=[ENDED], error={"message": "no"}), False),
        ("chat", plain(choices=[ENDED], error=None), True),
        ("chat", plain(choices=[1]), False),
        ("chat", b"[1]", False),
        ("chat", b'{"choices":[', False),
        ("chat", b"", False),
        ("text_completion", plain(choices=[{"text": "a", "finish_reason": "length"}]), True),
        ("embeddings", plain(data=[{"embedding": [0.1]}]), True),
        ("embeddings", plain(data=[]), False),
        ("responses", plain(status="completed", output=[]), True),
        ("responses", plain(status="incomplete", output=[]), False),
        ("responses", plain(status="in_progress", output=[]), False),
        ("responses", plain(output=[]), False),
    ],
)
def test_plain_answers_are_kept_only_whole(operation: str, body: bytes, complete: bool) -> None:
    assert is_complete(operation, body, stream=False) is complete


def events(*payloads: Any, end: bytes = b"data: [DONE]\n\n") -> bytes:
    return b"".join(b"data: " + json.dumps(payload).encode() + b"\n\n" for payload in payloads) + end


def chunk(index: int = 0, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


DONE_TEXT = chunk(content="data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("body", "complete"),
    [
        (events(chunk(content="a"), chunk(finish="stop")), True),
        (events(chunk(content="a"), chunk(finish="stop"), {"choices": [], "usage": {}}), True),
        (events(chunk(content="a"), chunk(finish="stop"), end=b"data: [DONE]"), True),
        (events(chunk(content="a"), chunk(finish="stop"), end=b""), False),
        (events(chunk(content="a"), DONE_TEXT, end=b""), False),
        (events(chunk(content="a")), False),
        (events(chunk(content="a"), chunk(1, content="b"), chunk(finish="stop")), False),
        (events(chunk(content="a"), chunk(finish="stop"), {"error": {"message": "broke"}}), False),
        (events(chunk(content="a"), chunk(finish="error")), False),
        (events(), False),
        (events({"choices": ["a"]}), False),
        (b"", False),
    ],
)
def test_streams_are_kept_only_whole(body: bytes, complete: bool) -> None:
    assert is_complete("chat", body, stream=True) is complete


@pytest.mark.parametrize(
    ("last", "complete"),
    [("response.completed", True), ("response.incomplete", False), ("response.failed", False), ("error", False)],
)
def test_streams_of_responses_are_kept_only_completed(last: str, complete: bool) -> None:
    assert is_complete("responses", events({"type": "response.created"}, {"type": last}, end=b""), stream=True) is (
        complete
    )


def test_streams_of_anything_else_are_not_kept() -> None:
    assert not is_complete("embeddings", events(chunk(finish="stop")), stream=True)
