"""Which headers cross the gateway, and which never do (architecture: security rule 6)."""

import math
from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

_HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip
CREDENTIALS = ("x-api-key", "api-key", "authorization", "x-goog-api-key")
_REQUEST_DROPPED = (
    _HOP_BY_HOP
    | set(CREDENTIALS)
    | {
        "host", "content-length", "expect", "cookie", "forwarded", "via", "x-real-ip",
        "x-custom-event-id", "x-metadata", "x-request-timeout", "x-request-id",
        "traceparent", "tracestate", "baggage", "daphne-root-path",
        # They make some servers take another method or path than the one that was checked.
        "x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url",
        # Usage has to be read on the way: the provider is asked for an answer that is not compressed.
        "accept-encoding",
    }
)  # fmt: skip
# Amazon's are a signature's: made with the key of the gateway, and for a request to it.
_REQUEST_PREFIXES_DROPPED = ("x-forwarded-", "x-gateway-", "x-amz-", "amz-sdk-")
_ANSWER_DROPPED = {name.encode() for name in _HOP_BY_HOP} | {
    b"set-cookie", b"content-length", b"openai-organization", b"openai-project", b"server", b"date",
    b"anthropic-organization-id", b"anthropic-workspace-id",
    b"strict-transport-security", b"alt-svc", b"x-should-retry",
    b"access-control-allow-origin", b"access-control-expose-headers", b"access-control-allow-credentials",
}  # fmt: skip
_ANSWER_RENAMED = {b"x-request-id": b"x-upstream-request-id"}
_SERVICE_TIER = b"x-amzn-bedrock-service-tier"
_ANSWER_READ = {
    b"content-type",
    b"content-length",
    b"content-encoding",
    b"x-request-id",
    b"request-id",
    b"x-amzn-requestid",
    _SERVICE_TIER,
}
# The account's own limits: told apart from the key's, which have the plain names.
_RATELIMITS = {b"x-ratelimit-": b"x-upstream-ratelimit-", b"anthropic-ratelimit-": b"x-upstream-ratelimit-"}

Header = tuple[bytes, bytes]


_KEPT_NAMES = 2048


@lru_cache(_KEPT_NAMES)
def _request_name(raw_name: bytes) -> str:
    """The name under which a request header goes upstream; "" when it does not."""
    name = raw_name.decode("latin-1").lower()
    if name in _REQUEST_DROPPED or name.startswith(_REQUEST_PREFIXES_DROPPED) or "_" in name:
        return ""
    return name


@lru_cache(_KEPT_NAMES)
def _answer_name(raw_name: bytes) -> tuple[bytes, bytes]:
    """(the name under which an answer's header goes to the client or b"", what it means to the gateway or b"")."""
    name = raw_name.lower()
    meaning = name if name in _ANSWER_READ else b""
    if name in _ANSWER_DROPPED or name.startswith(b"x-gateway-"):
        return b"", meaning
    for prefix, renamed in _RATELIMITS.items():
        if name.startswith(prefix):
            return renamed + name[len(prefix) :], b""
    return _ANSWER_RENAMED.get(name, name), meaning


def to_upstream(
    headers: Iterable[Header], credentials: Sequence[tuple[str, str]], *, remove_user_agent: bool = False
) -> list[tuple[str, str]]:
    """The client's headers without what is the gateway's business, with the provider's credentials."""
    listed = _connection_listed(headers)
    kept = [
        (name, _text(value)) for raw_name, value in headers if (name := _request_name(raw_name)) and name not in listed
    ]
    if remove_user_agent:
        kept = [(name, value) for name, value in kept if name != "user-agent"]
    kept.append(("accept-encoding", "identity"))
    kept.extend(credentials)
    return kept


def _text(value: bytes) -> str:
    """What the client library, which writes UTF-8, turns into the same bytes again."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _connection_listed(headers: Iterable[Header]) -> frozenset[str]:
    listed: frozenset[str] = frozenset()
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            listed |= {part.strip().lower() for part in value.decode("latin-1").split(",")}
    return listed


def retry_after_s(head: "AnswerHead", now: int) -> float | None:
    """How long an answer asks to wait: seconds, or a date (RFC 9110, section 10.2.3). None: it does not say."""
    value = next((value for name, value in head.to_client if name == b"retry-after"), b"").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value.decode("latin-1")).timestamp() - now
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


class AnswerHead(NamedTuple):
    """An upstream's headers, read once.

    to_client: as the client may see them, names in lower case. length: of the body, None when they do not tell.
    content_type and encoding in lower case, b"" for none; request_id: the upstream's own. service_tier: the one that
    served, where a header says so.
    """

    to_client: list[Header]
    content_type: bytes = b""
    length: int | None = None
    encoding: bytes = b""
    request_id: bytes = b""
    service_tier: str = ""


def answer_head(headers: Iterable[Header]) -> AnswerHead:
    """What crosses to the client, and what the gateway needs to know, in one pass."""
    kept: list[Header] = []
    content_type = encoding = request_id = b""
    service_tier = ""
    length = None
    for raw_name, value in headers:
        name, meaning = _answer_name(raw_name)
        if name:
            kept.append((name, value))
        if not meaning:
            continue
        if meaning == b"content-type":
            content_type = value.lower()
        elif meaning == b"content-length":
            length = int(value) if value.isdigit() else None
        elif meaning == b"content-encoding":
            encoding = b"" if value.lower() == b"identity" else value.lower()
        elif meaning == _SERVICE_TIER:
            service_tier = "" if value == b"default" else value.decode("latin-1")
        else:
            request_id = value
    return AnswerHead(kept, content_type, length, encoding, request_id, service_tier)
