from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from gateway_project.changes import record_change
from gateway_project.models import KeyChange
from keys import snapshot
from keys.records import ConfigChanges, KeyRecord, PathRule
from keys.secrets import Pepper, digest_of, digests_of
from keys.services import create_key
from keys.snapshot import changes_since, load_key

pytestmark = pytest.mark.django_db


def test_it_loads_a_key_with_all_it_has_in_one_query(
    setting_id: str, other_setting_id: str, peppers: tuple[Pepper, ...]
) -> None:
    key, secret = create_key(
        name="n",
        tags=["a", "b"],
        setting_ids=[other_setting_id, setting_id],
        cost_limit_nano=1,
        cost_window_limit_nano=2,
        cost_window_unit="mo",
        request_limit=3,
        request_window_unit="s",
        ttl_text="1m",
        allowed_paths=[PathRule("POST", "/x")],
        should_log_request=True,
        should_log_response=True,
        rotation_enabled=True,
        allow_unmetered=True,
        policy_id=UUID("6a0f7a30-1c8e-4b0a-9a3e-1f2e3d4c5b6a"),
        revoked=True,
        revoked_reason="why",
    )
    with CaptureQueriesContext(connection) as queries:
        found = load_key(digests_of(secret, peppers))
    assert len(queries) == 1
    assert found == (
        key.digest,
        KeyRecord(
            id=str(key.id),
            name="n",
            tags=("a", "b"),
            setting_ids=(other_setting_id, setting_id),
            cost_limit_nano=1,
            cost_window_limit_nano=2,
            cost_window_unit="mo",
            request_limit=3,
            request_window_unit="s",
            expires_at=key.expires_at,
            allowed_paths=(PathRule("POST", "/x"),),
            should_log_request=True,
            should_log_response=True,
            rotation_enabled=True,
            allow_unmetered=True,
            policy_id="6a0f7a30-1c8e-4b0a-9a3e-1f2e3d4c5b6a",
            revoked=True,
            revoked_reason="why",
        ),
    )


def test_it_says_under_which_pepper_a_key_was_found(
    setting_id: str, peppers: tuple[Pepper, ...], settings: Settings
) -> None:
    settings.KEY_PEPPERS = settings.KEY_PEPPERS[1:]
    create_key(name="n", secret="old", setting_ids=[setting_id])
    found = load_key(digests_of("old", peppers))
    assert found is not None
    assert found[0] == digest_of("old", peppers[1])


def test_it_finds_nothing_for_unknown_digests(setting_id: str) -> None:
    create_key(name="n", setting_ids=[setting_id])
    assert load_key(["p:unknown"]) is None
    assert load_key([]) is None


def test_it_loads_a_key_whose_settings_are_gone(setting_id: str) -> None:
    key, _ = create_key(name="n", setting_ids=[setting_id])
    key.setting_links.all().delete()
    found = load_key([key.digest])
    assert found is not None
    assert found[1].setting_ids == ()


def test_it_tells_digests_and_the_version_that_touched_the_snapshot() -> None:
    start = record_change(digests=["p:0"])
    record_change(digests=["p:1", "p:2"])
    with_snapshot = record_change(snapshot=True)
    newest = record_change(digests=["p:1"])
    changes = changes_since(start)
    assert (changes.version, changes.snapshot_version) == (newest, with_snapshot)
    assert sorted(changes.digests or ()) == ["p:1", "p:2"]


def test_it_asks_one_query_when_nothing_changed() -> None:
    version = record_change(digests=["p:1"])
    with CaptureQueriesContext(connection) as queries:
        assert changes_since(version) == ConfigChanges(version, 0)
    assert len(queries) == 1


def test_it_tells_to_drop_all_when_the_journal_was_pruned() -> None:
    version = record_change(digests=["p:1"])
    record_change(digests=["p:2"])
    record_change(digests=["p:3"])
    KeyChange.objects.filter(digest__in=["p:1", "p:2"]).delete()
    assert changes_since(version).digests is None
    assert changes_since(version + 1).digests == ("p:3",)


def test_it_tells_to_drop_all_when_too_much_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_CHANGES", 2)
    version = record_change(digests=["p:0"])
    record_change(digests=["p:1", "p:2"])
    assert len(changes_since(version).digests or ()) == 2
    record_change(digests=["p:3"])
    assert changes_since(version).digests is None
