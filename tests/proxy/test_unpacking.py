"""Tests of unpacking answers that came compressed."""

import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from proxy.unpacking import PIECE_BYTES, unpack, unpacked
from proxy.upstream import UpstreamBroken


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_it_unpacks_pieces_of_any_size(pack: object, size: int) -> None:
    text = b"data: the quick brown fox\n\n" * 40
    packed = pack(text)  # type: ignore[operator]
    assert b"".join([piece async for piece in unpacked(pieces(packed, size))]) == text


async def test_what_was_flushed_comes_at_once() -> None:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    first = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    unpacking = unpacked(pieces(first + packer.compress(b"data: 2\n\n") + packer.flush(), len(first)))
    assert await anext(unpacking) == b"data: 1\n\n"
    assert await anext(unpacking) == b"data: 2\n\n"


async def test_a_bomb_goes_off_piece_by_piece() -> None:
    bomb = gzip.compress(bytes(30_000_000))
    sizes = [len(piece) async for piece in unpacked(pieces(bomb, len(bomb)))]
    assert (sum(sizes), max(sizes) <= PIECE_BYTES) == (30_000_000, True)


async def test_it_says_when_it_is_no_compression() -> None:
    with pytest.raises(UpstreamBroken):
        [piece async for piece in unpacked(pieces(b"data: plain\n\n", 100))]


@pytest.mark.parametrize(
    ("encoding", "content", "found"),
    [
        (b"gzip", gzip.compress(b"abc", mtime=0), b"abc"),
        (b"deflate", zlib.compress(b"abc"), b"abc"),
        (b"gzip", gzip.compress(b"x" * 100, mtime=0), b"x" * 10),
        (b"gzip", b"abc", None),
        (b"br", b"abc", None),
    ],
)
def test_it_unpacks_a_whole_content(encoding: bytes, content: bytes, found: bytes | None) -> None:
    assert unpack(content, encoding, 10) == found
