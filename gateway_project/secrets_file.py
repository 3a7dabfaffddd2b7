"""The installation's own secrets: peppers for key digests, the data-key ring, Django's secret key.

Embedded installations keep them in var/secrets.env, written at the first start. Installations on services are
given them in the environment, so that every machine has the same.
"""

import base64
import binascii
import os
import secrets
import tempfile
from pathlib import Path

from gateway_project.env import SettingError, read_env_file

FILE_NAME = "secrets.env"
SECRET_VARIABLES = ("GATEWAY_KEY_PEPPERS", "GATEWAY_DATA_KEYS", "DJANGO_SECRET_KEY")
_RING_BYTES = 32
_HEADER = """\
# Written at the first start. Without this file no stored key and no stored provider secret can be used:
# keep a copy in a safe place, apart from copies of the database. docs/operations.md says how to rotate.
"""


def read_or_create_secrets(var_dir: Path) -> dict[str, str]:
    """What var/secrets.env holds; writes it first, mode 0600, when there is none."""
    path = var_dir / FILE_NAME
    if not path.exists():
        _write_once(path, new_secrets())
    return read_env_file(path)


def new_secrets() -> dict[str, str]:
    """A fresh set, each variable in the form the environment takes it."""
    return {
        "GATEWAY_KEY_PEPPERS": f"p1:{_random_base64()}",
        "GATEWAY_DATA_KEYS": f"d1:{_random_base64()}",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(48),
    }


def parse_ring(name: str, text: str) -> tuple[tuple[str, bytes], ...]:
    """(id, 32 bytes) pairs of `id:base64,…`, the current one first. Raises SettingError, never quoting a secret."""
    ring: dict[str, bytes] = {}
    for number, entry in enumerate((part.strip() for part in text.split(",") if part.strip()), 1):
        ring_id, colon, encoded = entry.partition(":")
        value = _decoded(encoded)
        if not colon or not ring_id.isalnum() or value is None or ring_id in ring:
            raise SettingError(
                f"{name}: entry {number} must be a new id of letters and digits, a colon and 32 bytes in base64."
            )
        ring[ring_id] = value
    return tuple(ring.items())


def _decoded(encoded: str) -> bytes | None:
    try:
        value = base64.b64decode(encoded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == _RING_BYTES else None


def _random_base64() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(_RING_BYTES)).decode()


def _write_once(path: Path, values: dict[str, str]) -> None:
    """Two processes may start at once: a finished file is linked into place, and the first link wins."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".secrets-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(_HEADER + "".join(f"{name}={value}\n" for name, value in values.items()))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                return
        finally:
            os.unlink(draft)
    except OSError as error:
        raise SettingError(
            f"cannot write {path}: {error.strerror}. Set GATEWAY_VAR_DIR to a writable folder."
        ) from error
