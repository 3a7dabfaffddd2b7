"""What the key endpoints refuse, and which member they name."""

from typing import Any

import pytest

from keys.models import Key
from tests.keys.api.keys_over_rest import NOBODY, PATH, Keys
from tests.rest_resource import assert_error

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("secret", ["two words", "ключ-ü-🔑", "Bearer x", "a/b?c=d&e", "'; DROP TABLE", "x"])
def test_it_takes_a_secret_of_any_characters(keys: Keys, secret: str) -> None:
    assert keys.put(key=secret).status_code == 200


@pytest.mark.parametrize(
    "secret", ["", "line\nbreak", "return\rhere", "nul\x00", " blank", "blank ", "x" * 1025, 5, []]
)
def test_it_names_key_when_a_secret_cannot_be_one(keys: Keys, secret: object) -> None:
    assert_error(keys.put(key=secret), 400, names="key")


def test_it_refuses_the_same_secret_twice(keys: Keys) -> None:
    keys.make(key="the same")
    error = assert_error(keys.put(key="the same"), 400, names="key")
    assert error["type"] == "/errors/validation"
    assert "the same" not in error["detail"]


def test_it_refuses_a_secret_that_is_stored_under_an_older_pepper(keys: Keys, settings: Any) -> None:
    peppers = settings.KEY_PEPPERS
    settings.KEY_PEPPERS = peppers[1:]
    keys.make(key="the same")
    settings.KEY_PEPPERS = peppers
    assert_error(keys.put(key="the same"), 400, names="key")


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"name": ...}, "name"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "nul\x00"}, "name"),
        ({"tags": [""]}, "tags[0]"),
        ({"tags": ["a", 3]}, "tags[1]"),
        ({"tags": {"a": 1}}, "tags"),
        ({"key": ...}, "key"),
        ({"settingIds": [""]}, "settingIds[0]"),
        ({"settingIds": [3]}, "settingIds[0]"),
        ({"settingIds": ["nope"]}, "settingIds"),
        ({"settingIds": [NOBODY]}, "settingIds"),
        ({"settingIds": []}, "settingIds"),
        ({"settingIds": ..., "settingId": "nope"}, "settingId"),
        ({"settingIds": ..., "settingId": 3}, "settingId"),
        ({"settingId": "both"}, "settingId"),
        ({"costLimitInUsd": -1}, "costLimitInUsd"),
        ({"costLimitInUsd": "much"}, "costLimitInUsd"),
        ({"costLimitInUsd": True}, "costLimitInUsd"),
        ({"costLimitInUsd": 1e300}, "costLimitInUsd"),
        ({"costLimitInUsd": "1e999999999"}, "costLimitInUsd"),
        ({"costLimitInUsd": "NaN"}, "costLimitInUsd"),
        ({"costLimitInUsd": 1e-12}, "costLimitInUsd"),
        ({"costLimitInUsdUnit": "d"}, "costLimitInUsdOverTime"),
        ({"costLimitInUsdUnit": "d", "costLimitInUsdOverTime": 0}, "costLimitInUsdOverTime"),
        ({"costLimitInUsdOverTime": 1}, "costLimitInUsdUnit"),
        ({"costLimitInUsdOverTime": 1, "costLimitInUsdUnit": "y"}, "costLimitInUsdUnit"),
        ({"costLimitInUsdOverTime": 1, "costLimitInUsdUnit": 3}, "costLimitInUsdUnit"),
        ({"costLimitInUsdOverTime": -1, "costLimitInUsdUnit": "d"}, "costLimitInUsdOverTime"),
        ({"rateLimitUnit": "m"}, "rateLimitOverTime"),
        ({"rateLimitOverTime": 2}, "rateLimitUnit"),
        ({"rateLimitOverTime": 2, "rateLimitUnit": "mo"}, "rateLimitUnit"),
        ({"rateLimitOverTime": -2, "rateLimitUnit": "m"}, "rateLimitOverTime"),
        ({"rateLimitOverTime": 2.5, "rateLimitUnit": "m"}, "rateLimitOverTime"),
        ({"rateLimitOverTime": 2**63, "rateLimitUnit": "m"}, "rateLimitOverTime"),
        ({"ttl": "soon"}, "ttl"),
        ({"ttl": "-2h"}, "ttl"),
        ({"ttl": 5}, "ttl"),
        ({"ttl": "9" * 60 + "d"}, "ttl"),
        ({"allowedPaths": [{"method": "GET"}]}, "allowedPaths[0].path"),
        ({"allowedPaths": [{"path": "/x", "method": "GET"}, {"path": "/x"}]}, "allowedPaths[1].method"),
        ({"allowedPaths": [{"path": "x", "method": "GET"}]}, "allowedPaths[0].path"),
        ({"allowedPaths": [{"path": "/x", "method": "GET /"}]}, "allowedPaths[0].method"),
        ({"allowedPaths": ["/x"]}, "allowedPaths[0]"),
        ({"allowedPaths": "/x"}, "allowedPaths"),
        ({"shouldLogRequest": "yes"}, "shouldLogRequest"),
        ({"shouldLogResponse": 1}, "shouldLogResponse"),
        ({"rotationEnabled": "true"}, "rotationEnabled"),
        ({"allowUnmetered": []}, "allowUnmetered"),
        ({"policyId": "not-a-uuid"}, "policyId"),
        ({"policyId": 3}, "policyId"),
    ],
)
def test_it_names_the_wrong_member_of_a_create(keys: Keys, members: dict[str, Any], named: str) -> None:
    error = assert_error(keys.put(**members), 400, names=named, instance=PATH)
    assert error["title"] == "key validation failed"
    assert not Key.objects.exists()


