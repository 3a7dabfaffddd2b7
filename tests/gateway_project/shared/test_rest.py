"""The frame with views of its own; that every resource keeps to it is what tests.rest_resource is for."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ClassVar

import pytest
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.urls import path, re_path
from pytest_django import Settings
from rest_framework import exceptions as drf
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.shared.access import Access, access_of
from gateway_project.shared.problems import Problem, RateLimitReached
from gateway_project.shared.rest import (
    AdminView,
    as_problem,
    json_object,
    not_found_view,
    query_list,
    query_number,
    rest_paths,
)
from tests.rest_resource import RestClient, assert_error


class EchoView(AdminView):
    def put(self, request: Request) -> Response:
        return Response(json_object(request))

    def get(self, request: Request) -> Response:
        number = query_number(request, "n", default=7, maximum=100)
        return Response({"names": query_list(request, "name"), "n": number})


class FailingView(AdminView):
    error: ClassVar[Exception] = ZeroDivisionError("canary")

    def get(self, request: Request) -> Response:
        raise self.error


class PublicView(AdminView):
    access: ClassVar[Access] = "public"

    def get(self, request: Request) -> Response:
        return Response()


def fail_outside(request: Any) -> HttpResponse:
    raise ZeroDivisionError("canary")


@pytest.fixture
def rest(settings: Settings) -> Iterator[RestClient]:
    """The views above, with the handlers and the last pattern of the real URLs."""
    urls = ModuleType("rest_test_urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        *rest_paths("api/echo", EchoView),
        *rest_paths("api/fail", FailingView),
        *rest_paths("api/public", PublicView),
        path("api/outside", fail_outside),
        path("page", fail_outside),
        re_path("^api(/.*)?$", not_found_view),
    ]
    for status in ("bad_request", "not_found", "server_error"):
        number = {"bad_request": 400, "not_found": 404, "server_error": 500}[status]
        setattr(urls, f"handler{number}", f"gateway_project.shared.rest.{status}_handler")
    sys.modules[urls.__name__] = urls
    settings.ROOT_URLCONF = urls.__name__
    settings.ADMIN_PASS = ""
    yield RestClient()
    del sys.modules[urls.__name__]


def test_it_reads_json_whatever_it_is_called(rest: RestClient) -> None:
    for content_type in ("text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert rest.send("PUT", "/api/echo", b'{"a": "\xc3\xbc"}', content_type=content_type).json() == {"a": "ü"}
    assert rest.send("PUT", "/api/echo", b'\xef\xbb\xbf{"a": 1}').json() == {"a": 1}
    assert rest.send("PUT", "/api/echo", b'{"a": 1, "a": 2}').json() == {"a": 2}


def test_it_does_not_repeat_a_broken_body(rest: RestClient) -> None:
    error = assert_error(rest.send("PUT", "/api/echo", b'{"key": "canary'), 400)
    assert "canary" not in str(error)


def test_it_reads_lists_repeated_and_with_commas(rest: RestClient) -> None:
    assert rest.get("/api/echo?name=a&name=b,%20c,&name=").json()["names"] == ["a", "b", "c"]
    assert rest.get("/api/echo").json() == {"names": [], "n": 7}


@pytest.mark.parametrize(("given", "number"), [("0", 0), ("5", 5), ("101", 100), ("9" * 50, 100), ("", 7)])
def test_it_reads_numbers_within_bounds(rest: RestClient, given: str, number: int) -> None:
    assert rest.get(f"/api/echo?n={given}").json()["n"] == number


@pytest.mark.parametrize("given", ["-1", "x", "1.5", "%D9%A3", "1e3"])
def test_it_names_a_number_that_is_none(rest: RestClient, given: str) -> None:
    assert_error(rest.get(f"/api/echo?n={given}"), 400, names="n must")


def test_it_names_a_parameter_with_a_nul_character(rest: RestClient) -> None:
    assert_error(rest.get("/api/echo?name=a%00b"), 400, names="name")
    assert_error(rest.get("/api/echo?%00=a"), 400)


def test_an_unexpected_error_is_logged_and_not_shown(rest: RestClient, caplog: pytest.LogCaptureFixture) -> None:
    error = assert_error(rest.get("/api/fail"), 500, instance="/api/fail")
    assert "canary" not in str(error)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (OperationalError("no route"), 503, "database_unavailable"),
        (InterfaceError("closed"), 503, "database_unavailable"),
        (Http404(), 404, "not_found"),
        (drf.NotFound(), 404, "not_found"),
        (drf.MethodNotAllowed("POST"), 405, "method_not_allowed"),
        (DjangoPermissionDenied(), 403, "permission_denied"),
        (drf.PermissionDenied(), 403, "permission_denied"),
        (drf.ParseError(), 400, "bad_request"),
        (drf.NotAcceptable(), 400, "bad_request"),
        (drf.APIException(), 500, "internal_error"),
        (ValueError("canary"), 500, "internal_error"),
    ],
)
def test_it_knows_what_an_exception_stands_for(raised: Exception, status: int, code: str) -> None:
    problem = as_problem(raised)
    assert (problem.status, problem.code) == (status, code)
    assert "canary" not in problem.detail


def test_it_says_when_to_try_again(rest: RestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    problem: Problem = RateLimitReached("slow down", retry_after_s=7, extra={"limit": 2})
    monkeypatch.setattr(FailingView, "error", problem)
    response = rest.get("/api/fail")
    error = assert_error(response, 429)
    assert response["Retry-After"] == "7"
    assert (error["type"], error["limit"]) == ("/errors/rate-limit-reached", 2)


def test_what_fails_outside_a_view_is_json_too(rest: RestClient) -> None:
    assert_error(rest.get("/api/outside"), 500, instance="/api/outside")
    assert_error(rest.get("/api/echo", HTTP_HOST="not allowed"), 400)
    assert rest.get("/page")["Content-Type"].startswith("text/html")
    assert rest.get("/nowhere")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_refused_in_the_rests_own_way(rest: RestClient, settings: Settings, method: str) -> None:
    for unknown in ("/api", "/api/", "/api/nothing", "/api/echo/nothing"):
        assert_error(rest.send(method, unknown), 404, instance=unknown)
    settings.ADMIN_PASS = "secret"
    assert_error(rest.send(method, "/api/nothing"), 401)


def test_a_public_view_asks_nobody(rest: RestClient, settings: Settings) -> None:
    settings.ADMIN_PASS = "secret"
    response = rest.get("/api/public/", REMOTE_ADDR="192.0.2.1")
    assert (response.status_code, response.content) == (200, b"")
    assert access_of(PublicView.as_view()) == "public"
    assert access_of(EchoView.as_view()) == access_of(not_found_view) == "admin_rest"
