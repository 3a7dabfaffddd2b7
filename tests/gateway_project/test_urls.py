"""Every URL of the admin listener says who may call it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from gateway_project.shared.access import access_of


@pytest.fixture
def client() -> Client:
    """Somebody on this machine."""
    return Client(headers={"host": "localhost"})


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        # Django's admin site guards its own: staff only, but for the login page.
        if isinstance(entry, URLResolver) and entry.namespace != "admin":
            yield from patterns(entry, route)
        elif isinstance(entry, URLPattern):
            yield route, entry.callback


def test_every_pattern_declares_who_may_call_it() -> None:
    undeclared = [route for route, view in patterns(get_resolver()) if access_of(view) is None]
    assert undeclared == []


def test_only_these_are_open_to_anybody() -> None:
    public = {route.rstrip("/") for route, view in patterns(get_resolver()) if access_of(view) == "public"}
    assert public == {"", "api/health", "ready"}


@pytest.mark.parametrize("path", ["/api/nothing", "/api/nothing/", "/api", "/api/keys/../nothing"])
def test_what_is_no_endpoint_is_refused_in_the_rests_own_way(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert set(answer.json()) >= {"status", "title", "type", "detail", "instance"}


@pytest.mark.django_db
def test_the_description_covers_every_endpoint(client: Client) -> None:
    described = client.get("/api/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    paths = {path.rstrip("/") for path in described["paths"]}
    assert {"/api/health", "/api/provider-settings", "/api/key-management/keys"} <= paths


@pytest.mark.django_db
def test_the_description_needs_the_password_or_a_session(settings: Any, client: Client, admin_client: Client) -> None:
    settings.ADMIN_PASS = "word"
    assert client.get("/api/docs/").status_code == 401
    assert client.get("/api/docs/", headers={"X-API-KEY": "word"}).status_code == 200
    assert admin_client.get("/api/docs/").status_code == 200


@pytest.mark.django_db
def test_the_documentation_page_loads_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()
    sources = [httpx.URL(part) for part in page.split('"') if part.startswith(("http:", "https:", "//"))]
    assert sources == []


def test_the_description_of_the_rest_leaves_nothing_out(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))
    described = (tmp_path / "openapi.yaml").read_text()
    assert "/api/key-management/keys/{key_id}:" in described
    assert "{key_id}/:" not in described
