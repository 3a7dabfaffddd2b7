"""Spool to database: what is forwarded, what is repeated, who does it, and what a dead process leaves."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from reporting.forwarder import Forwarder
from reporting.models import RejectedRecord, SpoolCursor
from reporting.records import UsageEventRecord
from reporting.services import Batch
from reporting.spool import SpoolWriter, segments_of
from tests.reporting.forwarding import PATIENCE_S, append, direct, pump, running, stored_once, stored_up_to, wait_for
from tests.rest_resource import stopped_database

pytestmark = pytest.mark.usefixtures("impatience")


class TestForwarding:
    def test_it_brings_the_spool_into_the_database(self, database: str, root: Path, writer: SpoolWriter) -> None:
        records = append(writer, 700)
        forwarder = Forwarder(root, direct)

        pump(forwarder, stored_up_to(writer))

        assert stored_once(records)
        assert (forwarder.stats.batches, forwarder.stats.records) == (2, 700)

    def test_it_goes_on_with_what_comes_later(self, db: None, root: Path, writer: SpoolWriter) -> None:
        forwarder = Forwarder(root, direct)
        records = append(writer, 3)
        pump(forwarder, lambda: stored_once(records))
        records += append(writer, 3)

        pump(forwarder, lambda: stored_once(records))

    def test_it_waits_a_moment_for_company(self, db: None, root: Path, writer: SpoolWriter) -> None:
        forwarder = Forwarder(root, direct)
        append(writer, 1)
        for _ in range(3):
            forwarder.step()
        assert forwarder.stats.batches == 0
        time.sleep(0.25)
        forwarder.step()
        assert forwarder.stats.batches == 1

    def test_it_does_not_wait_when_there_is_much(self, db: None, root: Path, writer: SpoolWriter) -> None:
        forwarder = Forwarder(root, direct)
        append(writer, 500)
        forwarder.step()
        assert forwarder.stats.batches == 1

    def test_it_deletes_segments_that_are_stored(self, db: None, root: Path, writer: SpoolWriter) -> None:
        append(writer, 100)
        before = len(segments_of(root / "one"))
        forwarder = Forwarder(root, direct)
        pump(forwarder, lambda: len(segments_of(root / "one")) == 1)

        assert before > 2

    def test_it_takes_up_where_a_predecessor_stopped(self, db: None, root: Path, writer: SpoolWriter) -> None:
        records = append(writer, 600)
        first = Forwarder(root, direct)
        first.step()
        first.step()

        second = Forwarder(root, direct)
        pump(second, lambda: stored_once(records))
        assert second.stats.records < 600

    def test_it_skips_and_counts_damage(self, db: None, root: Path, writer: SpoolWriter) -> None:
        records = append(writer, 3)
        with segments_of(root / "one")[0].path.open("r+b") as file:
            file.seek(20)
            file.write(b"#")
        forwarder = Forwarder(root, direct)

        pump(forwarder, lambda: stored_once(records[1:]))

        assert forwarder.stats.torn == 1

    def test_it_gets_over_a_record_that_is_none(self, db: None, root: Path, writer: SpoolWriter) -> None:
        writer.append(b"\xff\xfe poison")
        records = append(writer, 2)

        pump(Forwarder(root, direct), lambda: stored_once(records))

        assert RejectedRecord.objects.get().payload == "\\xff\\xfe poison"

    def test_its_numbers_tell_depth_and_age(self, db: None, root: Path, writer: SpoolWriter) -> None:
        forwarder = Forwarder(root, lambda *_: None)
        append(writer, 2, created_at=1_700_000_000)
        forwarder.step(eager=True)

        assert (forwarder.stats.depth_bytes, forwarder.stats.oldest_at) == (writer.position, 1_700_000_000)

    def test_drain_forwards_all_there_is(self, db: None, root: Path, writer: SpoolWriter) -> None:
        records = append(writer, 1200)

        assert Forwarder(root, direct).drain(PATIENCE_S)
        assert stored_once(records)

    def test_drain_gives_up_in_time(self, db: None, root: Path, writer: SpoolWriter) -> None:
        append(writer, 1)

        assert not Forwarder(root, lambda *_: None).drain(0.2)


class TestTrouble:
    def test_a_batch_that_is_lost_is_sent_again(self, db: None, root: Path, writer: SpoolWriter) -> None:
        records = append(writer, 5)
        sent: list[Batch] = []

        def lossy(batch: Batch, payloads: Sequence[bytes]) -> None:
            sent.append(batch)
            if len(sent) > 2:
                direct(batch, payloads)

        forwarder = Forwarder(root, lossy, resend_s=0.05)
        pump(forwarder, lambda: stored_once(records))

        assert (len(set(sent)), forwarder.stats.resends >= 2) == (1, True)

    def test_a_batch_is_never_sent_again_before_its_time(self, db: None, root: Path, writer: SpoolWriter) -> None:
        append(writer, 5)
        forwarder = Forwarder(root, lambda *_: None)
        for _ in range(20):
            forwarder.step(eager=True)

        assert (forwarder.stats.batches, forwarder.stats.resends) == (1, 0)

    def test_batches_delivered_twice_and_late_are_stored_once(self, db: None, root: Path, writer: SpoolWriter) -> None:
        seen: list[tuple[Batch, Sequence[bytes]]] = []

        def echoing(batch: Batch, payloads: Sequence[bytes]) -> None:
            seen.append((batch, payloads))
            for each in seen:
                direct(*each)

        forwarder = Forwarder(root, echoing)
        records: list[UsageEventRecord] = []
        for _ in range(4):
            records += append(writer, 3)
            pump(forwarder, stored_up_to(writer))
        assert stored_once(records)

    def test_a_broker_that_is_down_is_reported_once_and_tried_again(
        self, db: None, root: Path, writer: SpoolWriter, caplog: pytest.LogCaptureFixture
    ) -> None:
        records = append(writer, 5)
        down = [True] * 3

        def broken(batch: Batch, payloads: Sequence[bytes]) -> None:
            if down:
                down.pop()
                raise ConnectionRefusedError("nobody there")
            direct(batch, payloads)

        forwarder = Forwarder(root, broken, resend_s=0.02)
        with caplog.at_level(logging.INFO, "reporting.forwarder"):
            pump(forwarder, lambda: stored_once(records))

        assert [r.levelname for r in caplog.records if r.name == "reporting.forwarder"] == ["ERROR", "INFO"]
        assert forwarder.stats.broker_errors == 3

    def test_a_database_that_is_down_stops_nothing_for_good(
        self, transactional_db: None, root: Path, writer: SpoolWriter
    ) -> None:
        records = append(writer, 5)
        forwarder = Forwarder(root, direct, resend_s=0.05)
        with stopped_database():
            for _ in range(3):
                forwarder.step(eager=True)

        pump(forwarder, lambda: stored_once(records))

    def test_a_cursor_moved_by_somebody_else_is_followed(self, db: None, root: Path, writer: SpoolWriter) -> None:
        first, second = append(writer, 1), append(writer, 1)
        forwarder = Forwarder(root, lambda *_: None, resend_s=60)
        forwarder.step(eager=True)
        other = Forwarder(root, direct)
        pump(other, lambda: stored_once([*first, *second]))

        forwarder.step(eager=True)
        assert forwarder.stats.depth_bytes == 0

    def test_a_name_used_before_is_reported(
        self, db: None, root: Path, writer: SpoolWriter, caplog: pytest.LogCaptureFixture
    ) -> None:
        SpoolCursor.objects.create(spool="one", position=10**9, updated_at=0)
        append(writer, 1)

        Forwarder(root, direct).step(eager=True)

        assert "used before" in caplog.text


class TestDeadProcesses:
    def test_a_dead_spool_is_stored_and_removed(self, db: None, root: Path, writer: SpoolWriter) -> None:
        records = append(writer, 50)
        writer.close()

        pump(Forwarder(root, direct), lambda: not (root / "one").exists())

        assert stored_once(records)
        assert SpoolCursor.objects.get().closed_at

    def test_a_torn_tail_does_not_keep_a_dead_spool(self, db: None, root: Path, writer: SpoolWriter) -> None:
        records = append(writer, 5)
        writer.close()
        segment = segments_of(root / "one")[0].path
        os.truncate(segment, segment.stat().st_size - 7)
        forwarder = Forwarder(root, direct)

        pump(forwarder, lambda: not (root / "one").exists())

        assert stored_once(records[:-1])
        assert forwarder.stats.torn == 1

    def test_a_living_spool_stays_however_empty(self, db: None, root: Path, writer: SpoolWriter) -> None:
        forwarder = Forwarder(root, direct)
        for _ in range(5):
            forwarder.step(eager=True)

        assert (root / "one").exists()

    def test_what_a_dead_process_may_not_have_settled_is_handed_over(self, db: None, root: Path) -> None:
        now = int(time.time())
        writer = SpoolWriter(root, "one")
        append(writer, 2, created_at=now - 3600)
        late = append(writer, 2, created_at=now)
        settled: list[UsageEventRecord] = []
        forwarder = Forwarder(root, direct, on_takeover=settled.extend)
        pump(forwarder, stored_up_to(writer))  # stored before anybody knows of the death
        assert settled == []
        writer.close()

        pump(forwarder, lambda: not (root / "one").exists())

        assert settled == late

    def test_all_that_is_not_stored_is_handed_over(self, db: None, root: Path) -> None:
        writer = SpoolWriter(root, "one")
        records = append(writer, 3, created_at=1_700_000_000)
        writer.close()
        settled: list[UsageEventRecord] = []

        pump(Forwarder(root, direct, on_takeover=settled.extend), lambda: not (root / "one").exists())

        assert settled == records

    def test_counters_that_are_down_keep_the_spool_but_not_its_events(self, db: None, root: Path) -> None:
        writer = SpoolWriter(root, "one")
        records = append(writer, 3)
        writer.close()
        down = [True, True]

        def settle(_: Sequence[UsageEventRecord]) -> None:
            if down:
                down.pop()
                raise ConnectionError("no counters")

        forwarder = Forwarder(root, direct, on_takeover=settle)
        pump(forwarder, lambda: stored_once(records))
        assert (root / "one").exists()

        pump(forwarder, lambda: not (root / "one").exists())
        assert not down


class TestRunning:
    def test_one_works_and_the_other_stands_by(self, transactional_db: None, root: Path, writer: SpoolWriter) -> None:
        first, second = Forwarder(root, direct), Forwarder(root, direct)
        with running(first):
            wait_for(lambda: first.stats.active)
            with running(second):
                records = append(writer, 5)
                wait_for(lambda: stored_once(records))
                assert (first.stats.active, second.stats.active) == (True, False)

    def test_the_second_takes_over_when_the_first_ends(self, transactional_db: None, root: Path) -> None:
        first, second = Forwarder(root, direct), Forwarder(root, direct)
        with running(first):
            wait_for(lambda: first.stats.active)
            stop = threading.Event()
            thread = threading.Thread(target=second.run, args=(stop,))
            thread.start()
        wait_for(lambda: second.stats.active)
        stop.set()
        thread.join(PATIENCE_S)

    def test_it_forwards_what_is_left_when_told_to_stop(
        self, transactional_db: None, root: Path, writer: SpoolWriter
    ) -> None:
        forwarder = Forwarder(root, direct)
        with running(forwarder, drain_s=PATIENCE_S):
            wait_for(lambda: forwarder.stats.active)
            records = append(writer, 1500)

        assert stored_once(records)
