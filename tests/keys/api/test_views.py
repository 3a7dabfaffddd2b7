"""Keys as the seed's clients create, read and delete them."""

import time
from typing import Any, ClassVar
from uuid import UUID

import pytest

from keys.models import Key
from keys.snapshot import changes_since
from providers.services import ensure_openai_default
from tests.keys.api.keys_over_rest import NOBODY, PATH, POLICY, Keys
from tests.rest_resource import RestResource, assert_error

pytestmark = pytest.mark.django_db
MEMBERS = {
    "name": str,
    "createdAt": int,
    "updatedAt": int,
    "revoked": bool,
    "revokedReason": str,
    "tags": list,
    "keyId": str,
    "costLimitInUsd": float,
    "costLimitInUsdOverTime": float,
    "costLimitInUsdUnit": str,
    "rateLimitOverTime": int,
    "rateLimitUnit": str,
    "ttl": str,
    "allowedPaths": list,
    "settingId": str,
    "settingIds": list,
    "shouldLogRequest": bool,
    "shouldLogResponse": bool,
    "rotationEnabled": bool,
    "policyId": str,
    "isKeyNotHashed": bool,
    "allowUnmetered": bool,
}


class TestKeyResource(RestResource):
    path: ClassVar[str] = PATH
    id_member: ClassVar[str] = "keyId"
    required: ClassVar[tuple[str, ...]] = ("name", "key", "settingIds")
    list_queries: ClassVar[int] = 3

    @pytest.fixture(autouse=True)
    def _settings(self, setting_id: str) -> None:
        self.setting_id = setting_id

    def new_body(self, number: int) -> dict[str, Any]:
        return {"name": f"key {number}", "key": f"secret {number}", "settingIds": [self.setting_id]}

    def changes(self) -> dict[str, Any]:
        return {"name": "another name", "tags": ["x", "y"], "rateLimitOverTime": 7, "rateLimitUnit": "h"}


def test_it_takes_the_seeds_own_example(keys: Keys) -> None:
    made = keys.make(
        name="My Secret Key",
        key="my-secret-key",
        tags=["mykey"],
        rateLimitOverTime=2,
        rateLimitUnit="m",
        costLimitInUsd=0.25,
    )
    assert (made["rateLimitOverTime"], made["rateLimitUnit"], made["costLimitInUsd"]) == (2, "m", 0.25)
    assert keys.found("tag=mykey") == ["My Secret Key"]


def test_it_answers_each_member_with_the_seeds_type(keys: Keys) -> None:
    given = {
        "tags": ["org-1"],
        "costLimitInUsd": 5.5,
        "costLimitInUsdOverTime": 2,
        "costLimitInUsdUnit": "mo",
        "rateLimitOverTime": 2,
        "rateLimitUnit": "s",
        "ttl": "2d",
        "allowedPaths": [{"path": "/api/providers/openai/v1/chat/completions", "method": "POST"}],
        "shouldLogRequest": True,
        "shouldLogResponse": True,
        "rotationEnabled": True,
        "policyId": POLICY,
        "allowUnmetered": True,
    }
    made = keys.make(**given)
    listed = keys.rest.get(f"{PATH}?keyIds={made['keyId']}").json()
    patched = keys.changed(made, name="a key")
    for answer in (made, listed[0], {**patched, "updatedAt": made["updatedAt"]}):
        assert {name: type(value) for name, value in answer.items()} == MEMBERS
        assert {name: answer[name] for name in given} == given
    assert UUID(made["keyId"]).version == 4
    assert made["settingIds"] == [made["settingId"]] == [keys.setting_id]


def test_it_never_answers_the_secret_or_its_digest(keys: Keys) -> None:
    made = keys.put(key="canary-of-a-secret-1")
    digest = Key.objects.get().digest
    answers = [made, keys.patch(made.json(), name="n"), keys.rest.get(PATH), keys.put(key="canary-of-a-secret-1")]
    for answer in answers:
        assert b"canary-of" not in answer.content
        assert digest.partition(":")[2].encode() not in answer.content


def test_it_takes_numbers_as_text_as_the_first_readme_writes_them(keys: Keys) -> None:
    made = keys.make(
        costLimitInUsd="5.5",
        costLimitInUsdOverTime="2",
        costLimitInUsdUnit="s",
        rateLimitOverTime="2",
        rateLimitUnit="d",
    )
    assert (made["costLimitInUsd"], made["costLimitInUsdOverTime"], made["rateLimitOverTime"]) == (5.5, 2.0, 2)
    changed = keys.changed(made, costLimitInUsdOverTime="3", rateLimitOverTime="4", rateLimitUnit="d")
    assert (changed["costLimitInUsdOverTime"], changed["rateLimitOverTime"]) == (3.0, 4)