def test_it_names_all_members_of_the_wrong_shape_at_once(keys: Keys) -> None:
    error = assert_error(keys.put(name=1, tags=["", "x"], costLimitInUsd=-1), 400)
    assert error["fields"] == ["name", "tags[0]", "costLimitInUsd"]
    assert error["detail"].startswith("fields [name, tags[0], costLimitInUsd] are invalid")


def test_it_refuses_a_setting_twice(keys: Keys) -> None:
    assert_error(keys.put(settingIds=[keys.setting_id, keys.setting_id.upper()]), 400, names="settingIds[1]")


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"name": ""}, "name"),
        ({"tags": ["a", ""]}, "tags[1]"),
        ({"allowedPaths": [{"method": "GET"}]}, "allowedPaths[0].path"),
        ({"allowedPaths": [{"path": "/x"}]}, "allowedPaths[0].method"),
        ({"settingIds": ["nope"]}, "settingIds"),
        ({"settingIds": []}, "settingIds"),
        ({"settingId": "x", "settingIds": ["y"]}, "settingId"),
        ({"costLimitInUsd": -1}, "costLimitInUsd"),
        ({"rateLimitUnit": "h"}, "rateLimitOverTime"),
        ({"rateLimitOverTime": 5, "rateLimitUnit": ""}, "rateLimitOverTime"),
        ({"rateLimitOverTime": 0, "rateLimitUnit": "m"}, "rateLimitOverTime"),
        ({"rateLimitOverTime": 5, "rateLimitUnit": "y"}, "rateLimitUnit"),
        ({"rateLimitOverTime": -5}, "rateLimitOverTime"),
        ({"costLimitInUsdOverTime": 5}, "costLimitInUsdUnit"),
        ({"costLimitInUsdUnit": "d"}, "costLimitInUsdOverTime"),
        ({"costLimitInUsdOverTime": -5, "costLimitInUsdUnit": "d"}, "costLimitInUsdOverTime"),
        ({"revoked": "yes"}, "revoked"),
        ({"revokedReason": "x" * 256}, "revokedReason"),
        ({"policyId": "x"}, "policyId"),
    ],
)
def test_it_names_the_wrong_member_of_a_change(keys: Keys, members: dict[str, Any], named: str) -> None:
    made = keys.make(rateLimitOverTime=2, rateLimitUnit="m")
    assert_error(keys.patch(made, **members), 400, names=named, instance=f"{PATH}/{made['keyId']}")
    assert keys.rest.get(PATH).json() == [made]
