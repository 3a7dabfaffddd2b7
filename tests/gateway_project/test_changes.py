import threading

import pytest
import time_machine
from django.db import connection, transaction

from gateway_project.changes import JOURNAL_KEPT_S, prune_journal, record_change
from gateway_project.models import ConfigVersion, KeyChange
from gateway_project.shared import clock


@pytest.mark.django_db
def test_a_change_is_one_version_with_its_digests() -> None:
    first = record_change(digests=["a", "b"])
    second = record_change(digests=["a"])
    assert second == first + 1
    assert list(KeyChange.objects.filter(version=first).values_list("digest", flat=True)) == ["a", "b"]


@pytest.mark.django_db
def test_only_a_change_of_the_snapshot_moves_the_snapshots_version() -> None:
    version = record_change(snapshot=True)
    record_change(digests=["a"])
    row = ConfigVersion.objects.get(pk=1)
    assert (row.snapshot_version, row.version) == (version, version + 1)


@pytest.mark.django_db
def test_a_change_that_is_rolled_back_leaves_nothing() -> None:
    before = ConfigVersion.objects.get(pk=1).version
    with transaction.atomic():
        record_change(digests=["a"])
        transaction.set_rollback(True)
    assert ConfigVersion.objects.get(pk=1).version == before
    assert not KeyChange.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_versions_are_in_the_order_of_commits() -> None:
    """A reader that has seen a version has seen every lower one, or it would never look for it."""
    seen: list[bool] = []

    def write() -> None:
        for _ in range(20):
            with transaction.atomic():
                version = record_change(digests=["x"])
                seen.append(KeyChange.objects.filter(version__lt=version).count() == version - 1)
        connection.close()

    ConfigVersion.objects.filter(pk=1).update(version=0)
    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(seen) == 60
    assert all(seen)


@pytest.mark.django_db
def test_old_entries_are_pruned() -> None:
    with time_machine.travel(clock.now() - JOURNAL_KEPT_S - 60):
        record_change(digests=["old"])
    record_change(digests=["new"])
    assert prune_journal() == 1
    assert list(KeyChange.objects.values_list("digest", flat=True)) == ["new"]
