import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction
from pytest_django import Settings

from keys.models import Key, KeySetting
from keys.records import PathRule
from keys.rules import KeyValidationFailed
from keys.secrets import Pepper, digest_of, is_ours
from keys.services import KeyNotFound, create_key, delete_key, expire_keys, revoke_key, update_key
from keys.snapshot import changes_since

pytestmark = pytest.mark.django_db


def journalled(work: Callable[[], Any]) -> tuple[str, ...]:
    """The digests that `work` journals."""
    version = changes_since(-1).version
    work()
    changes = changes_since(version)
    assert changes.digests is not None
    return changes.digests


@pytest.fixture
def make(setting_id: str) -> Callable[..., Key]:
    """Makes a key with a setting."""

    def make_key(**fields: Any) -> Key:
        return create_key(**{"name": "n", "setting_ids": [setting_id], **fields})[0]

    return make_key


def test_it_generates_a_secret_and_keeps_only_its_digest(setting_id: str, peppers: tuple[Pepper, ...]) -> None:
    key, secret = create_key(name="n", setting_ids=[setting_id])
    assert is_ours(secret)
    assert key.digest == digest_of(secret, peppers[0])
    assert key.secret_hint == f"{secret[:3]}…{secret[-2:]}"
    stored = Key.objects.values().get()
    assert secret not in str(stored)


def test_it_needs_a_name(setting_id: str) -> None:
    with pytest.raises(KeyValidationFailed, match="name"):
        create_key(setting_ids=[setting_id])


def test_it_needs_a_pepper(setting_id: str, settings: Settings) -> None:
    settings.KEY_PEPPERS = ()
    with pytest.raises(ImproperlyConfigured, match="GATEWAY_KEY_PEPPERS"):
        create_key(name="n", setting_ids=[setting_id])


def test_it_stores_every_field(make: Callable[..., Key], setting_id: str, other_setting_id: str) -> None:
    policy = uuid4()
    fields = {
        "tags": ["a"],
        "cost_limit_nano": 1,
        "cost_window_limit_nano": 2,
        "cost_window_unit": "mo",
        "request_limit": 3,
        "request_window_unit": "s",
        "ttl_text": "1m",
        "should_log_request": True,
        "should_log_response": True,
        "rotation_enabled": True,
        "allow_unmetered": True,
        "policy_id": policy,
    }
    made = make(setting_ids=[other_setting_id, setting_id], allowed_paths=[PathRule("post", "/x")], **fields)
    key = Key.objects.get()
    assert {name: getattr(key, name) for name in fields} == fields
    assert key.expires_at == key.created_at + 60
    assert key.allowed_paths == [{"method": "POST", "path": "/x"}]
    assert key.counter_epoch == 0
    links = KeySetting.objects.filter(key=made).order_by("position").values_list("setting_id", flat=True)
    assert [str(each) for each in links] == [other_setting_id, setting_id]


def test_a_create_drops_what_proxies_remember_under_any_pepper(setting_id: str, peppers: tuple[Pepper, ...]) -> None:
    dropped = journalled(lambda: create_key(name="n", secret="s", setting_ids=[setting_id]))
    assert set(dropped) == {digest_of("s", pepper) for pepper in peppers}


def test_every_change_is_journalled(make: Callable[..., Key]) -> None:
    key = make()
    for change in (
        lambda: update_key(key.id, name="new"),
        lambda: revoke_key(key.id, reason="why"),
        lambda: delete_key(key.id),
    ):
        assert journalled(change) == (key.digest,)


def test_a_refused_change_leaves_key_and_journal_as_they_were(make: Callable[..., Key]) -> None:
    key = make(name="old")
    version = changes_since(-1).version
    with pytest.raises(KeyValidationFailed, match="settingIds"):
        update_key(key.id, name="new", setting_ids=[uuid4()])
    assert Key.objects.get().name == "old"
    assert changes_since(-1).version == version


@pytest.mark.parametrize("unknown", ["no-uuid", "", "00000000-0000-4000-8000-000000000000"])
def test_it_tells_an_unknown_key(unknown: str) -> None:
    with pytest.raises(KeyNotFound, match="key not found for id"):
        update_key(unknown, name="n")
    assert delete_key(unknown) is False


def test_revoking_keeps_the_first_moment_and_restoring_forgets_it(make: Callable[..., Key]) -> None:
    key = make()
    assert revoke_key(key.id).revoked_at is not None
    Key.objects.update(revoked_at=5)
    again = revoke_key(key.id, reason="again")
    assert (again.revoked_at, again.revoked_reason) == (5, "again")
    restored = update_key(key.id, revoked=False)
    assert (restored.revoked, restored.revoked_at, restored.revoked_reason) == (False, None, "")


