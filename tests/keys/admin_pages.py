"""The pages of keys: where they are, and what a browser sends to them."""

from typing import Any

from keys.models import Key
from keys.services import create_key

LIST, ADD = "/admin/keys/key/", "/admin/keys/key/add/"


def a_key(setting_id: str, **fields: Any) -> Key:
    return create_key(**{"name": "key", "setting_ids": [setting_id], **fields})[0]


def change(key: Key) -> str:
    return f"{LIST}{key.pk}/change/"


def form_of(setting_id: str, **fields: str) -> dict[str, Any]:
    """What a browser sends for a new key."""
    empty = dict.fromkeys(
        (
            *("tags", "cost_limit_nano", "cost_window_limit_nano", "cost_window_unit", "request_limit"),
            *("request_window_unit", "ttl_text", "allowed_paths", "secret"),
        ),
        "",
    )
    return {**empty, "name": "key", "setting_ids": [setting_id], **fields}
