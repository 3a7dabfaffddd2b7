"""Unpacks answers that a provider compressed although it was asked not to."""

import zlib
from collections.abc import AsyncIterator

from proxy.upstream import UpstreamBroken

UNPACKED = (b"gzip", b"x-gzip", b"deflate")
# Also the most that one small piece of input may become at a time.
PIECE_BYTES = 256 * 1024
_GZIP_OR_ZLIB = 47


async def unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The content of gzip or deflate chunks as it comes. Raises UpstreamBroken when it is neither."""
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    async for chunk in chunks:
        packed = chunk
        while packed:
            try:
                piece = unpacker.decompress(packed, PIECE_BYTES)
            except zlib.error as error:
                raise UpstreamBroken("the compressed answer is broken") from error
            packed = unpacker.unconsumed_tail
            if piece:
                yield piece


def unpack(content: bytes, encoding: bytes, at_most: int) -> bytes | None:
    """The first bytes of a compressed content; None when it cannot be unpacked."""
    if encoding not in UNPACKED:
        return None
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(content, at_most)
    except zlib.error:
        return None
