"""Where callers reach the proxy, for examples."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from gateway_project.admin_pages.proxy_address import proxy_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost:8001", "http://localhost:9002"),
        ("gate.example", "http://gate.example:9002"),
        ("[::1]:8001", "http://[::1]:9002"),
    ],
)
def test_it_is_the_host_the_page_was_asked_under(settings: Settings, host: str, url: str) -> None:
    settings.PROXY_PORT = 9002
    settings.ALLOWED_HOSTS = ["localhost", "gate.example", "[::1]"]
    assert proxy_url(RequestFactory(HTTP_HOST=host).get("/")) == url
