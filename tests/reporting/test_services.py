"""The books: each record once, sums that agree, on both databases."""

import random
import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.db import OperationalError, connection, connections, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway_project.shared import clock
from gateway_project.shared.windows import window_at
from reporting import services
from reporting.models import DailyUsage, HourlyUsage, KeySpend, RejectedRecord, SpoolCursor, UsageEvent
from reporting.records import AttemptRecord, Charge, UsageEventRecord
from reporting.services import Batch, close_spool, roll_up_days, store_batch
from tests.reporting.builders import AT, TOTAL, a_record, payload_of

DAY_S = 86_400


def store(start: int, end: int, records: Sequence[UsageEventRecord | bytes], *, spool: str = "spool") -> bool:
    payloads = [record if isinstance(record, bytes) else payload_of(record) for record in records]
    return store_batch(batch=Batch(spool, start, end, "here"), payloads=payloads)


def totals() -> dict[str, tuple[int, int]]:
    """(requests, nano-dollars) in each of the books."""
    return {
        "events": _summed(UsageEvent.objects, "requests"),
        "ledger": _summed(KeySpend.objects.filter(unit="total"), "requests"),
        "hours": _summed(HourlyUsage.objects, "admitted"),
        "days": _summed(DailyUsage.objects, "admitted"),
    }


def _summed(rows: Any, requests: str) -> tuple[int, int]:
    sums = rows.aggregate(requests=Sum(requests), cost=Sum("cost_nano"))
    return int(sums["requests"] or 0), int(sums["cost"] or 0)


class TestStoring:
    def test_a_record_becomes_an_event_with_every_field(self, database: str) -> None:
        record = a_record(
            metadata="note", user_id="u", request_body="{}", upstream_latency_ms=5, seconds=1.5, stream=True
        )

        assert store(0, 10, [record])

        event = UsageEvent.objects.get(pk=record.id)
        names = set(UsageEventRecord.__struct_fields__) - {"charges", "id", "key_id", "tags"}
        assert {name: getattr(event, name) for name in names} == {name: getattr(record, name) for name in names}
        assert (str(event.id), str(event.key_id), event.tags) == (record.id, record.key_id, ["team-a"])

    def test_what_a_route_tried_is_kept_beside_events_that_tried_nothing(self, database: str) -> None:
        tried = AttemptRecord("openai", "setting", "gpt-4o", status=503, duration_ms=7)
        routed, plain = a_record(attempt_details=(tried,)), a_record()

        assert store(0, 10, [routed, plain])

        kept = {str(event.pk): event.attempt_details for event in UsageEvent.objects.all()}
        told = {"provider": "openai", "setting_id": "setting", "model": "gpt-4o", "status": 503, "duration_ms": 7}
        assert kept == {routed.id: [told], plain.id: None}

    def test_the_sums_are_made_with_the_events(self, database: str) -> None:
        key, day = str(uuid4()), Charge("d", AT - AT % DAY_S, 3)
        records = [a_record(key_id=key, charges=(TOTAL, day), cost_nano=cost) for cost in (1, 2)]
        refused = a_record(key_id=key, charges=(), requests=0, cost_nano=0, status=429, ending="refused")

        store(0, 10, [*records, refused])

        spend = KeySpend.objects.filter(key_id=key).values_list("unit", "start_at", "epoch", "requests", "cost_nano")
        assert set(spend) == {("total", 0, 0, 2, 3), ("d", day.start_at, 3, 2, 3)}
        hours = HourlyUsage.objects.filter(key_id=key).values_list("status_class", "requests", "admitted", "refused")
        assert set(hours) == {("2xx", 2, 2, 0), ("4xx", 1, 0, 1)}

    def test_a_batch_that_comes_twice_is_stored_once(self, database: str) -> None:
        records = [a_record(), a_record()]

        assert [store(0, 10, records), store(0, 10, records)] == [True, False]
        assert totals()["events"] == totals()["ledger"] == totals()["hours"] == (2, 2000)

    def test_a_batch_that_does_not_begin_at_the_cursor_changes_nothing(self, database: str) -> None:
        store(0, 10, [a_record()])

        assert not store(5, 15, [a_record()])
        assert not store(20, 30, [a_record()])
        assert not store(20, 30, [a_record()], spool="unknown")
        assert (UsageEvent.objects.count(), SpoolCursor.objects.get().position) == (1, 10)

    def test_an_event_from_another_spool_counts_once(self, database: str) -> None:
        record, new = a_record(), a_record()
        store(0, 10, [record], spool="one")

        assert store(0, 20, [record, new, record], spool="two")
        assert totals()["events"] == totals()["ledger"] == totals()["hours"] == (2, 2000)

    def test_an_empty_batch_moves_the_cursor_over_damage(self, database: str) -> None:
        assert store(0, 10, [])
        assert SpoolCursor.objects.get().position == 10

    def test_more_records_than_one_statement_takes_are_stored(self, database: str) -> None:
        store(0, 10, [a_record(key_id=str(uuid4())) for _ in range(1_100)])

        assert totals()["events"] == totals()["ledger"] == totals()["hours"] == (1_100, 1_100_000)

    def test_a_closed_spool_takes_no_more_batches(self, database: str) -> None:
        store(0, 10, [a_record()])
        close_spool(spool="spool")

        assert not store(10, 20, [a_record()])
        assert not store(0, 10, [a_record()])

    def test_a_crash_before_the_commit_leaves_nothing_and_the_batch_can_be_sent_again(self, database: str) -> None:
        record = a_record()
        with transaction.atomic():
            store(0, 10, [record])
            transaction.set_rollback(True)
        assert UsageEvent.objects.count() == KeySpend.objects.count() == SpoolCursor.objects.count() == 0

        assert store(0, 10, [record])


