"""What Amazon's services have in common: signatures are checked, streams come in frames, errors are named in a header.

Signatures are checked with Amazon's own library.
"""

import re
import struct
import time
import zlib
from calendar import timegm
from typing import Any
from urllib.parse import urlsplit

import orjson

from fake_upstream.call import new_id
from fake_upstream.messages import Reply, Request

ACCOUNTS = {
    "AKIAFAKEUPSTREAM": ("fake/upstream+secret", ""),
    "ASIAFAKETEMPORARY": ("fake-temporary-secret", "fake-session-token"),
    "upstream-bedrock-awsAccessKeyId": ("upstream-bedrock-awsSecretAccessKey", ""),
}
"""Secret and session token by access key."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z]+)"
    r"/aws4_request, SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW_S = 300
_NAMES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}


def error(message: str, status: int, name: str = "") -> Reply:
    """An error as the services answer it."""
    kind = name or _NAMES.get(status, "InternalServerException" if status >= 500 else "ValidationException")
    headers = {"x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/", "x-amzn-requestid": new_id("req-")}
    return Reply(orjson.dumps({"message": message}), status, headers=headers)


def spoken(refused: Reply) -> Reply:
    """An error of another dialect in these words."""
    told = orjson.loads(refused.body or b"{}").get("error", {})
    return error(told.get("message", ""), refused.status)


def signature_problem(request: Request, service: str) -> Reply | None:
    """403 when the request is not signed, wrongly, or by somebody nobody knows."""
    found = _AUTHORIZATION.fullmatch(request.header(b"authorization"))
    if found is None:
        return error("Missing Authentication Token", 403, "MissingAuthenticationTokenException")
    secret, token = ACCOUNTS.get(found["key"], ("", ""))
    if not secret or found["service"] != service or (token and request.header(b"x-amz-security-token") != token):
        return error("The security token included in the request is invalid.", 403, "UnrecognizedClientException")
    if not _is_now(request.header(b"x-amz-date"), found["day"]):
        return error("Signature expired", 403, "InvalidSignatureException")
    signed = found["signed"].split(";")
    needed = {name.decode().lower() for name, _ in request.headers if name.lower().startswith(b"x-amz-")} | {"host"}
    if not needed.issubset(signed) or _signature(request, signed, (secret, token), found) != found["signature"]:
        text = "The request signature we calculated does not match the signature you provided."
        return error(text, 403, "InvalidSignatureException")
    return None


def _is_now(moment: str, day: str) -> bool:
    try:
        at = timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return False
    return moment.startswith(day) and abs(at - time.time()) < _SKEW_S


def _signature(request: Request, signed: list[str], account: tuple[str, str], found: re.Match[str]) -> str:
    # Half a second, for those who call this provider only.
    from botocore.auth import SigV4Auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    secret, token = account
    signer = SigV4Auth(Credentials(found["key"], secret, token or None), found["service"], found["region"])
    url = f"http://{request.header(b'host')}{request.target.decode('latin-1')}"
    headers = {name: request.header(name.encode()) for name in signed}
    described = AWSRequest(method=request.method, url=url, data=request.body, headers=headers)
    described.context["timestamp"] = headers["x-amz-date"]
    text: Any = signer.string_to_sign(described, signer.canonical_request(described))
    return str(signer.signature(text, described))


def raw_path(request: Request) -> str:
    """The path as sent, encoded."""
    return urlsplit(request.target.decode("latin-1")).path


def event_frame(name: str, payload: Any) -> bytes:
    """An event of a stream."""
    return frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception_frame(name: str, message: str) -> bytes:
    """An error within a stream."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, {"message": message})


def broken_frame() -> bytes:
    """A frame that was damaged on its way."""
    good = event_frame("chunk", {"bytes": "e30="})
    return good[:-5] + bytes((good[-5] ^ 1,)) + good[-4:]


def frame(headers: dict[str, str], payload: Any) -> bytes:
    """A message of an event stream."""
    block = b""
    for name, value in headers.items():
        block += struct.pack(f"!B{len(name)}sBH", len(name), name.encode(), 7, len(value)) + value.encode()
    content = orjson.dumps(payload)
    prelude = struct.pack("!II", 16 + len(block) + len(content), len(block))
    prelude += struct.pack("!I", zlib.crc32(prelude))
    message = prelude + block + content
    return message + struct.pack("!I", zlib.crc32(message))
