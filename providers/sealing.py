"""Provider secrets at rest: AES-256-GCM, bound to the row, the field and the places the secret may be sent to.

A token is "v1.<key id>.<base64url of nonce and ciphertext>". Who moves a token to another row, field or destination
cannot open it there.
"""

import base64
import json
import os
from binascii import Error as Base64Error
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "v1"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class SealBroken(Exception):
    """The token cannot be opened here: another place, another key, or damaged. Never holds token or secret."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """One key of the ring: 32 bytes and the id that tokens name it by."""

    id: str
    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.id or "." in self.id:
            raise ValueError("the id of a data key must not be empty or contain a dot")
        if len(self.value) != _KEY_BYTES:
            raise ValueError(f"data key {self.id} must have {_KEY_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys that open; the first one also seals."""

    keys: tuple[DataKey, ...]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, bytes]]) -> "KeyRing":
        """Raises ValueError when there is no key, one is no key, or an id is there twice."""
        keys = tuple(DataKey(key_id, value) for key_id, value in pairs)
        if not keys:
            raise ValueError("no data key is set: GATEWAY_DATA_KEYS is empty")
        if len({key.id for key in keys}) != len(keys):
            raise ValueError("two data keys have the same id")
        return cls(keys)

    @property
    def current(self) -> DataKey:
        return self.keys[0]

    def find(self, key_id: str) -> DataKey:
        """Raises SealBroken for a key that is not in the ring."""
        for key in self.keys:
            if key.id == key_id:
                return key
        raise SealBroken(f"data key {key_id!r} is not in the ring")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret belongs. destinations: origins it may be sent to, in any order."""

    table: str
    row_id: str
    field: str
    destinations: tuple[str, ...]

    def associated_data(self, key_id: str) -> bytes:
        """Unambiguous bytes of the place, the token's version and the key."""
        parts = [_VERSION, key_id, self.table, self.row_id, self.field, sorted(self.destinations)]
        return json.dumps(parts, ensure_ascii=True, separators=(",", ":")).encode()


def seal(secret: str, place: Place, ring: KeyRing) -> str:
    """A new token under the current key; the same secret gives another token each time."""
    key = ring.current
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key.value).encrypt(nonce, secret.encode(), place.associated_data(key.id))
    return f"{_VERSION}.{key.id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(token: str, place: Place, ring: KeyRing) -> str:
    """The secret. Raises SealBroken."""
    key = ring.find(key_id_of(token))
    try:
        raw = base64.b64decode(token.rsplit(".", 1)[1], altchars=b"-_", validate=True)
        opened = AESGCM(key.value).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.associated_data(key.id))
    except (InvalidTag, Base64Error, ValueError) as error:
        raise SealBroken(f"the sealed {place.field} of {place.row_id} cannot be opened here") from error
    return opened.decode()


def key_id_of(token: str) -> str:
    """Which data key sealed the token. Raises SealBroken for what is no token."""
    parts = token.split(".")
    if len(parts) != 3 or parts[0] != _VERSION:
        raise SealBroken("a sealed secret has an unknown form")
    return parts[1]
