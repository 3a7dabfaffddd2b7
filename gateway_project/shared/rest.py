"""The admin REST's frame: one base view, JSON in and out, and errors in the seed's body.

An error is {status, title, type, detail, instance}; type is "/errors/" and the problem's code with dashes, instance
the path of the request, and what a problem carries besides (such as `fields`) follows.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import orjson
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.urls import URLPattern, path
from django.views import defaults
from drf_spectacular.openapi import AutoSchema
from rest_framework import exceptions as drf
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from gateway_project.shared.access import Access, allows
from gateway_project.shared.problems import (
    BadRequest,
    BodyTooLarge,
    InternalError,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
    Problem,
    Unavailable,
    ValidationFailed,
)
from gateway_project.shared.rest_access import check_admin_access

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1_048_576
MAX_NUMBER = 2**63 - 1
REST_PREFIX = "/api/"


class MalformedJSON(BadRequest):
    default_code = "json_unmarshal"
    title = "json unmarshaller error"


class UnreadableBody(BadRequest):
    default_code = "request_body_read"
    title = "request body reader error"


class OneRenderer(BaseContentNegotiation):
    """JSON whatever the client accepts or says it sends: the seed's curls name neither."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next(iter(parsers), None)

    def select_renderer(self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class UTF8JSONRenderer(JSONRenderer):
    charset = "utf-8"


class AdminView(APIView):
    """Base of every view of the admin REST. A subclass that anybody may call sets `access = "public"`."""

    access: ClassVar[Access] = "admin_rest"
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = (JSONParser,)  # For the API's description: json_object reads the bodies.
    renderer_classes = (UTF8JSONRenderer,)
    content_negotiation_class = OneRenderer
    schema = AutoSchema()

    def check_permissions(self, request: Request) -> None:
        if self.access != "public":
            check_admin_access(request._request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        for name, values in request.query_params.lists():
            if any("\x00" in text for text in (name, *values)):
                # PostgreSQL has no such text: it could match nothing, and asking would fail.
                raise ValidationFailed(f"query parameter {name!r} has a NUL character", fields=(name,))

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], HttpResponse]:
        return problem_response


def rest_paths(route: str, view: type[AdminView]) -> list[URLPattern]:
    """The URL patterns of a view, with and without a slash at the end; route has none, as the API's description."""
    return [path(route, view.as_view()), path(f"{route}/", view.as_view(schema=None))]


def json_object(request: Request) -> dict[str, Any]:
    """The request's body, a JSON object, whatever its Content-Type. The last of doubled members counts.

    Raises MalformedJSON, UnreadableBody, BodyTooLarge.
    """
    try:
        body = request._request.body
    except UnreadablePostError as error:
        raise UnreadableBody("the request body ended early") from error
    except RequestDataTooBig as error:
        raise BodyTooLarge(f"the request body is larger than {MAX_BODY_BYTES} bytes") from error
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(f"the request body is larger than {MAX_BODY_BYTES} bytes")
    try:
        document = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        reason = "it is empty" if not body else str(error)
        raise MalformedJSON(f"the request body is not valid JSON: {reason}") from error
    if not isinstance(document, dict):
        raise MalformedJSON("the request body must be a JSON object")
    return document


def query_list(request: Request, name: str) -> list[str]:
    """A list parameter, repeated (`tags=a&tags=b`) or with commas (`tags=a,b`), without blanks."""
    given = ",".join(request.query_params.getlist(name)).split(",")
    return [item for item in map(str.strip, given) if item]


def query_number(request: Request, name: str, *, default: int = 0, maximum: int = MAX_NUMBER) -> int:
    """A whole number parameter, default if it is missing or blank; above the maximum it is the maximum.

    Raises ValidationFailed for anything else, negative numbers too.
    """
    text = request.query_params.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise ValidationFailed(f"query parameter {name} must be a whole number, not negative", fields=(name,))
    return min(int(text[:20]), maximum)


def problem_response(exception: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Any exception as an answer, in JSON whatever else the view would render.

    What is no Problem is a bug or a broken dependency, and logged.
    """
    request: Request = context["request"]
    problem = as_problem(exception)
    if isinstance(problem, InternalError):
        log.error("admin request failed: %s %s", request.method, request.path, exc_info=exception)
    elif isinstance(problem, Unavailable):
        log.warning("admin request failed: %s %s: %s", request.method, request.path, exception)
    return problem_http_response(problem, request._request)


def as_problem(exception: Exception) -> Problem:
    """The Problem that an exception of ours, Django's, DRF's or the database's stands for."""
    if isinstance(exception, Problem):
        return exception
    for kinds, problem_of in _STANDS_FOR:
        if isinstance(exception, kinds):
            return problem_of(exception)
    return InternalError("Something went wrong inside the gateway; its log says what.")


def _database_unavailable(exception: Exception) -> Problem:
    return Unavailable("The database does not answer. Try again.", code="database_unavailable", retry_after_s=1)


_STANDS_FOR: tuple[tuple[tuple[type[Exception], ...], Callable[[Exception], Problem]], ...] = (
    ((OperationalError, InterfaceError), _database_unavailable),
    ((Http404, drf.NotFound), lambda _: NotFound("There is nothing at this path.")),
    ((drf.MethodNotAllowed,), lambda error: MethodNotAllowed(str(error))),
    ((DjangoPermissionDenied, drf.PermissionDenied), lambda _: PermissionDenied("This is not allowed.")),
    (
        (drf.ParseError, drf.ValidationError, drf.UnsupportedMediaType, drf.NotAcceptable),
        lambda error: BadRequest(str(error)),
    ),
)


def problem_body(problem: Problem, instance: str) -> dict[str, Any]:
    """The seed's error object."""
    return {
        "status": problem.status,
        "title": problem.title,
        "type": "/errors/" + problem.code.replace("_", "-"),
        "detail": problem.detail,
        "instance": instance,
        **problem.extra,
    }


def problem_headers(problem: Problem) -> dict[str, str]:
    """Retry-After when trying again can help."""
    return {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}


def problem_http_response(problem: Problem, request: HttpRequest) -> HttpResponse:
    """The same answer outside a REST view."""
    body = orjson.dumps(problem_body(problem, request.path))
    return HttpResponse(
        body,
        status=problem.status,
        content_type="application/json; charset=utf-8",
        headers=problem_headers(problem),
    )


@allows("admin_rest")
def not_found_view(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
    """Every path under /api/ that is no endpoint; the URL configuration puts it last."""
    try:
        check_admin_access(request)
    except Problem as problem:
        return problem_http_response(problem, request)
    return problem_http_response(NotFound(f"There is no endpoint {request.method} {request.path}."), request)


not_found_view.csrf_exempt = True  # type: ignore[attr-defined]


def bad_request_handler(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: also for a Host that is not allowed."""
    if _is_rest(request):
        return problem_http_response(BadRequest("The request is not acceptable; is its Host allowed?"), request)
    return defaults.bad_request(request, exception)


def not_found_handler(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404."""
    if _is_rest(request):
        return problem_http_response(NotFound("There is nothing at this path."), request)
    return defaults.page_not_found(request, exception)


def server_error_handler(request: HttpRequest) -> HttpResponse:
    """handler500: what failed outside a REST view."""
    if _is_rest(request):
        return problem_http_response(InternalError("Something went wrong inside the gateway."), request)
    return defaults.server_error(request)


def _is_rest(request: HttpRequest) -> bool:
    return request.path.startswith(REST_PREFIX)
