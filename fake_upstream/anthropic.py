"""Anthropic's dialect: how its clients are known, its errors and the headers of its answers."""

import orjson

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints import messages, stored_by_anthropic
from fake_upstream.endpoints.answers import event
from fake_upstream.messages import Answer, Chunk, Reply, Request

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_HEADERS = {
    "anthropic-organization-id": "org-fake-secret",
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
}
_PASSED = ("retry-after",)


def is_anthropic(request: Request) -> bool:
    """Every call names a version of this API, and none of another does."""
    return bool(request.header(b"anthropic-version"))


def answer(call: Call) -> Answer | None:
    """The endpoint's answer; None for a path it has not."""
    return messages.answer(call) or stored_by_anthropic.answer(call)


def spoken(given: Answer) -> Answer:
    """The answer with this API's headers, and an error in its words."""
    headers = {"request-id": new_id("req_"), **_HEADERS}
    if given.status < 400 or not isinstance(given, Reply):
        given.headers |= headers
        return given
    error = orjson.loads(given.body or b"{}").get("error", {})
    kind = _TYPES.get(given.status, "api_error" if given.status >= 500 else "invalid_request_error")
    body = {
        "type": "error",
        "error": {"type": kind, "message": error.get("message", "")},
        "request_id": headers["request-id"],
    }
    passed = {name: given.headers[name] for name in _PASSED if name in given.headers}
    return Reply(orjson.dumps(body), given.status, headers=passed | headers)


def error_event() -> Chunk:
    """What a stream says when it fails."""
    error = {"type": "overloaded_error", "message": "Overloaded"}
    return event({"type": "error", "error": error}, name="error")


def broken_event() -> Chunk:
    """An event that is no JSON."""
    return b'event: content_block_delta\ndata: {"type":"content_block_delta","index\n\n', False
