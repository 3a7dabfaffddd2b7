"""Tests of Amazon's framing, against Amazon's own reader."""

import itertools
import json
import struct
import zlib
from collections.abc import Sequence

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.adapters.aws_events import Frame, FrameReader, FramingBroken, encode_frame

HEADERS = st.dictionaries(
    st.text("abc:-é", min_size=1, max_size=20), st.text(max_size=40).filter(lambda text: "\x00" not in text), max_size=4
)
FRAMES = st.lists(st.tuples(HEADERS, st.binary(max_size=300)), min_size=1, max_size=6)


def read(reader: FrameReader, pieces: Sequence[bytes]) -> list[Frame]:
    return [frame for piece in pieces for frame in reader.feed(piece)]


def in_pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


@settings(max_examples=200, deadline=None)
@given(frames=FRAMES, cuts=st.lists(st.integers(min_value=0), max_size=12))
def test_frames_are_the_same_however_they_arrive(frames: list[tuple[dict[str, str], bytes]], cuts: list[int]) -> None:
    data = b"".join(encode_frame(*frame) for frame in frames)
    reader = FrameReader()
    found = read(reader, in_pieces(data, cuts))
    assert [(dict(frame.headers), frame.payload) for frame in found] == frames
    assert b"".join(frame.raw for frame in found) == data
    assert not reader.pending


@settings(max_examples=50, deadline=None)
@given(frames=FRAMES)
def test_amazons_reader_reads_what_is_written(frames: list[tuple[dict[str, str], bytes]]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(encode_frame(*frame) for frame in frames))
    assert [(event.headers, event.payload) for event in buffer] == frames


@settings(max_examples=200, deadline=None)
@given(at=st.integers(min_value=0), bit=st.integers(0, 7), cuts=st.lists(st.integers(min_value=0), max_size=4))
def test_one_wrong_bit_is_never_taken_for_a_frame(at: int, bit: int, cuts: list[int]) -> None:
    good = encode_frame({":event-type": "chunk"}, b'{"bytes":"e30="}')
    damaged = bytearray(good)
    damaged[at % len(good)] ^= 1 << bit
    reader = FrameReader()
    try:
        found = read(reader, in_pieces(bytes(damaged), cuts))
    except FramingBroken:
        return
    assert found == []
    assert reader.pending


def test_a_large_frame_in_small_pieces_is_put_together_once() -> None:
    data = encode_frame({":event-type": "chunk"}, b"x" * 20_000_000)
    reader = FrameReader()
    # Copied anew for each piece, these would be 60 gigabytes.
    (frame,) = read(reader, [data[at : at + 4096] for at in range(0, len(data), 4096)])
    assert len(frame.payload) == 20_000_000


def test_what_came_before_the_damage_is_read() -> None:
    good = encode_frame({":event-type": "a"}, b"1")
    damaged = good[:-1] + bytes((good[-1] ^ 1,))
    reader = FrameReader()
    assert [frame.payload for frame in reader.feed(good + damaged)] == [b"1"]
    with pytest.raises(FramingBroken):
        reader.feed(b"x")


@pytest.mark.parametrize("lengths", [(15, 0), (20, 5), (30 * 1024 * 1024, 0), (200_000, 199_000)])
def test_impossible_lengths_are_refused_before_they_are_waited_for(lengths: tuple[int, int]) -> None:
    prelude = struct.pack("!II", *lengths)
    with pytest.raises(FramingBroken, match="lengths"):
        FrameReader().feed(prelude + struct.pack("!I", zlib.crc32(prelude)))


def test_what_is_no_event_stream_is_refused_at_once() -> None:
    with pytest.raises(FramingBroken, match="prelude"):
        FrameReader().feed(b'{"message": "an error page"}')


def of_all_types() -> bytes:
    """Every type a header may have; only texts are kept."""
    values = [(0, b""), (1, b""), (2, b"\x01"), (3, b"\x00\x01"), (4, b"1234"), (5, b"12345678"), (6, b"\x00\x02ab"),
              (7, b"\x00\x02ok"), (8, b"12345678"), (9, b"1234567890123456")]  # fmt: skip
    return b"".join(bytes((2,)) + b"h%d" % kind + bytes((kind,)) + value for kind, value in values)


def framed(block: bytes) -> bytes:
    prelude = struct.pack("!II", 16 + len(block), len(block))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + block
    return message + struct.pack("!I", zlib.crc32(message))


def test_headers_of_every_type_are_stepped_over() -> None:
    (frame,) = FrameReader().feed(framed(of_all_types()))
    assert dict(frame.headers) == {"h7": "ok"}


@pytest.mark.parametrize(
    "block", [b"\x02h", b"\x01h\x0b", b"\x01h\x07\x00\x09x", b"\x01h\x07\x00\x01\xff", b"\x01\xff\x00"]
)
def test_broken_headers_are_refused(block: bytes) -> None:
    with pytest.raises(FramingBroken, match="headers"):
        FrameReader().feed(framed(block))


def test_long_headers_are_read_too() -> None:
    headers = {f"name-{number}": json.dumps("x" * 100) for number in range(9)}
    (frame,) = FrameReader().feed(encode_frame(headers, b""))
    assert dict(frame.headers) == headers
