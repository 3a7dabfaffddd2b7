from typing import Any

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from gateway_project.shared.problems import PermissionDenied, Unauthenticated
from gateway_project.shared.rest_access import check_admin_access


def check(**meta: str) -> None:
    given: dict[str, Any] = {"HTTP_HOST": "localhost:8001", **meta}
    check_admin_access(RequestFactory().get("/api/x", **given))


class TestWithoutPassword:
    @pytest.fixture(autouse=True)
    def _open(self, settings: Settings) -> None:
        settings.ADMIN_PASS = ""

    @pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
    @pytest.mark.parametrize("host", ["localhost", "localhost:8001", "127.0.0.1:8001", "[::1]", "[::1]:8001"])
    def test_it_answers_this_machine(self, peer: str, host: str) -> None:
        check(REMOTE_ADDR=peer, HTTP_HOST=host)

    @pytest.mark.parametrize("peer", ["10.0.0.1", "192.0.2.1", "2001:db8::1", "::ffff:10.0.0.1", "", "localhost.evil"])
    def test_it_refuses_other_machines_and_says_what_to_set(self, peer: str) -> None:
        with pytest.raises(PermissionDenied, match="ADMIN_PASS"):
            check(REMOTE_ADDR=peer)

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8001",
            "10.0.0.1",
            "",
            "[::1",
            "a@localhost:x",
        ],
    )
    def test_it_refuses_foreign_hosts_as_a_rebound_name_would_send(self, host: str) -> None:
        with pytest.raises(PermissionDenied, match="Host"):
            check(HTTP_HOST=host)

    @pytest.mark.parametrize(
        "header",
        ["X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_FORWARDED", "FORWARDED", "X_REAL_IP", "VIA"],
    )
    def test_it_refuses_forwarded_requests(self, header: str) -> None:
        with pytest.raises(PermissionDenied, match="forwarded"):
            check(**{f"HTTP_{header}": "127.0.0.1"})

    @pytest.mark.parametrize(
        "origin", ["http://evil.example", "null", "http://localhost:9999", "http://localhost", "http://[::1"]
    )
    def test_it_refuses_pages_of_other_sites(self, origin: str) -> None:
        with pytest.raises(PermissionDenied, match="pages"):
            check(HTTP_ORIGIN=origin)

    def test_it_answers_its_own_pages(self) -> None:
        check(HTTP_ORIGIN="http://localhost:8001")


class TestWithPassword:
    @pytest.fixture(autouse=True)
    def _closed(self, settings: Settings) -> None:
        settings.ADMIN_PASS = "säsam öffne dich"

    def test_it_answers_whoever_has_it_from_anywhere(self) -> None:
        sent = "säsam öffne dich".encode().decode("latin-1")  # as servers hand header bytes on
        check(HTTP_X_API_KEY=sent, REMOTE_ADDR="192.0.2.1", HTTP_HOST="gateway.example", HTTP_X_FORWARDED_FOR="x")

    @pytest.mark.parametrize("given", ["", "sesam", "säsam öffne dich ", "s\u00e4sam \u00f6ffne dich"])
    def test_it_refuses_others_also_on_this_machine(self, given: str) -> None:
        with pytest.raises(Unauthenticated, match="X-API-KEY"):
            check(HTTP_X_API_KEY=given)

    def test_it_refuses_a_request_without_the_header(self) -> None:
        with pytest.raises(Unauthenticated):
            check()
