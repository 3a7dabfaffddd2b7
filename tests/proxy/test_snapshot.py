"""Tests of the snapshot's holder."""

from proxy.snapshot import Snapshot, SnapshotHolder


def test_a_snapshot_is_replaced_as_a_whole_and_its_age_is_told() -> None:
    holder = SnapshotHolder()
    first = holder.current
    assert (first.version, dict(first.settings), dict(first.prices)) == (-1, {}, {})
    holder._confirmed -= 10
    assert holder.age_s > 9
    holder.replace(Snapshot(5))
    assert (holder.current.version, first.version) == (5, -1)
    assert holder.age_s < 1
    holder._confirmed -= 10
    holder.confirm()
    assert holder.age_s < 1
