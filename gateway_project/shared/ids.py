"""Identifiers: random UUIDs for rows, time-ordered ones (RFC 9562, version 7) for events."""

import hashlib
import os
import time
import uuid

_RANDOM_BYTES = 10
# Random bytes are drawn in blocks: a system call per request would cost more than the rest of the id.
_BLOCK_IDS = 256


def new_id() -> uuid.UUID:
    """A random (version 4) UUID."""
    return uuid.uuid4()


def new_event_id() -> str:
    """A version 7 UUID as text: sorts by creation time, to the millisecond."""
    return _version_7(time.time_ns() // 1_000_000, _random_number())


def event_id_of(at: int, name: str) -> str:
    """The same id whenever it is made of the same unix second and name; it sorts like the others."""
    digest = hashlib.sha256(name.encode()).digest()
    return _version_7(at * 1000, int.from_bytes(digest[:_RANDOM_BYTES], "big"))


def _version_7(stamp_ms: int, rest: int) -> str:
    value = (stamp_ms & 0xFFFFFFFFFFFF) << 80 | rest
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _random_number() -> int:
    try:
        return _randoms.pop()  # atomic: several threads may draw at once
    except IndexError:
        block = os.urandom(_RANDOM_BYTES * _BLOCK_IDS)
        numbers = [int.from_bytes(block[at : at + _RANDOM_BYTES], "big") for at in range(0, len(block), _RANDOM_BYTES)]
        _randoms.extend(numbers[1:])
        return numbers[0]


_randoms: list[int] = []


# A child must not repeat its parent's numbers.
os.register_at_fork(after_in_child=_randoms.clear)