@pytest.mark.parametrize(
    ("usd", "nano"), [(5.5, 5_500_000_000), (0.1, 100_000_000), ("0.000000001", 1), (0.25, 250_000_000)]
)
def test_it_stores_money_exactly(keys: Keys, usd: float | str, nano: int) -> None:
    keys.make(costLimitInUsd=usd)
    assert Key.objects.get().cost_limit_nano == nano


@pytest.mark.parametrize("none", [None, 0])
def test_it_takes_null_and_0_for_no_limit(keys: Keys, none: object) -> None:
    made = keys.make(costLimitInUsd=none, costLimitInUsdOverTime=none, rateLimitOverTime=none, rateLimitUnit="")
    assert (made["costLimitInUsd"], made["costLimitInUsdOverTime"], made["rateLimitOverTime"]) == (0, 0, 0)
    stored = Key.objects.get()
    assert (stored.cost_limit_nano, stored.cost_window_limit_nano, stored.request_limit) == (None, None, None)


@pytest.mark.parametrize("unit", ["s", "m", "h", "d", "mo"])
def test_it_takes_each_unit(keys: Keys, unit: str) -> None:
    assert keys.make(costLimitInUsdOverTime=1, costLimitInUsdUnit=unit)["costLimitInUsdUnit"] == unit
    if unit != "mo":
        assert keys.make(rateLimitOverTime=1, rateLimitUnit=unit)["rateLimitUnit"] == unit


def test_it_takes_one_setting_in_any_of_the_seeds_ways(keys: Keys) -> None:
    ways: list[dict[str, Any]] = [
        {"settingIds": keys.setting_id},
        {"settingIds": ..., "settingId": keys.setting_id},
        {"settingIds": [], "settingId": keys.setting_id},
        {"settingIds": [keys.setting_id], "settingId": ""},
    ]
    for way in ways:
        made = keys.make(**way)
        assert (made["settingId"], made["settingIds"]) == (keys.setting_id, [keys.setting_id])


def test_it_keeps_several_settings_in_their_order(keys: Keys, other_setting_id: str) -> None:
    ids = [other_setting_id, keys.setting_id]
    made = keys.make(settingIds=ids)
    assert (made["settingIds"], made["settingId"]) == (ids, "")
    assert keys.changed(made, settingIds=ids[::-1])["settingIds"] == ids[::-1]
    assert keys.changed(made, settingId=other_setting_id)["settingIds"] == [other_setting_id]


def test_it_uses_the_setting_of_the_environment_when_none_is_named(keys: Keys) -> None:
    default = ensure_openai_default("sk-of-the-environment")
    assert default is not None
    assert keys.make(settingIds=...)["settingIds"] == [str(default.id)]


def test_it_ignores_what_only_the_gateway_decides(keys: Keys) -> None:
    made = keys.make(keyId="mine", createdAt=1, updatedAt=2, revoked=True, revokedReason="x", isKeyNotHashed=True)
    assert (made["revoked"], made["revokedReason"], made["isKeyNotHashed"]) == (False, "", False)
    assert made["createdAt"] > 1
    assert made["keyId"] != "mine"


def test_it_takes_null_for_a_member_that_is_not_there(keys: Keys) -> None:
    made = keys.make(tags=None, ttl=None, allowedPaths=None, shouldLogRequest=None, settingId=None, policyId=None)
    assert (made["tags"], made["ttl"], made["allowedPaths"], made["policyId"]) == ([], "", [], "")
    assert_error(keys.put(name=None), 400, names="name")


def test_it_shows_an_expired_key_as_revoked_at_once(keys: Keys) -> None:
    made = keys.make(ttl="1s")
    assert (made["revoked"], made["ttl"]) == (False, "1s")
    time.sleep(max(0.0, made["createdAt"] + 1 - time.time()))
    listed = keys.rest.get(PATH).json()[0]
    assert (listed["revoked"], listed["revokedReason"]) == (True, "expired")


def test_it_deletes_and_journals_the_digest(keys: Keys) -> None:
    made = keys.make()
    digest, version = Key.objects.get().digest, changes_since(-1).version
    response = keys.rest.delete(f"{PATH}/{made['keyId']}")
    assert (response.status_code, response.content) == (200, b"")
    assert keys.found() == []
    assert changes_since(version).digests == (digest,)


@pytest.mark.parametrize("unknown", [NOBODY, "no-uuid"])
def test_it_deletes_what_is_not_there_as_the_seed_does(keys: Keys, unknown: str) -> None:
    assert keys.rest.delete(f"{PATH}/{unknown}").status_code == 200
