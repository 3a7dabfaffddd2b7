"""What the list of keys can be narrowed by."""

import pytest
import time_machine

from keys.services import revoke_key
from tests.admin_site import operator, page
from tests.keys.admin_pages import LIST, a_key

pytestmark = pytest.mark.django_db


def test_it_filters_keys_by_state_limit_setting_and_tag(setting_id: str, other_setting_id: str) -> None:
    client = operator()
    with time_machine.travel(1_700_000_000):
        a_key(setting_id, name="EXPIRED-ONE", ttl_text="1s")
    revoke_key(a_key(setting_id, name="REVOKED-ONE").pk)
    a_key(other_setting_id, name="ACTIVE-ONE", request_limit=1, request_window_unit="m", tags=["x"])
    names = ("EXPIRED-ONE", "REVOKED-ONE", "ACTIVE-ONE")
    for query, shown in (
        ({"state": "active"}, "ACTIVE-ONE"),
        ({"state": "revoked"}, "REVOKED-ONE"),
        ({"state": "expired"}, "EXPIRED-ONE"),
        ({"limit": "requests"}, "ACTIVE-ONE"),
        ({"limit": "none"}, "REVOKED-ONE"),
        ({"limit": "ttl"}, "EXPIRED-ONE"),
        ({"setting": other_setting_id}, "ACTIVE-ONE"),
        ({"tag": "x"}, "ACTIVE-ONE"),
    ):
        text = page(client, LIST, **query)
        assert [name for name in names if name in text] == [shown], query
    assert not any(name in page(client, LIST, setting="nonsense") for name in names)
