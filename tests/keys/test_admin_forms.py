"""The form of a key: what was entered is stored, and what is wrong is said where it is."""

import pytest

from gateway_project.models import ConfigVersion
from keys.models import Key
from keys.services import create_key
from tests.admin_site import errors_of, operator
from tests.keys.admin_pages import ADD, change, form_of

pytestmark = pytest.mark.django_db


def test_it_stores_what_was_entered(setting_id: str, other_setting_id: str) -> None:
    before = ConfigVersion.objects.get(pk=1).version
    form = form_of(
        setting_id,
        tags="a, b,a",
        cost_limit_nano="0.25",
        cost_window_limit_nano="5",
        cost_window_unit="d",
        request_limit="2",
        request_window_unit="m",
        ttl_text="2d",
        allowed_paths="post /v1/chat/completions\n* /v1/files/*\n",
        allow_unmetered="on",
    )
    operator().post(ADD, {**form, "setting_ids": [other_setting_id, setting_id]})
    key = Key.objects.get()
    assert (key.tags, key.cost_limit_nano, key.cost_window_limit_nano) == (["a", "b"], 250_000_000, 5_000_000_000)
    assert (key.cost_window_unit, key.request_limit, key.request_window_unit) == ("d", 2, "m")
    assert key.expires_at == key.created_at + 2 * 86_400
    assert key.allowed_paths == [
        {"method": "POST", "path": "/v1/chat/completions"},
        {"method": "*", "path": "/v1/files/*"},
    ]
    assert key.allow_unmetered
    assert not key.should_log_request
    assert key.setting_links.count() == 2
    assert ConfigVersion.objects.get(pk=1).version > before


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"request_limit": "2"}, "request_window_unit"),
        ({"request_window_unit": "m"}, "request_limit"),
        ({"cost_window_limit_nano": "2"}, "cost_window_unit"),
        ({"cost_limit_nano": "-1"}, "cost_limit_nano"),
        ({"cost_limit_nano": "0"}, "cost_limit_nano"),
        ({"ttl_text": "soon"}, "ttl_text"),
        ({"allowed_paths": "/without/method"}, "allowed_paths"),
        ({"allowed_paths": "POST without-slash"}, "allowed_paths"),
        ({"secret": " padded "}, "secret"),
        ({"setting_ids": ""}, "setting_ids"),
    ],
)
def test_it_says_what_is_wrong_at_the_field_that_is(setting_id: str, fields: dict[str, str], wrong: str) -> None:
    response = operator().post(ADD, {**form_of(setting_id), **fields})
    assert list(errors_of(response)) == [wrong]
    assert not Key.objects.exists()


def test_it_keeps_the_order_of_a_keys_settings(setting_id: str, other_setting_id: str) -> None:
    key = create_key(name="key", setting_ids=[other_setting_id, setting_id])[0]
    operator().post(change(key), {**form_of(setting_id), "setting_ids": [setting_id, other_setting_id]})
    links = key.setting_links.order_by("position")
    assert [str(link.setting_id) for link in links] == [other_setting_id, setting_id]
