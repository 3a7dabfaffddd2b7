"""Secrets that are planted to be looked for afterwards, in whatever form they might come out."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus


@dataclass
class Canaries:
    """Secrets by what they are. Their text is unlike anything else, and some look like no secret at all."""

    planted: dict[str, str] = field(default_factory=dict)

    def plant(self, name: str, before: str = "") -> str:
        """A new secret; before: what it begins with."""
        return self.watch(name, f"{before}canary-{secrets.token_hex(12)}")

    def watch(self, name: str, secret: str) -> str:
        """Look for a secret that somebody else made."""
        self.planted[name] = secret
        return secret

    def found_in(self, content: bytes) -> list[str]:
        """Names of the secrets that the content holds, with the form each has there."""
        return [
            f"{name} ({how})"
            for name, secret in self.planted.items()
            for how, form in _forms(secret)
            if form and form in content
        ]


def _forms(secret: str) -> list[tuple[str, bytes]]:
    raw = secret.encode()
    return [
        ("in clear", raw),
        ("quoted", quote(secret).encode() if quote(secret) != secret else b""),
        ("as in a form", quote_plus(secret).encode() if quote_plus(secret) not in (secret, quote(secret)) else b""),
        ("as plain SHA-256", hashlib.sha256(raw).hexdigest().encode()),
        ("in hexadecimal", raw.hex().encode()),
        *((f"in Base64 from byte {at}", _base64_core(raw, at)) for at in range(3)),
    ]


def _base64_core(raw: bytes, at: int) -> bytes:
    """What is in the Base64 of any text that holds `raw` at a position with this remainder by 3."""
    encoded = base64.b64encode(b"\0" * at + raw)
    return encoded[4 if at else 0 : (at + len(raw)) // 3 * 4]