def test_a_new_unit_starts_the_counters_afresh_and_a_new_number_does_not(make: Callable[..., Key]) -> None:
    key = make(request_limit=2, request_window_unit="m")
    assert update_key(key.id, request_limit=9).counter_epoch == 0
    assert update_key(key.id, request_limit=9, request_window_unit="h").counter_epoch == 1
    assert update_key(key.id, cost_limit_nano=5).counter_epoch == 1


def test_a_new_rate_unit_gives_no_spend_back(make: Callable[..., Key]) -> None:
    key = make(request_limit=2, request_window_unit="m", cost_window_limit_nano=5, cost_window_unit="d")
    assert update_key(key.id, request_limit=2, request_window_unit="h").counter_epoch == 0


def test_ttl_is_set_once(make: Callable[..., Key]) -> None:
    key = make(ttl_text="1h")
    assert update_key(key.id, ttl_text="2h").expires_at == key.expires_at


def test_it_marks_expired_keys_once(make: Callable[..., Key]) -> None:
    key = make(ttl_text="1h")
    make(ttl_text="2h")
    assert key.expires_at is not None
    assert expire_keys(at=key.expires_at - 1) == 0
    assert journalled(lambda: expire_keys(at=key.expires_at)) == (key.digest,)
    assert expire_keys(at=key.expires_at) == 0
    marked = Key.objects.get(pk=key.pk)
    assert (marked.revoked, marked.revoked_reason, marked.revoked_at) == (True, "expired", key.expires_at)


def in_threads(*work: Callable[[], Any]) -> list[Any]:
    """Run each with a connection of its own; what each returned or raised."""
    results: list[Any] = [None] * len(work)

    def run(index: int) -> None:
        try:
            results[index] = work[index]()
        except Exception as error:  # noqa: BLE001  Handed to the test, which looks at it.
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


@pytest.mark.django_db(transaction=True)
def test_two_creates_with_one_secret_at_once_make_one_key(setting_id: str) -> None:
    barrier = threading.Barrier(4)

    def create() -> Key:
        barrier.wait(10)
        return create_key(name="n", secret="the same", setting_ids=[setting_id])[0]

    results = in_threads(*[create] * 4)
    assert sum(isinstance(result, Key) for result in results) == 1
    assert sum(isinstance(result, KeyValidationFailed) for result in results) == 3
    assert Key.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_changes_are_journalled_in_the_order_in_which_they_commit(setting_id: str) -> None:
    """The first transaction journals and lingers; the second must neither overtake it nor be seen before it."""
    start = changes_since(-1).version
    journalled_first, finish = threading.Event(), threading.Event()

    def slow() -> str:
        with transaction.atomic():
            key, _ = create_key(name="slow", secret="slow", setting_ids=[setting_id])
            journalled_first.set()
            finish.wait(10)
        return key.digest

    def quick() -> str:
        journalled_first.wait(10)
        return create_key(name="quick", secret="quick", setting_ids=[setting_id])[0].digest

    seen: list[int] = []

    def poll() -> None:
        journalled_first.wait(10)
        for _ in range(20):
            seen.append(changes_since(start).version)
            time.sleep(0.01)
        finish.set()
        deadline = time.monotonic() + 10
        while seen[-1] < start + 2 and time.monotonic() < deadline:
            seen.append(changes_since(start).version)

    slow_digest, quick_digest, _ = in_threads(slow, quick, poll)
    assert seen[:20] == [start] * 20
    assert seen == sorted(seen)
    assert slow_digest in (changes_since(start).digests or ())
    assert quick_digest in (changes_since(start + 1).digests or ())
    assert slow_digest not in (changes_since(start + 1).digests or ())


@pytest.mark.django_db(transaction=True)
def test_a_poller_beside_many_writers_misses_no_change(setting_id: str) -> None:
    done = threading.Event()
    seen: set[str] = set()
    at_start = changes_since(-1).version

    def write(writer: int) -> list[str]:
        return [
            create_key(name="n", secret=f"{writer}/{number}", setting_ids=[setting_id])[0].digest
            for number in range(15)
        ]

    def poll() -> None:
        version = at_start
        while True:
            last_round = done.is_set()
            changes = changes_since(version)
            seen.update(changes.digests or ())
            version = changes.version
            if last_round:
                return

    poller = threading.Thread(target=lambda: in_threads(poll))
    poller.start()
    written = in_threads(*[lambda writer=writer: write(writer) for writer in range(3)])
    done.set()
    poller.join(20)
    assert {digest for digests in written for digest in digests} <= seen
    assert connection.vendor == "postgresql"
