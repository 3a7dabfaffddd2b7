"""One error type inside; each surface renders it in its own dialect.

Problem
├── BadRequest 400            ├── AmountLimitReached 402
│   └── ValidationFailed 400  ├── RateLimitReached 429
├── Unauthenticated 401       ├── BodyTooLarge 413
├── PermissionDenied 403      ├── UpstreamFailed 502
├── NotFound 404              ├── UpstreamTimedOut 504
├── MethodNotAllowed 405      ├── Unavailable 503
├── Conflict 409              └── InternalError 500
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class Problem(Exception):
    """Something the caller is told. Never put a secret into `detail`.

    code: stable, snake_case, documented in docs/problems.md. retry_after_s: when trying again can help,
    None if it cannot or nobody knows. extra: further members of the error body.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "internal error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        retry_after_s: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.retry_after_s = retry_after_s
        self.extra = dict(extra or {})


class BadRequest(Problem):
    status = 400
    default_code = "bad_request"
    title = "bad request"


class ValidationFailed(BadRequest):
    """The detail names each wrong field; `fields` lists them, dotted and indexed (`allowedPaths[0].path`)."""

    default_code = "validation"
    title = "validation failed"

    def __init__(self, detail: str, *, fields: tuple[str, ...] = ()) -> None:
        super().__init__(detail, extra={"fields": list(fields)} if fields else None)
        self.fields = fields


class Unauthenticated(Problem):
    status = 401
    default_code = "unauthenticated"
    title = "authentication failed"


class AmountLimitReached(Problem):
    """Settled spend leaves no room: waiting does not cure it."""

    status = 402
    default_code = "cost_limit_reached"
    title = "cost limit reached"


class PermissionDenied(Problem):
    status = 403
    default_code = "permission_denied"
    title = "not allowed"


class NotFound(Problem):
    status = 404
    default_code = "not_found"
    title = "not found"


class MethodNotAllowed(Problem):
    status = 405
    default_code = "method_not_allowed"
    title = "method not allowed"


class Conflict(Problem):
    status = 409
    default_code = "conflict"
    title = "conflict"


class BodyTooLarge(Problem):
    status = 413
    default_code = "body_too_large"
    title = "request body too large"


class RateLimitReached(Problem):
    """Time cures it: retry_after_s is set."""

    status = 429
    default_code = "rate_limit_reached"
    title = "rate limit reached"


class UpstreamFailed(Problem):
    status = 502
    default_code = "upstream_failed"
    title = "the provider could not be reached"


class UpstreamTimedOut(Problem):
    status = 504
    default_code = "upstream_timed_out"
    title = "the provider did not answer in time"


class Unavailable(Problem):
    status = 503
    default_code = "unavailable"
    title = "temporarily unavailable"


class InternalError(Problem):
    """A bug or a broken dependency; the log has the cause under the request id."""
