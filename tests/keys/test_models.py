from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from keys.models import Key, KeySetting
from providers.models import ProviderSetting

pytestmark = pytest.mark.django_db


def new_key(digest: str = "p:1", **fields: Any) -> Key:
    return Key.objects.create(**{"name": "n", "digest": digest, "created_at": 1, "updated_at": 1, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"cost_limit_nano": -1},
        {"request_limit": 1},
        {"request_window_unit": "m"},
        {"request_limit": -1, "request_window_unit": "m"},
        {"request_limit": 1, "request_window_unit": "mo"},
        {"cost_window_limit_nano": 1},
        {"cost_window_unit": "d"},
        {"cost_window_limit_nano": 1, "cost_window_unit": "y"},
    ],
)
def test_the_database_refuses_limits_that_make_no_sense(fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        new_key(**fields)


def test_the_database_refuses_a_digest_twice() -> None:
    new_key("p:1")
    with pytest.raises(IntegrityError, match="key_digest_once"), transaction.atomic():
        new_key("p:1")


def test_it_finds_keys_that_are_due() -> None:
    due = new_key("p:1", expires_at=100)
    new_key("p:2", expires_at=101)
    new_key("p:3")
    new_key("p:4", expires_at=50, revoked=True)
    assert list(Key.objects.due(100)) == [due]


def test_it_keeps_a_setting_that_a_key_uses() -> None:
    setting = ProviderSetting.objects.create(provider="openai", created_at=1, updated_at=1)
    KeySetting.objects.create(key=new_key(), setting=setting)
    with pytest.raises(ProtectedError):
        setting.delete()


def test_its_text_is_its_name() -> None:
    key = new_key(name="spike's key")
    link = KeySetting(key=key, setting_id=key.id)
    assert str(key) == "spike's key"
    assert key.digest not in f"{key} {key!r} {link}"


def test_an_index_serves_tags_on_postgresql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "key_tags_gin" in Key.objects.with_tags(["a", "b"]).order_by().explain()
