"""Renders problems as the client's SDK expects them. Sources: OpenAI, Anthropic and Bedrock API references, errors."""

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
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# The names of Amazon's exceptions decide what its SDKs raise, and whether they try again.
_AWS_EXCEPTIONS = {
    400: "ValidationException",
    401: "AccessDeniedException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "ValidationException",
    408: "ModelTimeoutException",
    409: "ConflictException",
    413: "ValidationException",
    415: "ValidationException",
    422: "ValidationException",
    429: "ThrottlingException",
    501: "ValidationException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}
# An SDK that waits longer than this for its own retry only looks hung.
LONGEST_RETRY_S = 60


def body_of(problem: Problem, dialect: ErrorDialect, request_id: str = "") -> bytes:
    """The body of an error in the dialect of the provider that was called."""
    return _BODIES.get(dialect, openai_body)(problem, request_id)


def openai_body(problem: Problem, request_id: str = "") -> bytes:
    """{"error": {"message", "type", "param", "code"}} with the problem's own members beside them."""
    del request_id  # is in a header only
    error: dict[str, Any] = {
        "message": problem.detail,
        "type": _TYPES.get(problem.status, "server_error"),
        "param": None,
        "code": problem.code,
    }
    if problem.extra:
        error["metadata"] = problem.extra
    return orjson.dumps({"error": error})


def anthropic_body(problem: Problem, request_id: str = "") -> bytes:
    """{"type": "error", "error": {"type", "message", "details": {"error_code", …}}, "request_id"}."""
    error = {
        "type": _ANTHROPIC_TYPES.get(problem.status, "api_error"),
        "message": problem.detail,
        "details": {"error_code": problem.code, **problem.extra},
    }
    return orjson.dumps({"type": "error", "error": error, "request_id": request_id or None})


def bedrock_body(problem: Problem, request_id: str = "") -> bytes:
    """{"message"} with the problem's code; the exception's name and the request's id are in headers."""
    del request_id
    error: dict[str, Any] = {"message": problem.detail, "code": problem.code}
    if problem.extra:
        error["metadata"] = problem.extra
    return orjson.dumps(error)


def problem_headers(
    problem: Problem, dialect: ErrorDialect = "openai", request_id: str = ""
) -> list[tuple[bytes, bytes]]:
    """What tells SDKs whether to try again, and users that it was the gateway that refused."""
    headers = [(b"content-type", b"application/json"), (b"x-gateway-error", b"true")]
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after_s))
    if problem.status == 402 or (problem.retry_after_s or 0) > LONGEST_RETRY_S:
        headers.append((b"x-should-retry", b"false"))
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if dialect == "anthropic" and request_id:
        headers.append((b"request-id", request_id.encode()))
    if dialect == "bedrock":
        name = _AWS_EXCEPTIONS.get(problem.status, "InternalServerException")
        headers += [(b"x-amzn-errortype", name.encode()), (b"x-amzn-requestid", request_id.encode())]
    return headers


_BODIES: Mapping[ErrorDialect, Callable[[Problem, str], bytes]] = {
    "openai": openai_body,
    "anthropic": anthropic_body,
    "bedrock": bedrock_body,
}
