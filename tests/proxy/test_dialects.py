"""Tests of problems as SDKs expect them."""

import orjson
import pytest

from gateway_project.shared.problems import (
    AmountLimitReached,
    BadRequest,
    BodyTooLarge,
    InternalError,
    NotFound,
    PermissionDenied,
    Problem,
    RateLimitReached,
    Unauthenticated,
    Unavailable,
    UpstreamFailed,
    UpstreamTimedOut,
)
from proxy.dialects import anthropic_body, body_of, openai_body, problem_headers


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (BadRequest("x"), "invalid_request_error"),
        (Unauthenticated("x"), "authentication_error"),
        (AmountLimitReached("x"), "insufficient_quota"),
        (PermissionDenied("x"), "permission_error"),
        (BodyTooLarge("x"), "invalid_request_error"),
        (RateLimitReached("x"), "rate_limit_error"),
        (Unavailable("x"), "server_error"),
        (UpstreamTimedOut("x"), "server_error"),
    ],
)
def test_each_status_has_the_type_its_clients_know(problem: Problem, kind: str) -> None:
    error = orjson.loads(openai_body(problem))["error"]
    assert error == {"message": "x", "type": kind, "param": None, "code": problem.code}


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (BadRequest("x"), "invalid_request_error"),
        (Unauthenticated("x"), "authentication_error"),
        (AmountLimitReached("x"), "billing_error"),
        (PermissionDenied("x"), "permission_error"),
        (NotFound("x"), "not_found_error"),
        (BodyTooLarge("x"), "request_too_large"),
        (RateLimitReached("x"), "rate_limit_error"),
        (InternalError("x"), "api_error"),
        (UpstreamFailed("x"), "api_error"),
        (Unavailable("x"), "overloaded_error"),
        (UpstreamTimedOut("x"), "timeout_error"),
    ],
)
def test_each_status_has_the_type_anthropics_clients_know(problem: Problem, kind: str) -> None:
    assert orjson.loads(body_of(problem, "anthropic", "id-1")) == {
        "type": "error",
        "error": {"type": kind, "message": "x", "details": {"error_code": problem.code}},
        "request_id": "id-1",
    }


def test_figures_stand_among_the_details_for_anthropics_clients() -> None:
    body = orjson.loads(anthropic_body(RateLimitReached("x", extra={"limit": {"used": 2}})))
    assert body["error"]["details"] == {"error_code": "rate_limit_reached", "limit": {"used": 2}}
    assert body["request_id"] is None


def test_anthropics_clients_find_the_id_where_they_look_for_it() -> None:
    assert dict(problem_headers(BadRequest("x"), "anthropic", "id-1"))[b"request-id"] == b"id-1"
    assert b"request-id" not in dict(problem_headers(BadRequest("x"), "openai", "id-1"))


def test_figures_stand_beside_the_message() -> None:
    body = orjson.loads(openai_body(RateLimitReached("x", extra={"limit": {"used": 2}})))
    assert body["error"]["metadata"] == {"limit": {"used": 2}}


@pytest.mark.parametrize(
    ("problem", "retry_after", "should_retry"),
    [
        (RateLimitReached("x", retry_after_s=1), b"1", None),
        (RateLimitReached("x", retry_after_s=60), b"60", None),
        (RateLimitReached("x", retry_after_s=61), b"61", b"false"),
        (AmountLimitReached("x"), None, b"false"),
        (Unavailable("x", retry_after_s=5), b"5", None),
        (BadRequest("x"), None, None),
    ],
)
def test_headers_say_whether_and_when_to_try_again(
    problem: Problem, retry_after: bytes | None, should_retry: bytes | None
) -> None:
    headers = dict(problem_headers(problem))
    assert (headers.get(b"retry-after"), headers.get(b"x-should-retry")) == (retry_after, should_retry)
    assert (headers[b"x-gateway-error"], headers[b"content-type"]) == (b"true", b"application/json")


def test_a_401_names_the_scheme() -> None:
    assert dict(problem_headers(Unauthenticated("x")))[b"www-authenticate"] == b"Bearer"


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (BadRequest("x"), "ValidationException"),
        (Unauthenticated("x"), "AccessDeniedException"),
        (AmountLimitReached("x"), "ServiceQuotaExceededException"),
        (PermissionDenied("x"), "AccessDeniedException"),
        (NotFound("x"), "ResourceNotFoundException"),
        (RateLimitReached("x"), "ThrottlingException"),
        (Unavailable("x"), "ServiceUnavailableException"),
        (UpstreamTimedOut("x"), "ModelTimeoutException"),
        (UpstreamFailed("x"), "InternalServerException"),
        (InternalError("x"), "InternalServerException"),
    ],
)
def test_each_status_has_the_exception_amazons_clients_know(problem: Problem, name: str) -> None:
    headers = dict(problem_headers(problem, "bedrock", "request-1"))
    assert (headers[b"x-amzn-errortype"], headers[b"x-amzn-requestid"]) == (name.encode(), b"request-1")
    assert orjson.loads(body_of(problem, "bedrock")) == {"message": "x", "code": problem.code}


def test_figures_stand_beside_the_message_for_amazons_clients() -> None:
    problem = RateLimitReached("x", extra={"limit": 5})
    assert orjson.loads(body_of(problem, "bedrock"))["metadata"] == {"limit": 5}
