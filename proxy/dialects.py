"""Renders problems as the client's SDK expects them. Source: OpenAI API reference, error objects."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway_project.shared.problems import Problem
from providers.adapters.base import ErrorDialect

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
}
# An SDK that waits longer than this for its own retry only looks hung.
LONGEST_RETRY_S = 60


def body_of(problem: Problem, dialect: ErrorDialect) -> bytes:
    """The body of an error in the dialect of the provider that was called."""
    return _BODIES.get(dialect, openai_body)(problem)


def openai_body(problem: Problem) -> bytes:
    """{"error": {"message", "type", "param", "code"}} with the problem's own members beside them."""
    error: dict[str, Any] = {
        "message": problem.detail,
        "type": _TYPES.get(problem.status, "server_error"),
        "param": None,
        "code": problem.code,
    }
    if problem.extra:
        error["metadata"] = problem.extra
    return orjson.dumps({"error": error})


def problem_headers(problem: Problem) -> list[tuple[bytes, bytes]]:
    """What tells SDKs whether to try again, and users that it was the gateway that refused."""
    headers = [(b"content-type", b"application/json"), (b"x-gateway-error", b"true")]
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after_s))
    if problem.status == 402 or (problem.retry_after_s or 0) > LONGEST_RETRY_S:
        headers.append((b"x-should-retry", b"false"))
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


_BODIES: Mapping[ErrorDialect, Callable[[Problem], bytes]] = {"openai": openai_body}
