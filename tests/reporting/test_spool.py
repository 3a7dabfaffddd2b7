"""The spool on a real file system: what survives, what is skipped, what is never deleted."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reporting.spool import (
    MAX_RECORD_BYTES,
    SpoolFull,
    SpoolWriter,
    end_of,
    is_owned,
    list_spools,
    read_records,
    removal,
    remove_covered,
    remove_dead,
    segments_kept,
    segments_of,
    spool_status,
)

RECORDS = [b'{"n":%d}' % number for number in range(20)]


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    return tmp_path / "one"


def written(spool_dir: Path, records: list[bytes], *, segment_bytes: int = 1_000_000) -> list[int]:
    """Append and close; the positions behind each record."""
    writer = SpoolWriter(spool_dir.parent, spool_dir.name, segment_bytes=segment_bytes)
    positions = [writer.append(record) for record in records]
    writer.close()
    return positions


def read_all(spool_dir: Path, position: int = 0, *, limit: int = 1000, max_bytes: int = 1_000_000) -> list[bytes]:
    records: list[bytes] = []
    while (batch := read_records(spool_dir, position, limit, max_bytes)).end > position:
        records += batch.records
        position = batch.end
    return records


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """A full disk: the kernel refuses to let any file grow beyond `size`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_it_gives_back_what_was_appended(spool_dir: Path) -> None:
    written(spool_dir, RECORDS)

    assert read_all(spool_dir) == RECORDS


def test_it_reads_on_from_any_position_it_returned(spool_dir: Path) -> None:
    positions = written(spool_dir, RECORDS, segment_bytes=64)

    assert [read_records(spool_dir, at, 1, 1).records for at in [0, *positions[:-1]]] == [[r] for r in RECORDS]


def test_it_rotates_and_counts_positions_over_all_segments(spool_dir: Path) -> None:
    positions = written(spool_dir, RECORDS, segment_bytes=64)

    segments = segments_of(spool_dir)
    assert len(segments) > 3
    assert positions[-1] == sum(segment.path.stat().st_size for segment in segments) == end_of(spool_dir)
    assert segments[0].path.name == "0" * 20 + ".seg"


def test_it_stops_at_the_limit_of_records_and_of_bytes(spool_dir: Path) -> None:
    written(spool_dir, [b"x" * 100_000] * 10)

    assert len(read_records(spool_dir, 0, 3, 10_000_000).records) == 3
    assert len(read_records(spool_dir, 0, 100, 250_000).records) == 3
    assert len(read_records(spool_dir, 0, 100, 1).records) == 1


def test_it_reads_a_record_larger_than_a_read(spool_dir: Path) -> None:
    large = os.urandom(3_000_000)
    written(spool_dir, [b"a", large, b"b"])

    assert read_all(spool_dir, max_bytes=1000) == [b"a", large, b"b"]


def test_it_sees_what_a_living_writer_has_appended(spool_dir: Path) -> None:
    writer = SpoolWriter(spool_dir.parent, spool_dir.name)
    position = writer.append(b"one")

    assert read_records(spool_dir, 0, 10, 1000).records == [b"one"]
    assert read_records(spool_dir, position, 10, 1000) == read_records(spool_dir, position, 10, 1000)
    assert read_records(spool_dir, position, 10, 1000).end == position
    writer.close()


@pytest.mark.parametrize("size", [0, MAX_RECORD_BYTES + 1])
def test_it_refuses_records_out_of_bounds(spool_dir: Path, size: int) -> None:
    writer = SpoolWriter(spool_dir.parent, spool_dir.name)

    with pytest.raises(ValueError, match="a record has"):
        writer.append(b"x" * size)
    writer.close()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 129])
