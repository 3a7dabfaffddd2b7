"""Tests of problems as SDKs expect them."""

import orjson
import pytest

from gateway_project.shared.problems import (
    AmountLimitReached,
    BadRequest,
    BodyTooLarge,
    PermissionDenied,
    Problem,
    RateLimitReached,
    Unauthenticated,
    Unavailable,
    UpstreamTimedOut,
)
from proxy.dialects import openai_body, problem_headers


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