class TestPoison:
    @pytest.mark.parametrize("payload", [b"{", b"\xff\xfe\x00", b"{}", payload_of(a_record(key_id="no uuid"))])
    def test_what_is_no_record_is_kept_and_stops_nothing(self, database: str, payload: bytes) -> None:
        assert store(0, 10, [a_record(), payload, a_record()])

        kept = RejectedRecord.objects.get()
        assert (kept.spool, kept.end, bool(kept.reason)) == ("spool", 10, True)
        assert kept.payload == payload.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        assert totals()["events"] == totals()["ledger"] == (2, 2000)

    def test_what_the_database_refuses_is_kept_and_stops_nothing(self, transactional_db: None) -> None:
        good = a_record()
        bad = a_record(charges=(TOTAL, Charge("no such unit", 0, 0)))  # too long for its column

        assert store(0, 10, [good, bad, b"{"])

        assert totals()["events"] == totals()["ledger"] == totals()["hours"] == (1, 1000)
        assert {record.payload.encode() for record in RejectedRecord.objects.all()} == {payload_of(bad), b"{"}

    def test_a_batch_with_poison_is_stored_once_too(self, transactional_db: None) -> None:
        bad = a_record(charges=(Charge("no such unit", 0, 0),))

        assert [store(0, 10, [bad, b"{"]), store(0, 10, [bad, b"{"])] == [True, False]
        assert RejectedRecord.objects.count() == 2

    def test_a_rejected_record_is_logged_loudly(self, db: None, caplog: pytest.LogCaptureFixture) -> None:
        store(0, 10, [b"{"])

        assert [record.levelname for record in caplog.records] == ["ERROR"]


class TestSeveralWorkers:
    def test_two_workers_on_two_spools_neither_deadlock_nor_lose(self, transactional_db: None) -> None:
        keys = [str(uuid4()) for _ in range(8)]
        units = [Charge(unit, window_at(unit, AT).start_at, 0) for unit in ("m", "h", "d")]
        shared = [a_record(key_id=key, charges=(TOTAL, *units)) for key in keys for _ in range(20)]
        failures: list[Exception] = []

        def work(spool: str) -> None:
            own = random.Random(spool)
            try:
                for number in range(15):
                    fresh = [a_record(key_id=own.choice(keys), charges=(TOTAL, *units)) for _ in range(20)]
                    batch = [*own.sample(shared, 40), *fresh]
                    own.shuffle(batch)
                    assert store(number, number + 1, batch, spool=spool)
            except (OperationalError, AssertionError) as error:
                failures.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=(f"spool-{number}",)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert not failures
        roll_up_days()
        books = totals()
        assert set(books.values()) == {books["events"]}
        assert books["events"][0] >= 3 * 15 * 20

    def test_the_same_batch_at_the_same_time_is_stored_once(self, transactional_db: None) -> None:
        records = [a_record() for _ in range(50)]
        results: list[bool] = []
        start = threading.Barrier(4)

        def work() -> None:
            start.wait()
            results.append(store(0, 10, records))
            connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(results) == [False, False, False, True]
        assert totals()["events"] == totals()["ledger"] == (50, 50_000)


# What may happen to a batch on its way: stored, sent twice, lost before the commit, or sent late once more.
FATES = st.lists(
    st.tuples(st.sampled_from(["stored", "twice", "crashed", "late"]), st.integers(1, 6), st.integers(0, 3)),
    min_size=1,
    max_size=8,
)


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fates=FATES, seed=st.integers(0, 2**32))
def test_events_ledger_and_roll_ups_always_agree(fates: list[tuple[str, int, int]], seed: int) -> None:
    with transaction.atomic():
        _live_through(fates, random.Random(seed))
        roll_up_days()
        books = totals()
        assert set(books.values()) == {books["events"]}
        assert books["events"][0] == UsageEvent.objects.filter(requests=1).count()
        transaction.set_rollback(True)


def _live_through(fates: list[tuple[str, int, int]], own: random.Random) -> None:
    keys = [str(uuid4()) for _ in range(3)]
    stored: list[UsageEventRecord] = []
    position = 0
    for fate, fresh, repeated in fates:
        records = [_random_record(own, keys) for _ in range(fresh)]
        records += own.sample(stored, min(repeated, len(stored)))
        end = position + fresh
        if fate == "crashed":
            with transaction.atomic():
                store(position, end, records)
                transaction.set_rollback(True)
        assert store(position, end, records)
        if fate == "twice":
            assert not store(position, end, records)
        if fate == "late":
            assert not store(max(0, position - 1), position, records)
        stored, position = [*stored, *records], end


