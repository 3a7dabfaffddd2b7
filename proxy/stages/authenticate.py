"""Who is calling?"""

from gateway_project.shared import clock
from gateway_project.shared.problems import Unauthenticated
from keys.records import KeyRecord
from proxy.flow import IncomingRequest
from proxy.key_directory import KeyDirectory

MAX_SECRET_BYTES = 4096
_AWS_SCHEME = b"AWS4-HMAC-SHA256"


def secret_of(request: IncomingRequest) -> str:
    """The key the client sent; everything after the scheme, spaces included. Raises Unauthenticated for none."""
    read = request.read
    raw = read.get(b"x-api-key") or read.get(b"api-key")
    if not raw:
        scheme, _, raw = read.get(b"authorization", b"").partition(b" ")
        raw = raw.strip() if scheme != _AWS_SCHEME else _access_key(raw)
    if not raw or len(raw) > MAX_SECRET_BYTES:
        raise Unauthenticated(
            "No key was sent. Send it as `Authorization: Bearer KEY`, `api-key: KEY` or `x-api-key: KEY`.",
            code="missing_api_key",
        )
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _access_key(parameters: bytes) -> bytes:
    """Of `Credential=KEY/date/region/service/aws4_request, SignedHeaders=…, Signature=…`: the key may hold anything.

    What the client signed with is not known here, so the signature proves nothing and is not looked at.
    """
    credential = parameters.rpartition(b"SignedHeaders=")[0].rstrip(b", ").partition(b"Credential=")[2]
    return credential.rsplit(b"/", 4)[0] if credential.endswith(b"/aws4_request") else b""


async def authenticate(request: IncomingRequest, directory: KeyDirectory) -> KeyRecord:
    """The key of the request, usable or not. Raises Unauthenticated when it is unknown."""
    key = await directory.find(secret_of(request))
    if key is None:
        raise Unauthenticated("The key that was sent is not known here.", code="invalid_api_key")
    return key


def check_usable(key: KeyRecord) -> None:
    """Raises Unauthenticated when the key is revoked or has expired."""
    if key.revoked:
        reason = f": {key.revoked_reason}" if key.revoked_reason else ""
        raise Unauthenticated(f"This key has been revoked{reason}.", code="key_revoked")
    if key.expires_at is not None and clock.now() >= key.expires_at:
        raise Unauthenticated("This key has expired.", code="key_expired")
