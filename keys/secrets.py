"""Secrets of keys: how they are made, and the digests under which they are stored and looked up. Pure."""

import hashlib
import hmac
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

PREFIX = "gh-"
_RANDOM_BYTES = 24
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_LENGTH = 33  # what 24 bytes need in base 62
_CHECKSUM_LENGTH = 6  # what 32 bits need in base 62


@dataclass(frozen=True, slots=True)
class Pepper:
    """A secret of the installation, mixed into every digest. id: names it in the digest, so that it can be rotated."""

    id: str
    value: bytes = field(repr=False)


def new_secret() -> str:
    """A secret with 192 random bits. Prefix and checksum let a scanner tell it from other text without asking us."""
    body = _base62(int.from_bytes(os.urandom(_RANDOM_BYTES), "big"), _BODY_LENGTH)
    return f"{PREFIX}{body}{_checksum(body)}"


def is_ours(text: str) -> bool:
    """Whether the text has the form that new_secret gives; secrets chosen by a caller do not."""
    body = text[len(PREFIX) : -_CHECKSUM_LENGTH]
    well_formed = text.startswith(PREFIX) and len(body) == _BODY_LENGTH and body.isascii() and body.isalnum()
    return well_formed and text.endswith(_checksum(body))


def digest_of(secret: str, pepper: Pepper) -> str:
    """What is stored of a secret: the pepper's id and a keyed hash."""
    return digest_of_sha256(_sha256(secret), pepper)


def digest_of_sha256(sha256: bytes, pepper: Pepper) -> str:
    """The digest of a secret of which only its SHA-256 is known, as other gateways store it."""
    return f"{pepper.id}:{hmac.digest(pepper.value, sha256, 'sha256').hex()}"


def digests_of(secret: str, peppers: Iterable[Pepper]) -> tuple[str, ...]:
    """The digests a secret may be stored under, in the order of the peppers: the current one first."""
    sha256 = _sha256(secret)
    return tuple([digest_of_sha256(sha256, pepper) for pepper in peppers])


def _sha256(secret: str) -> bytes:
    # Bytes of a header that are no UTF-8, and escapes in JSON, arrive as lone surrogates; they have a digest as well.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
