"""Signing in to the admin site, and reading its pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext


def signed_in(*permissions: str, superuser: bool = False) -> Client:
    """A member of staff with these permissions ("keys.view_key"), or with all."""
    user = User.objects.create(username=f"staff {User.objects.count()}", is_staff=True, is_superuser=superuser)
    for permission in permissions:
        app, name = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=name))
    client = Client(HTTP_HOST="localhost:8001")
    client.force_login(user)
    return client


def operator() -> Client:
    """A member of staff who may do everything."""
    return signed_in(superuser=True)


def page(client: Client, path: str, **query: str) -> str:
    """The text of a page that must be there."""
    response = client.get(path, query)
    assert response.status_code == 200, (response.status_code, response.content[:500])
    return unescape(response.content.decode())


def errors_of(response: Any) -> dict[str, list[str]]:
    """The errors of the form on a page, by field."""
    assert response.status_code == 200, "the form was accepted"
    return dict(response.context["adminform"].form.errors)


@contextmanager
def queries() -> Iterator[list[str]]:
    """The statements run inside, without those of the session and the user, and without savepoints."""
    ran: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield ran
    quiet = ("SAVEPOINT", "RELEASE", "ROLLBACK")
    ran += [
        query["sql"]
        for query in captured.captured_queries
        if not query["sql"].startswith(quiet) and "django_session" not in query["sql"] and "auth_" not in query["sql"]
    ]
