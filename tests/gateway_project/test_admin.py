"""Every table has its page, and the pages of the project's own tables only show."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from unfold.admin import ModelAdmin

from gateway_project.changes import record_change
from gateway_project.models import KeyChange, SecretCheck
from tests.admin_site import operator, page, signed_in

pytestmark = pytest.mark.django_db
OURS = ("gateway_project", "keys", "providers", "policies", "routes", "reporting", "proxy")
# Shown on the pages of keys, of custom providers and of routes.
WITHOUT_A_PAGE = {"keys.KeySetting", "providers.CustomRoute", "routes.RouteKey", "routes.RouteStep"}


def test_every_table_of_ours_has_a_page_in_the_sites_look() -> None:
    tables = {model._meta.label: model for app in OURS for model in apps.get_app_config(app).get_models()}
    registered = {model._meta.label: page for model, page in admin.site._registry.items()}
    assert set(tables) - set(registered) == WITHOUT_A_PAGE
    assert [label for label, page in registered.items() if not isinstance(page, ModelAdmin)] == []


def test_every_list_can_be_searched() -> None:
    unsearchable = [model._meta.label for model, page in admin.site._registry.items() if not page.search_fields]
    assert unsearchable == ["gateway_project.ConfigVersion"]  # it has one row


def test_everybody_is_pointed_at_what_they_may_see_only() -> None:
    text = page(signed_in("reporting.view_usageevent"), "/admin/")
    assert "/admin/reporting/usageevent/" in text
    assert "/admin/keys/key/" not in text
    assert "/admin/keys/key/" in page(operator(), "/admin/")


def test_the_journal_is_shown_and_never_changed() -> None:
    record_change(digests=["test:0123456789abcdef0123456789abcdef"])
    SecretCheck.objects.create(kind="pepper", ring_id="ring-1", check_value="the check value")
    user_type = ContentType.objects.get_for_model(User)
    client = operator()
    LogEntry.objects.create(
        user=User.objects.get(), content_type=user_type, object_id="1", object_repr="<b>x</b>", action_flag=ADDITION
    )
    for path, shown in (
        ("/admin/gateway_project/configversion/", "1"),
        ("/admin/gateway_project/keychange/?q=test", "test:0123456789abcde…"),
        ("/admin/gateway_project/secretcheck/", "ring-1"),
        ("/admin/admin/logentry/", "<b>x</b>"),
    ):
        assert shown in page(client, path)
        assert "the check value" not in page(client, path)
        assert client.post(f"{path.split('?')[0]}add/").status_code == 403
    assert "<b>x</b>" not in client.get("/admin/admin/logentry/").content.decode()
    change = f"/admin/gateway_project/keychange/{KeyChange.objects.get().pk}/change/"
    assert "0123456789abcdef0123456789abcdef" not in page(client, change)
    assert client.post(change).status_code == 403


def test_staff_are_managed_in_the_sites_look() -> None:
    client = operator()
    form = {
        "username": "second",
        "usable_password": "true",
        "password1": "correct horse 9",
        "password2": "correct horse 9",
    }
    assert client.post("/admin/auth/user/add/", form).status_code == 302
    assert "second" in page(client, "/admin/auth/user/")
    client.post("/admin/auth/group/add/", {"name": "readers"})
    assert Group.objects.get().name == "readers"
    change = f"/admin/auth/user/{User.objects.get(username='second').pk}/change/"
    for path in ("/admin/password_change/", "/admin/auth/user/add/", change):
        assert client.get(path).status_code == 200
