"""The shapes of keys on the wire, without a database."""

from typing import Any
from uuid import UUID

import pytest

from keys.api.serializers import changed_fields, created_fields
from keys.records import PathRule
from keys.rules import KeyValidationFailed

POLICY = "6a0f7a30-1c8e-4b0a-9a3e-1f2e3d4c5b6a"
LIMITS = {
    "costLimitInUsd": "cost_limit_nano",
    "costLimitInUsdOverTime": "cost_window_limit_nano",
    "rateLimitOverTime": "request_limit",
}


def created(**members: Any) -> Any:
    return created_fields({"name": "a key", "key": "s", **members})


def test_it_takes_the_secret_apart_from_the_fields() -> None:
    assert created(tags=["a"], ttl="2d") == ("s", {"name": "a key", "tags": ["a"], "ttl_text": "2d"})


def test_it_tells_a_member_that_was_not_sent_from_an_empty_one() -> None:
    assert changed_fields({}) == {}
    assert changed_fields({"tags": [], "allowedPaths": [], "settingIds": [], "revokedReason": ""}) == {
        "tags": [],
        "allowed_paths": [],
        "setting_ids": [],
        "revoked_reason": "",
    }


def test_it_leaves_out_an_empty_list_of_settings_at_a_create_only() -> None:
    assert "setting_ids" not in created(settingIds=[])[1]
    assert created(settingIds=["one"])[1]["setting_ids"] == ["one"]


def test_it_reads_money_into_nano_dollars() -> None:
    fields = changed_fields({"costLimitInUsd": 0.1, "costLimitInUsdOverTime": "5.5", "rateLimitOverTime": "2"})
    assert fields == {"cost_limit_nano": 100_000_000, "cost_window_limit_nano": 5_500_000_000, "request_limit": 2}


@pytest.mark.parametrize("none", [None, 0, "0"])
@pytest.mark.parametrize(("member", "field"), LIMITS.items())
def test_it_takes_a_limit_away(member: str, field: str, none: object) -> None:
    assert changed_fields({member: none}) == {field: None}


@pytest.mark.parametrize("none", [None, ""])
def test_it_detaches_a_policy(none: object) -> None:
    assert changed_fields({"policyId": none}) == {"policy_id": None}
    assert changed_fields({"policyId": POLICY}) == {"policy_id": UUID(POLICY)}


def test_it_takes_any_other_null_for_a_member_that_was_not_sent() -> None:
    nulls: dict[str, Any] = dict.fromkeys(("name", "tags", "settingIds", "settingId", "allowedPaths", "revoked", "ttl"))
    assert changed_fields(nulls) == {}
    with pytest.raises(KeyValidationFailed) as error:
        created(name=None, key=None)
    assert error.value.fields == ("name", "key")


def test_it_keeps_the_null_of_a_unit_which_goes_with_its_limit() -> None:
    fields = changed_fields({"rateLimitUnit": None, "costLimitInUsdUnit": None})
    assert fields == {"request_window_unit": None, "cost_window_unit": None}


def test_it_reads_paths_into_rules() -> None:
    fields = changed_fields({"allowedPaths": [{"path": "/x", "method": "GET"}]})
    assert fields == {"allowed_paths": [PathRule("GET", "/x")]}


def test_it_takes_one_setting_for_a_list_of_one() -> None:
    assert changed_fields({"settingId": "one"}) == {"setting_ids": ["one"]}
    assert changed_fields({"settingId": "", "settingIds": ["one", "two"]}) == {"setting_ids": ["one", "two"]}


def test_it_refuses_one_setting_beside_a_list() -> None:
    with pytest.raises(KeyValidationFailed) as error:
        changed_fields({"settingId": "one", "settingIds": ["two"]})
    assert error.value.fields == ("settingId", "settingIds")


def test_it_passes_over_what_a_client_may_not_say() -> None:
    assert created(revoked=True, revokedReason="x", keyId="mine", createdAt=1) == ("s", {"name": "a key"})
    assert changed_fields({"key": "another", "ttl": "1s", "keyId": "mine"}) == {}


def test_it_names_every_wrong_member() -> None:
    with pytest.raises(KeyValidationFailed) as error:
        created(
            name=1,
            tags=["a", 2],
            costLimitInUsd=-1,
            allowedPaths=[{"path": "/x"}],
            shouldLogRequest="yes",
            policyId="no-uuid",
        )
    assert set(error.value.fields) == {
        "name",
        "tags[1]",
        "costLimitInUsd",
        "allowedPaths[0].method",
        "shouldLogRequest",
        "policyId",
    }
