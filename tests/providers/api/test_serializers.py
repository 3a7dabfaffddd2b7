"""The shapes of provider settings on the wire, without a database."""

from typing import Any

import pytest

from providers.api.serializers import changed_members, created_members, setting_object
from providers.models import ProviderSetting
from providers.rules import SettingInvalid


def test_it_takes_a_body_apart() -> None:
    body = {"provider": "openai", "setting": {"apikey": "a"}, "allowedModels": ["m"], "streamUsage": "never", "x": 1}
    provider, setting, options = created_members(body)
    assert (provider, setting) == ("openai", {"apikey": "a"})
    assert options == {"allowed_models": ["m"], "stream_usage": "never"}


def test_it_tells_a_member_that_was_not_sent_from_an_empty_one() -> None:
    assert changed_members({}) == (None, {})
    assert changed_members({"setting": {}, "name": "", "allowedModels": []}) == ({}, {"name": "", "allowed_models": []})


def test_it_takes_null_for_nothing_but_where_it_takes_prices_away() -> None:
    nulls: dict[str, Any] = dict.fromkeys(("setting", "name", "allowedModels", "costMap", "priority"))
    assert changed_members(nulls) == (None, {"cost_map": None})


def test_it_names_every_wrong_member() -> None:
    with pytest.raises(SettingInvalid) as error:
        created_members({"provider": 1, "setting": {"apikey": 2}, "allowedModels": [3], "costMap": 4, "weight": "x"})
    assert set(error.value.fields) == {"provider", "setting.apikey", "allowedModels[0]", "costMap", "weight"}


def test_it_shows_no_sealed_secret() -> None:
    row = ProviderSetting(
        provider="openai", sealed_secrets={"apikey": "v1.d1.sealed-canary"}, created_at=1, updated_at=2
    )
    assert "canary" not in str(setting_object(row))
