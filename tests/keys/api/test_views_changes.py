"""What a PATCH of a key changes, and what it leaves alone."""

from typing import Any

import pytest

from keys.models import Key
from tests.keys.api.keys_over_rest import POLICY, Keys

pytestmark = pytest.mark.django_db


def test_it_grows_updated_at_with_a_change(keys: Keys) -> None:
    made = keys.make()
    Key.objects.update(created_at=made["createdAt"] - 10, updated_at=made["updatedAt"] - 10)
    changed = keys.changed(made, name="new")
    assert changed["updatedAt"] > made["updatedAt"] - 10
    assert changed["createdAt"] == made["createdAt"] - 10


def test_it_revokes_with_a_reason_and_takes_it_back(keys: Keys) -> None:
    made = keys.make()
    revoked = keys.changed(made, revoked=True, revokedReason="The key has expired")
    assert (revoked["revoked"], revoked["revokedReason"]) == (True, "The key has expired")
    restored = keys.changed(made, revoked=False)
    assert (restored["revoked"], restored["revokedReason"]) == (False, "")


def test_it_changes_the_number_of_a_limit_alone(keys: Keys) -> None:
    made = keys.make(rateLimitOverTime=2, rateLimitUnit="m", costLimitInUsdOverTime=1, costLimitInUsdUnit="d")
    changed = keys.changed(made, rateLimitOverTime=1, costLimitInUsdOverTime=2)
    assert (changed["rateLimitOverTime"], changed["rateLimitUnit"]) == (1, "m")
    assert (changed["costLimitInUsdOverTime"], changed["costLimitInUsdUnit"]) == (2.0, "d")


@pytest.mark.parametrize(
    "removal",
    [
        {"rateLimitOverTime": 0, "rateLimitUnit": "", "costLimitInUsdOverTime": 0, "costLimitInUsdUnit": ""},
        {"rateLimitOverTime": 0, "costLimitInUsdOverTime": 0},
        {"rateLimitOverTime": None, "costLimitInUsdOverTime": None},
        {"rateLimitOverTime": None, "rateLimitUnit": None, "costLimitInUsdOverTime": 0, "costLimitInUsdUnit": None},
    ],
)
def test_it_removes_windows(keys: Keys, removal: dict[str, Any]) -> None:
    made = keys.make(rateLimitOverTime=2, rateLimitUnit="m", costLimitInUsdOverTime=1, costLimitInUsdUnit="d")
    changed = keys.changed(made, **removal)
    assert (changed["rateLimitOverTime"], changed["rateLimitUnit"]) == (0, "")
    assert (changed["costLimitInUsdOverTime"], changed["costLimitInUsdUnit"]) == (0, "")


def test_it_clears_tags_paths_and_policy(keys: Keys) -> None:
    made = keys.make(tags=["a"], allowedPaths=[{"path": "/x", "method": "get"}], policyId=POLICY)
    assert (made["policyId"], made["allowedPaths"]) == (POLICY, [{"path": "/x", "method": "GET"}])
    changed = keys.changed(made, tags=[], allowedPaths=[], policyId=None)
    assert (changed["tags"], changed["allowedPaths"], changed["policyId"]) == ([], [], "")
    assert keys.changed(keys.changed(made, policyId=POLICY), policyId="")["policyId"] == ""


def test_it_leaves_secret_and_ttl_alone_in_a_change(keys: Keys) -> None:
    made = keys.make(ttl="2d")
    digest = Key.objects.get().digest
    assert keys.changed(made, key="another", ttl="1s")["ttl"] == "2d"
    assert Key.objects.get().digest == digest


@pytest.mark.parametrize("member", ["shouldLogRequest", "shouldLogResponse", "rotationEnabled", "allowUnmetered"])
def test_it_switches_each_flag(keys: Keys, member: str) -> None:
    made = keys.make(**{member: True})
    assert made[member] is True
    assert keys.changed(made, **{member: False})[member] is False
