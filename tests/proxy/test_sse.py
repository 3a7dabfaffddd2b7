"""Tests of cutting a byte stream into server-sent events."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy import sse

ENDS = [b"\n\n", b"\r\n\r\n", b"\r\r"]


def fed(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = sse.Splitter()
    return [whole for piece in pieces if (whole := splitter.feed(piece))], splitter.rest()


@pytest.mark.parametrize("end", [*ENDS, b"\n\r\n"])
def test_it_finds_every_kind_of_blank_line(end: bytes) -> None:
    first, second = b"data: a" + end, b"data: b" + end
    assert list(sse.events(first + second)) == [first, second]
    assert fed([first + second + b"data: c"]) == ([first + second], b"data: c")


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from([b"data: {}", b"event: x\ndata: y", b": ping", b"data:", b"id: 1\r\ndata: \xc3\xa9"])),
    st.sampled_from(ENDS),
    st.lists(st.integers(1, 7), min_size=1, max_size=20),
    st.booleans(),
)
def test_pieces_of_any_size_join_to_the_same_events(
    contents: list[bytes], end: bytes, sizes: list[int], finished: bool
) -> None:
    stream = b"".join(content + end for content in contents) + (b"" if finished else b"data: unfinished")
    pieces: list[bytes] = []
    position = 0
    while position < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[position : position + size])
        position += size
    whole, rest = fed(pieces)
    assert b"".join(whole) + rest == stream
    assert list(sse.events(b"".join(whole))) == [content + end for content in contents]
    assert rest == (b"" if finished else b"data: unfinished")


def test_an_event_of_many_pieces_costs_no_more_than_its_length() -> None:
    splitter = sse.Splitter()
    for _ in range(2000):
        assert splitter.feed(b"x" * 10_000) == b""
    assert len(splitter.feed(b"\n\n")) == 20_000_002


def test_a_whole_chunk_passes_as_it_is() -> None:
    chunk = b"data: a\n\ndata: b\n\n"
    assert sse.Splitter().feed(chunk) is chunk


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: {}\n\n", b"{}"),
        (b"data:{}\n\n", b"{}"),
        (b"data:  {}\n\n", b" {}"),
        (b"event: x\r\nid: 1\r\ndata: a\r\ndata: b\r\n\r\n", b"a\nb"),
        (b": comment\n\n", b""),
        (b"data\n\n", b""),
        (b"\n\n", b""),
    ],
)
def test_it_reads_the_data_of_an_event(event: bytes, data: bytes) -> None:
    assert sse.data_of(event) == data


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (b'{"a":1}', {"a": 1}),
        (b' {"a":\n1}', {"a": 1}),
        (b"[DONE]", None),
        (b"[1]", None),
        (b"", None),
        (b'{"a":', None),
        (b"text", None),
        (b'{"a":\xff}', None),
    ],
)
def test_it_reads_the_object_in_the_data(data: bytes, payload: object) -> None:
    assert sse.payload_of(data) == payload


def test_it_reads_the_objects_of_all_events() -> None:
    data = b'event: a\ndata: {"a":1}\n\n: comment\n\ndata: {"b":\n\ndata: [1]\n\ndata: {"c":3}\n\n'
    assert sse.payloads(data) == [{"a": 1}, {"c": 3}]
    assert sse.payloads(b"") == []


def test_it_finds_events_of_a_type() -> None:
    pattern = sse.of_type(frozenset({"response.completed", "error"}))
    for data in (b'{"type":"error"}', b'{"type" : "response.completed","a":1}'):
        assert pattern.search(data)
    for data in (
        b'{"type":"response_completed"}',
        b'{"type":"errors"}',
        b'{"t":"error"}',
        b'{"a":"\\"type\\":\\"error\\""}',
    ):
        assert not pattern.search(data)
