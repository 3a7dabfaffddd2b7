"""Pages that only show."""

from typing import Any

from django.contrib import admin
from django.test import RequestFactory

from gateway_project.admin_pages.read_only import ReadOnlyAdmin
from gateway_project.models import KeyChange


class Shown(ReadOnlyAdmin):
    fields = ["version", ("digest", "created_at")]


def test_nobody_may_change_anything() -> None:
    page: Any = Shown(KeyChange, admin.site)
    request = RequestFactory().get("/")
    may = (page.has_add_permission(request), page.has_change_permission(request), page.has_delete_permission(request))
    assert may == (False, False, False)


def test_every_field_is_read_only_also_in_a_row_of_several() -> None:
    assert Shown(KeyChange, admin.site).get_readonly_fields(RequestFactory().get("/")) == (
        "version",
        "digest",
        "created_at",
    )