def test_it_refuses_names_that_are_no_directory_of_its_own(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a spool"):
        SpoolWriter(tmp_path, name)


def test_it_skips_and_counts_the_torn_tail_of_a_dead_owner(spool_dir: Path) -> None:
    positions = written(spool_dir, RECORDS)
    segment = segments_of(spool_dir)[0].path
    os.truncate(segment, segment.stat().st_size - 3)

    batch = read_records(spool_dir, 0, 1000, 1_000_000)

    assert (batch.records, batch.torn, batch.end) == (RECORDS[:-1], 1, positions[-1] - 3)


def test_it_waits_for_a_living_owner_to_finish_its_record(spool_dir: Path) -> None:
    owner = SpoolWriter(spool_dir.parent, spool_dir.name)
    position = owner.append(b"one")
    end = owner.append(b"two")
    segment = segments_of(spool_dir)[0].path
    tail = segment.read_bytes()[-5:]

    os.truncate(segment, end - 5)  # as a reader sees a write under way
    waiting = read_records(spool_dir, 0, 1000, 1_000_000)
    overwrite(segment, end - 5, tail)
    finished = read_records(spool_dir, 0, 1000, 1_000_000)
    owner.close()

    assert (waiting.records, waiting.torn, waiting.end) == ([b"one"], 0, position)
    assert (finished.records, finished.torn, finished.end) == ([b"one", b"two"], 0, end)


@pytest.mark.parametrize("damage", [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\x7f\xff\xff"], ids=["huge", "zero", "long"])
@pytest.mark.parametrize("owned", [True, False])
def test_a_damaged_length_costs_only_its_record(spool_dir: Path, damage: bytes, owned: bool) -> None:
    positions = written(spool_dir, RECORDS)
    overwrite(segments_of(spool_dir)[0].path, positions[6], damage)
    owner = SpoolWriter(spool_dir.parent, spool_dir.name) if owned else None

    batch = read_records(spool_dir, 0, 1000, 1_000_000)

    assert (batch.records, batch.torn, batch.end) == (RECORDS[:7] + RECORDS[8:], 1, positions[-1])
    if owner:
        owner.close()


def test_a_damaged_payload_costs_only_its_record(spool_dir: Path) -> None:
    positions = written(spool_dir, RECORDS, segment_bytes=64)
    overwrite(segments_of(spool_dir)[1].path, 10, b"#")

    batch = read_records(spool_dir, 0, 1000, 1_000_000)

    assert batch.records == [record for record in RECORDS if record in batch.records]
    assert (len(batch.records), batch.torn, batch.end) == (19, 1, positions[-1])


def test_a_segment_of_rubbish_is_skipped_whole(spool_dir: Path) -> None:
    positions = written(spool_dir, RECORDS, segment_bytes=64)
    segment = segments_of(spool_dir)[1].path
    overwrite(segment, 0, b"#" * segment.stat().st_size)

    batch = read_records(spool_dir, 0, 1000, 1_000_000)

    assert (batch.torn, batch.end) == (1, positions[-1])
    assert batch.records[-1] == RECORDS[-1]


def test_a_full_disk_refuses_the_record_and_keeps_what_was_there(spool_dir: Path) -> None:
    writer = SpoolWriter(spool_dir.parent, spool_dir.name)
    position = writer.append(b"x" * 1000)

    with file_size_limit(1500), pytest.raises(SpoolFull):
        writer.append(b"y" * 1000)  # 492 bytes fit: a short write

    assert (end_of(spool_dir), writer.position) == (position, position)
    writer.append(b"z" * 1000)
    writer.close()
    assert read_all(spool_dir) == [b"x" * 1000, b"z" * 1000]


def test_a_failed_rotation_is_tried_again(spool_dir: Path) -> None:
    writer = SpoolWriter(spool_dir.parent, spool_dir.name, segment_bytes=10)
    writer.append(b"one")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(SpoolFull):
            writer.append(b"lost")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    writer.append(b"two")
    writer.close()

    assert read_all(spool_dir) == [b"one", b"two"]


def test_it_goes_on_behind_what_a_predecessor_of_the_same_name_left(spool_dir: Path) -> None:
    written(spool_dir, RECORDS[:3])
    segment = segments_of(spool_dir)[0].path
    os.truncate(segment, segment.stat().st_size - 1)

    written(spool_dir, RECORDS[3:6])

    assert read_all(spool_dir) == [*RECORDS[:2], *RECORDS[3:6]]


def test_only_one_writer_owns_a_spool(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting.spool._LOCK_PATIENCE_S", 0.05)
    writer = SpoolWriter(spool_dir.parent, spool_dir.name)

    assert is_owned(spool_dir)
    with pytest.raises(BlockingIOError):
        SpoolWriter(spool_dir.parent, spool_dir.name)
    writer.close()
    assert not is_owned(spool_dir)


def test_ownership_ends_with_the_process_and_its_records_stay(spool_dir: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from reporting.spool import SpoolWriter\n"
        f"writer = SpoolWriter(Path({str(spool_dir.parent)!r}), {spool_dir.name!r})\n"
        "for n in range(100): writer.append(b'%d' % n)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        owned = is_owned(spool_dir)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert (owned, is_owned(spool_dir)) == (True, False)
    assert read_all(spool_dir) == [b"%d" % n for n in range(100)]


def test_it_deletes_covered_segments_but_never_the_newest(spool_dir: Path) -> None:
    positions = written(spool_dir, RECORDS, segment_bytes=64)
    segments = segments_of(spool_dir)

    removed = remove_covered(spool_dir, segments[2].base)
    assert (removed, segments_of(spool_dir)) == (2, segments[2:])
    remove_covered(spool_dir, positions[-1])

    assert segments_of(spool_dir) == segments[-1:]
    assert read_records(spool_dir, positions[-1], 10, 100).end == positions[-1]


def test_it_tells_when_segments_are_missing(spool_dir: Path) -> None:
    written(spool_dir, RECORDS, segment_bytes=64)
    second = segments_of(spool_dir)[1]
    remove_covered(spool_dir, second.base)

    assert read_records(spool_dir, 0, 1, 100).gap == second.base


def test_a_spool_is_removed_only_when_dead_and_covered(spool_dir: Path) -> None:
    writer = SpoolWriter(spool_dir.parent, spool_dir.name)
    position = writer.append(b"one")

    alive = remove_dead(spool_dir, position)
    writer.close()
    uncovered = remove_dead(spool_dir, position - 1)
    assert (alive, uncovered, spool_dir.exists()) == (False, False, True)

    assert remove_dead(spool_dir, position)
    assert not spool_dir.exists()


def test_a_spool_that_is_just_being_made_counts_as_owned(spool_dir: Path) -> None:
    spool_dir.mkdir()

    assert is_owned(spool_dir)
    os.utime(spool_dir, (time.time() - 120, time.time() - 120))
    assert not is_owned(spool_dir)


def test_nobody_may_delete_while_somebody_reads(tmp_path: Path) -> None:
    with segments_kept(tmp_path), removal(tmp_path) as allowed:
        assert not allowed
    with removal(tmp_path) as allowed:
        assert allowed


def test_the_status_counts_what_is_beyond_the_confirmed_positions(tmp_path: Path) -> None:
    first = written(tmp_path / "a", RECORDS)
    second = written(tmp_path / "b", RECORDS)
    (tmp_path / "removal.lock").touch()

    assert [directory.name for directory in list_spools(tmp_path)] == ["a", "b"]
    assert spool_status(tmp_path).depth_bytes == first[-1] + second[-1]
    assert spool_status(tmp_path, {"a": first[-1], "b": second[0]}).depth_bytes == second[-1] - second[0]
    assert spool_status(tmp_path / "none") == spool_status(tmp_path / "none")


def test_an_append_is_cheap(spool_dir: Path) -> None:
    writer = SpoolWriter(spool_dir.parent, spool_dir.name)
    payload = b"x" * 1000
    began = time.process_time()
    for _ in range(2000):
        writer.append(payload)
    cost_us = (time.process_time() - began) / 2000 * 1e6
    writer.close()

    assert cost_us < 60  # 1.5 measured; room for a busy machine


def test_it_flushes_each_record_when_told(spool_dir: Path) -> None:
    writer = SpoolWriter(spool_dir.parent, spool_dir.name, fsync=True, segment_bytes=1)
    writer.append(b"one")
    writer.append(b"two")
    writer.close()

    assert read_all(spool_dir) == [b"one", b"two"]
