"""The admin pages of keys: what they show, what they change, and that a secret is seen once."""

import csv
import shlex
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client

from gateway_project.models import KeyChange
from keys.admin import limit_texts, state_of
from keys.models import Key
from keys.queries import find_key_id
from tests.admin_site import errors_of, operator, page, queries, signed_in
from tests.keys.admin_pages import ADD, LIST, a_key, change, form_of

pytestmark = pytest.mark.django_db
CANARY = "canary's secret of a caller 0123456789"


def test_it_lists_keys_with_their_limits_in_words(setting_id: str) -> None:
    a_key(setting_id, name="trial", tags=["t1"], request_limit=2, request_window_unit="m", cost_limit_nano=250_000_000)
    text = page(operator(), LIST)
    for shown in ("trial", "t1", "first", "2 requests / minute", "$0.25 in total", "active", "$0"):
        assert shown in text


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({}, []),
        ({"request_limit": 1, "request_window_unit": "h"}, ["1 request / hour"]),
        ({"cost_window_limit_nano": 5_000_000_000, "cost_window_unit": "mo"}, ["$5 / month"]),
        ({"cost_limit_nano": 1}, ["$0.000000001 in total"]),
    ],
)
def test_it_says_limits_as_people_do(setting_id: str, fields: dict[str, Any], texts: list[str]) -> None:
    assert limit_texts(a_key(setting_id, **fields)) == texts


def test_it_needs_no_more_queries_for_more_keys(setting_id: str) -> None:
    client = operator()
    a_key(setting_id)
    with queries() as for_one:
        page(client, LIST)
    for number in range(5):
        a_key(setting_id, name=f"key {number}", tags=["a"])
    with queries() as for_six:
        page(client, LIST)
    assert len(for_one) == len(for_six) <= 7


@pytest.mark.parametrize("term", ["Partner's", "whole-tag", "id", "hint"])
def test_it_finds_a_key(setting_id: str, term: str) -> None:
    wanted = a_key(setting_id, name="Partner's trial", tags=["whole-tag"])
    a_key(setting_id, name="other", tags=["whole-tag-not"])
    sought = {"id": str(wanted.pk), "hint": wanted.secret_hint}.get(term, term)
    text = page(operator(), LIST, q=sought)
    assert "Partner's trial" in text
    assert f"{LIST}{wanted.pk}/change/" in text
    assert text.count("gh-strong") == 1


def test_it_shows_a_new_secret_once_and_keeps_it_nowhere(setting_id: str) -> None:
    client = operator()
    response = client.post(ADD, form_of(setting_id, name="new key"))
    assert response.status_code == 200
    secret = response.context["secret"]
    key = Key.objects.get()
    assert find_key_id(secret) == key.pk
    assert secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    kept = [
        *(page(client, path) for path in (LIST, change(key), f"{LIST}{key.pk}/history/", "/admin/", ADD)),
        *(entry.change_message + entry.object_repr for entry in LogEntry.objects.all()),
        *(str(session.get_decoded()) for session in Session.objects.all()),
        *(cookie.OutputString() for cookie in response.cookies.values()),
    ]
    assert LogEntry.objects.count() == 1
    assert not [text for text in kept if secret in text]


def test_it_takes_a_secret_of_ones_own_and_never_shows_it_in_a_form(setting_id: str) -> None:
    client = operator()
    refused = client.post(ADD, form_of(setting_id, secret=CANARY, name=""))
    assert errors_of(refused)["name"]
    assert CANARY not in unescape(refused.content.decode())
    accepted = client.post(ADD, form_of(setting_id, secret=CANARY))
    text = unescape(accepted.content.decode())
    assert f">{CANARY}<" in text
    assert shlex.quote(f"Authorization: Bearer {CANARY}") in text
    assert find_key_id(CANARY) == Key.objects.get().pk
    again = client.post(ADD, form_of(setting_id, secret=CANARY))
    assert "already in use" in errors_of(again)["secret"][0]
    assert CANARY not in unescape(again.content.decode())


def test_it_changes_a_key_and_journals_it(setting_id: str, other_setting_id: str) -> None:
    key = a_key(setting_id, request_limit=2, request_window_unit="m", ttl_text="1d")
    client = operator()
    text = page(client, change(key))
    assert 'value="2"' in text
    assert "secret of your own" not in text.lower()
    before = KeyChange.objects.count()
    form = {**form_of(setting_id), "name": "renamed", "setting_ids": [setting_id, other_setting_id]}
    assert client.post(change(key), form).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.request_limit, key.ttl_text) == ("renamed", None, "1d")
    assert [str(link.setting_id) for link in key.setting_links.order_by("position")] == [setting_id, other_setting_id]
    assert KeyChange.objects.count() == before + 1
    assert "name" in LogEntry.objects.get().get_change_message().lower()


def test_it_shows_what_a_key_has_used(setting_id: str) -> None:
    key = a_key(setting_id, request_limit=7, request_window_unit="m", cost_limit_nano=1_000_000_000)
    text = page(operator(), change(key))
    for shown in ("Spent in total", "of $1", "Requests this minute", "of 7", f"?key={key.pk}&when=any"):
        assert shown in text