def _random_record(own: random.Random, keys: list[str]) -> UsageEventRecord:
    at = AT + own.randrange(-3 * DAY_S, 3 * DAY_S)
    refused = own.random() < 0.3
    windows = [Charge(unit, window_at(unit, at).start_at, 0) for unit in own.sample(["m", "d", "mo"], 2)]
    return a_record(
        key_id=own.choice(keys),
        created_at=at,
        status=429 if refused else own.choice([200, 400, 500]),
        ending="refused" if refused else "completed",
        requests=0 if refused else 1,
        cost_nano=0 if refused else own.randrange(10**9),
        charges=() if refused else (TOTAL, *windows),
        request_model=own.choice(["a", "b"]),
    )


class TestDays:
    def test_days_are_the_sums_of_their_hours(self, database: str) -> None:
        day = AT - AT % DAY_S
        key = str(uuid4())
        times = [day, day + 3600, day + DAY_S - 1, day + DAY_S]
        store(0, 10, [a_record(key_id=key, created_at=at, latency_ms=40) for at in times])

        assert roll_up_days() == 2

        rows = DailyUsage.objects.order_by("day_at").values_list("day_at", "requests", "cost_nano", "latency_le_50")
        assert list(rows) == [(day, 3, 3000, 3), (day + DAY_S, 1, 1000, 1)]

    def test_a_day_is_summed_again_when_one_of_its_hours_grows(self, database: str) -> None:
        store(0, 10, [a_record()])
        roll_up_days()
        store(10, 20, [a_record()])
        roll_up_days()

        assert totals()["days"] == (2, 2000)

    def test_days_that_did_not_change_are_left_alone(self, db: None) -> None:
        with time_machine.travel(AT, tick=False):
            store(0, 10, [a_record()])
            roll_up_days()
        with time_machine.travel(AT + 5 * DAY_S, tick=False):
            store(10, 20, [a_record(created_at=AT + 5 * DAY_S)])
            roll_up_days()
            again = roll_up_days()

        assert again == 1


class TestPruning:
    @pytest.mark.parametrize(("unit", "kept_days"), [("s", 2), ("m", 2), ("h", 2), ("d", 40), ("mo", 400)])
    def test_windows_go_some_time_after_their_end(self, db: None, unit: str, kept_days: int) -> None:
        now = clock.now()
        for age in (kept_days - 1, kept_days + 1):
            KeySpend.objects.create(key_id=uuid4(), unit=unit, start_at=now - age * DAY_S)

        assert services.prune_spend() == 1
        assert KeySpend.objects.get().start_at == now - (kept_days - 1) * DAY_S

    def test_totals_never_go(self, db: None) -> None:
        KeySpend.objects.create(key_id=uuid4(), unit="total", start_at=0)

        assert services.prune_spend() == 0

    def test_cursors_go_a_week_after_their_spool(self, db: None) -> None:
        now = clock.now()
        for name, closed_at in (("open", None), ("fresh", now - DAY_S), ("old", now - 8 * DAY_S)):
            SpoolCursor.objects.create(spool=name, updated_at=0, closed_at=closed_at)

        assert services.prune_cursors() == 1
        assert set(SpoolCursor.objects.values_list("spool", flat=True)) == {"open", "fresh"}

    def test_retention_deletes_rows_in_steps_on_sqlite(self, sqlite: None) -> None:
        now = clock.now()
        old = [a_record(created_at=now - 20 * DAY_S) for _ in range(600)]
        store(0, 10, [*old, a_record(created_at=now)])

        assert services.drop_old_events(kept_days=10) == 600
        assert UsageEvent.objects.count() == 1
        assert totals()["ledger"] == (601, 601_000)

    def test_retention_drops_whole_months_on_postgresql(self, transactional_db: None) -> None:
        now = clock.now()
        store(0, 10, [a_record(created_at=now - 100 * DAY_S), a_record(created_at=now)])

        assert services.drop_old_events(kept_days=40) >= 1
        assert [event.created_at for event in UsageEvent.objects.all()] == [now]

    def test_hours_go_by_whole_days_and_the_days_stay(self, db: None) -> None:
        now = clock.now()
        store(0, 10, [a_record(created_at=now - 20 * DAY_S), a_record(created_at=now)])
        roll_up_days()

        assert services.drop_old_hours(kept_days=10) == 1
        assert totals()["days"] == (2, 2000)


def test_ids_are_stored_as_the_database_keeps_them(database: str) -> None:
    record = a_record()
    store(0, 10, [record])

    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM reporting_usageevent")
        ((stored,),) = cursor.fetchall()
    assert stored == (UUID(record.id) if database == "postgresql" else UUID(record.id).hex)
