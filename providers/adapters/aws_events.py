"""Amazon's event stream framing: frames with typed headers and checksums, read in pieces and written. Pure.

Source: AWS, "Event stream encoding" (application/vnd.amazon.eventstream). A frame is a prelude of two lengths and
their CRC-32, headers, a payload, and the CRC-32 of everything before it.
"""

import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
# What botocore's own reader takes at most.
MOST_PAYLOAD_BYTES = 24 * 1024 * 1024
MOST_HEADER_BYTES = 128 * 1024

_PRELUDE = struct.Struct("!III")
_CRC = struct.Struct("!I")
_LENGTH = struct.Struct("!H")
_LEAST_FRAME_BYTES = _PRELUDE.size + _CRC.size
_CACHED_HEADER_BYTES = 512
_STRING_TYPE, _BYTES_TYPE = 7, 6
# Bytes of the values that have a fixed length, by type: true, false, byte, short, integer, long, timestamp, UUID.
_FIXED_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


class FramingBroken(ValueError):
    """What came is no event stream, or was damaged on its way."""


class Frame(NamedTuple):
    """One message. raw: as it came. headers: those with a text, by name."""

    raw: bytes
    headers: Mapping[str, str]
    payload: bytes


class FrameReader:
    """Cuts what arrives in pieces of any size into frames. Holds what is incomplete."""

    __slots__ = ("_needed", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = 0  # bytes of which nothing can be read before they are all there

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are complete now. Raises FramingBroken for what follows the last good one."""
        data = chunk
        if self._rest:
            self._rest += chunk
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
        frames: list[Frame] = []
        at = length = 0
        try:
            while (length := _length_at(data, at)) and len(data) - at >= length:
                frames.append(_frame(data[at : at + length]))
                at += length
        except FramingBroken:
            if not frames:
                raise
            length = 0
        self._rest, self._needed = bytearray(data[at:]), length
        return frames

    @property
    def pending(self) -> bool:
        """True when a frame has begun that did not end."""
        return bool(self._rest)


def encode_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A frame whose headers all hold texts."""
    block = b"".join(_encoded_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack("!II", _LEAST_FRAME_BYTES + len(block) + len(payload), len(block))
    message = b"".join((prelude, _CRC.pack(zlib.crc32(prelude)), block, payload))
    return message + _CRC.pack(zlib.crc32(message))


def _encoded_header(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + bytes((_STRING_TYPE,)) + _LENGTH.pack(len(value)) + value


def _length_at(data: bytes, at: int) -> int:
    """How long the frame at a place is; 0 when its prelude is not there yet."""
    if len(data) - at < _PRELUDE.size:
        return 0
    length, header_bytes, checksum = _PRELUDE.unpack_from(data, at)
    if zlib.crc32(data[at : at + 8]) != checksum:
        raise FramingBroken("the checksum of a frame's prelude is wrong")
    payload_bytes = length - header_bytes - _LEAST_FRAME_BYTES
    if not (0 <= payload_bytes <= MOST_PAYLOAD_BYTES and header_bytes <= MOST_HEADER_BYTES):
        raise FramingBroken("a frame has impossible lengths")
    return int(length)


def _frame(raw: bytes) -> Frame:
    end = len(raw) - _CRC.size
    if zlib.crc32(memoryview(raw)[:end]) != _CRC.unpack_from(raw, end)[0]:
        raise FramingBroken("the checksum of a frame is wrong")
    header_bytes = _PRELUDE.unpack_from(raw)[1]
    payload_at = _PRELUDE.size + header_bytes
    block = raw[_PRELUDE.size : payload_at]
    headers = _known_headers(block) if header_bytes <= _CACHED_HEADER_BYTES else _headers(block)
    return Frame(raw, headers, raw[payload_at:end])


def _headers(block: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(block):
            name_end = at + 1 + block[at]
            name, kind = block[at + 1 : name_end].decode(), block[name_end]
            at = name_end + 1
            if kind not in (_STRING_TYPE, _BYTES_TYPE):
                at += _FIXED_BYTES[kind]
                continue
            value_at = at + _LENGTH.size
            at = value_at + int(_LENGTH.unpack_from(block, at)[0])
            if kind == _STRING_TYPE:
                found[name] = block[value_at:at].decode()
    except (IndexError, KeyError, UnicodeDecodeError, struct.error) as error:
        raise FramingBroken("a frame's headers cannot be read") from error
    if at != len(block):
        raise FramingBroken("a frame's headers cannot be read")
    return found


# The frames of a stream have the same few headers again and again.
_known_headers = lru_cache(256)(_headers)