def test_it_revokes_a_key_with_a_reason_and_restores_it(setting_id: str) -> None:
    key, client = a_key(setting_id), operator()
    assert "Told to whoever still uses the key" in page(client, f"{LIST}{key.pk}/revoke/")
    response = client.post(f"{LIST}{key.pk}/revoke/", {"reason": "lost <b>laptop</b>", "revoke": "yes"}, follow=True)
    key.refresh_from_db()
    assert (key.revoked, key.revoked_reason) == (True, "lost <b>laptop</b>")
    assert "lost &lt;b&gt;laptop" in response.content.decode()
    assert "<b>laptop" not in response.content.decode()
    assert client.get(f"{LIST}{key.pk}/restore/").status_code == 302
    key.refresh_from_db()
    assert key.revoked, "a link changed something"
    client.post(f"{LIST}{key.pk}/restore/")
    key.refresh_from_db()
    assert (key.revoked, key.revoked_reason) == (False, "")
    assert LogEntry.objects.count() == 2


def test_it_revokes_and_restores_several_keys(setting_id: str) -> None:
    keys = [a_key(setting_id, name=f"key {number}") for number in range(3)]
    client = operator()
    chosen = {"action": "revoke_keys", "_selected_action": [str(key.pk) for key in keys[:2]]}
    asked = client.post(LIST, {**chosen, "index": "0"})
    assert "2 keys" in asked.content.decode()
    assert Key.objects.filter(revoked=True).count() == 0
    before = KeyChange.objects.count()
    client.post(LIST, {**chosen, "reason": "over", "revoke": "yes"})
    assert Key.objects.filter(revoked=True, revoked_reason="over").count() == 2
    assert KeyChange.objects.count() == before + 2
    client.post(LIST, {**chosen, "action": "restore_keys", "index": "0"})
    assert not Key.objects.filter(revoked=True).exists()


def test_it_does_not_restore_what_time_has_ended(setting_id: str) -> None:
    with time_machine.travel(1_700_000_000):
        key = a_key(setting_id, ttl_text="1s")
    assert state_of(key, 1_700_000_000) == "active"
    client = operator()
    response = client.post(f"{LIST}{key.pk}/restore/", follow=True)
    assert "cannot be restored" in response.content.decode()
    assert "Expired at" in response.content.decode()


def test_it_deletes_keys_through_their_service(setting_id: str) -> None:
    client = operator()
    one, two, three = (a_key(setting_id, name=f"key {number}") for number in range(3))
    before = KeyChange.objects.count()
    assert "key 0" in page(client, f"{LIST}{one.pk}/delete/")
    client.post(f"{LIST}{one.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [str(two.pk), str(three.pk)]}
    client.post(LIST, {**chosen, "index": "0"})
    assert Key.objects.count() == 2
    client.post(LIST, {**chosen, "post": "yes"})
    assert not Key.objects.exists()
    assert KeyChange.objects.count() == before + 3


def test_who_may_look_may_not_change(setting_id: str) -> None:
    key = a_key(setting_id, request_limit=2, request_window_unit="m", tags=["<i>tag</i>"])
    client = signed_in("keys.view_key")
    text = client.get(change(key)).content.decode()
    assert "2 requests / minute" in text
    assert "&lt;i&gt;tag" in text
    assert "/revoke/" not in text
    assert 'name="name"' not in text
    refused = {"name": "stolen"}
    for path in (change(key), ADD, f"{LIST}{key.pk}/revoke/", f"{LIST}{key.pk}/restore/", f"{LIST}{key.pk}/delete/"):
        assert client.post(path, refused).status_code == 403, path
    client.post(LIST, {"action": "revoke_keys", "_selected_action": [str(key.pk)], "revoke": "yes"})
    key.refresh_from_db()
    assert (key.name, key.revoked) == ("key", False)


def test_who_may_not_look_sees_nothing(setting_id: str) -> None:
    key = a_key(setting_id)
    client = signed_in()
    for path in (LIST, ADD, change(key), f"{LIST}export/", f"{LIST}{key.pk}/revoke/"):
        assert client.get(path).status_code == 403, path
    assert Client(HTTP_HOST="localhost").get(LIST).status_code == 302


def test_a_key_that_is_not_there_is_no_error() -> None:
    client = operator()
    for name in ("change", "revoke", "restore"):
        for key_id in ("nonsense", "00000000-0000-4000-8000-000000000000"):
            response = client.post(f"{LIST}{key_id}/{name}/")
            assert response.status_code in (302, 404), (name, key_id)


def test_it_exports_keys_without_formulas(setting_id: str) -> None:
    a_key(setting_id, name="=cmd|' /C calc'!A0", tags=["@x", "b"])
    a_key(setting_id, name="plain")
    response = operator().get(f"{LIST}export/", {"q": "cmd"})
    rows = list(csv.DictReader(response.content.decode("utf-8-sig").splitlines()))
    assert [row["name"] for row in rows] == ["'=cmd|' /C calc'!A0"]
    assert rows[0]["tags"] == "'@x, b"
    assert response["Content-Disposition"].startswith('attachment; filename="keys-')
