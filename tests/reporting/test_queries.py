"""Balances, spend and dashboards, on both databases."""

import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from gateway_project.shared.counters import CounterId
from gateway_project.shared.ids import new_event_id
from gateway_project.shared.windows import window_at
from reporting import queries, spool
from reporting.forwarder import Forwarder
from reporting.models import SpoolCursor
from reporting.queries import load_balance, spend_by_key
from reporting.records import Charge, UsageEventRecord
from reporting.services import Batch, store_batch
from reporting.spool import SpoolWriter
from tests.reporting.builders import AT, TOTAL, a_record, payload_of

KEY = "0d6b6c80-77b8-4c9a-8c33-8a6c0f6f3a11"
MINUTE = Charge("m", window_at("m", AT).start_at, 4)
SPENT = CounterId("cost", "total", 0, 0)
SPENT_NOW = CounterId("cost", MINUTE.unit, MINUTE.start_at, MINUTE.epoch)
ASKED_NOW = CounterId("requests", MINUTE.unit, MINUTE.start_at, MINUTE.epoch)
COUNTERS = (SPENT, SPENT_NOW, ASKED_NOW)


def mine(cost_nano: int = 1_000, **changes: object) -> UsageEventRecord:
    return a_record(key_id=KEY, charges=(TOTAL, MINUTE), cost_nano=cost_nano, **changes)


def spool_up(writer: SpoolWriter, *records: UsageEventRecord) -> int:
    for record in records:
        writer.append(payload_of(record))
    return writer.position


def store(*records: UsageEventRecord, spool_id: str = "other", start: int = 0, end: int = 1) -> None:
    assert store_batch(batch=Batch(spool_id, start, end), payloads=[payload_of(record) for record in records])


class TestBalance:
    def test_a_key_nobody_has_used_has_used_nothing(self, database: str, root: Path) -> None:
        balance = load_balance(KEY, COUNTERS, ["live"], root)

        assert (dict(balance.used), balance.settled) == (dict.fromkeys(COUNTERS, 0), frozenset())

    def test_it_is_the_ledger_and_what_the_spools_hold_beyond_it(
        self, database: str, root: Path, writer: SpoolWriter
    ) -> None:
        stored = [mine(1), mine(2)]
        position = spool_up(writer, *stored)
        store(*stored, spool_id="one", end=position)
        spool_up(writer, mine(4), a_record(cost_nano=100), mine(8))

        assert dict(load_balance(KEY, COUNTERS, [], root).used) == {SPENT: 15, SPENT_NOW: 15, ASKED_NOW: 4}

    def test_all_spools_of_the_machine_count(self, database: str, root: Path, writer: SpoolWriter) -> None:
        spool_up(writer, mine(1))
        second = SpoolWriter(root, "two")
        spool_up(second, mine(2))
        second.close()

        assert load_balance(KEY, (SPENT,), [], root).used[SPENT] == 3

    def test_other_windows_and_epochs_are_apart(self, database: str, root: Path, writer: SpoolWriter) -> None:
        store(mine(1))
        spool_up(writer, mine(2))
        before = CounterId("cost", "m", MINUTE.start_at - 60, MINUTE.epoch)
        reset = CounterId("cost", "m", MINUTE.start_at, MINUTE.epoch + 1)

        assert dict(load_balance(KEY, (before, reset), [], root).used) == {before: 0, reset: 0}

    def test_a_refused_request_counts_nowhere(self, database: str, root: Path, writer: SpoolWriter) -> None:
        spool_up(writer, a_record(key_id=KEY, charges=(), requests=0, cost_nano=0, ending="refused", status=429))

        assert set(load_balance(KEY, COUNTERS, [], root).used.values()) == {0}

    def test_it_says_which_live_reservations_it_holds(self, database: str, root: Path, writer: SpoolWriter) -> None:
        stored, spooled, running = mine(), mine(), new_event_id()
        store(stored)
        spool_up(writer, spooled)

        balance = load_balance(KEY, COUNTERS, [stored.id, spooled.id, running, "no uuid"], root)

        assert balance.settled == {stored.id, spooled.id}

    def test_a_thousand_live_reservations_are_no_trouble(self, database: str, root: Path) -> None:
        stored = mine()
        store(stored)

        assert load_balance(KEY, COUNTERS, [stored.id, *(new_event_id() for _ in range(1_500))], root).settled == {
            stored.id
        }

    def test_it_sees_one_moment_while_batches_are_stored(self, database: str, root: Path, writer: SpoolWriter) -> None:
        """Whatever is stored and deleted meanwhile, every record counts exactly once."""
        count, stop = 60, threading.Event()
        spool_up(writer, *(mine(1) for _ in range(count)))

        def store_slowly(batch: Batch, payloads: object) -> None:
            store_batch(batch=batch, payloads=payloads)  # type: ignore[arg-type]

        def forward() -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("reporting.forwarder.BATCH_RECORDS", 2)
                forwarder = Forwarder(root, store_slowly)
                while not stop.is_set():
                    forwarder.step(eager=True)
            connections.close_all()

        thread = threading.Thread(target=forward)
        thread.start()
        deadline = time.monotonic() + 30
        seen = set()
        while time.monotonic() < deadline and not _all_stored(writer):
            seen.add(load_balance(KEY, (SPENT,), [], root).used[SPENT])
        stop.set()
        thread.join()

        assert seen == {count}

    def test_it_takes_no_write_lock(self, database: str, root: Path) -> None:
        """Another writer in the middle of its transaction does not hold it up."""
        entered, leave = threading.Event(), threading.Event()

        def write() -> None:
            with transaction.atomic():
                SpoolCursor.objects.create(spool="held", updated_at=0)
                entered.set()
                leave.wait(20)
            connections.close_all()

        thread = threading.Thread(target=write)
        thread.start()
        entered.wait(20)
        began = time.monotonic()
        load_balance(KEY, COUNTERS, [], root)
        took_s = time.monotonic() - began
        leave.set()
        thread.join()

        assert took_s < 2

    def test_it_reads_on_postgresql_in_a_read_only_snapshot(self, transactional_db: None, root: Path) -> None:
        with CaptureQueriesContext(connection) as captured:
            load_balance(KEY, COUNTERS, [new_event_id()], root)

        statements = [query["sql"] for query in captured]
        assert any("REPEATABLE READ READ ONLY" in statement for statement in statements)
        assert len(statements) <= 6

    def test_no_segment_is_deleted_while_it_reads(self, database: str, root: Path, writer: SpoolWriter) -> None:
        with spool.segments_kept(root), spool.removal(root) as allowed:
            assert not allowed


def _all_stored(writer: SpoolWriter) -> bool:
    return queries.spool_positions(["one"]).get("one") == writer.position


class TestSpend:
    def test_it_is_everything_a_key_ever_cost(self, database: str) -> None:
        other = str(uuid4())
        store(mine(5), mine(6))

        assert spend_by_key([KEY, other, "no uuid"]) == {KEY: 11, other: 0, "no uuid": 0}

    def test_a_key_with_events_has_a_history(self, database: str) -> None:
        store(mine())

        assert queries.has_history(KEY)
        assert not queries.has_history(str(uuid4()))
        assert not queries.has_history("no uuid")

    def test_the_key_list_shows_it(self, database: str) -> None:
        from keys.queries import spend_nano

        store(mine(5))
        assert spend_nano([KEY]) == {KEY: 5}
