"""Months of UsageEvent on a real PostgreSQL."""

import threading
from collections.abc import Iterator

import pytest
import time_machine
from django.db import IntegrityError, OperationalError, connection, connections, transaction

from gateway_project.shared.windows import month_start
from reporting import partitions
from reporting.models import UsageEvent
from reporting.services import Batch, store_batch
from tests.reporting.builders import AT, a_record, payload_of

YEAR = 2031
JANUARY, FEBRUARY, MARCH = (month_start(YEAR, month) for month in (1, 2, 3))


@pytest.fixture
def no_months(transactional_db: None) -> Iterator[None]:
    """No partition at all."""
    partitions.drop_before(2**40)
    yield
    partitions.drop_before(2**40)


def names() -> list[str]:
    return [name.removeprefix("reporting_usageevent_") for name, _ in partitions.partitions()]


def store(*times: int, spool: str = "spool") -> None:
    payloads = [payload_of(a_record(created_at=at)) for at in times]
    assert store_batch(batch=Batch(spool, 0, 1), payloads=payloads)


def test_the_table_has_the_columns_of_the_model(db: None) -> None:
    with connection.cursor() as cursor:
        table = connection.introspection.get_table_description(cursor, "reporting_usageevent")
        keys = connection.introspection.get_primary_key_columns(cursor, "reporting_usageevent")
        indexes = connection.introspection.get_constraints(cursor, "reporting_usageevent")
    columns = [(field.column, field.null) for field in UsageEvent._meta.concrete_fields]
    assert [(column.name, column.null_ok) for column in table] == columns
    assert keys == ["id", "created_at"]
    assert {index.name for index in UsageEvent._meta.indexes} <= set(indexes)


def test_the_columns_have_the_types_django_would_give_them(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = 'reporting_usageevent'::regclass AND attnum > 0"
        )
        types = dict(cursor.fetchall())
    assert types == {field.column: field.db_type(connection) for field in UsageEvent._meta.concrete_fields}


def test_a_batch_makes_the_months_it_needs(no_months: None) -> None:
    store(JANUARY, FEBRUARY - 1, FEBRUARY)

    assert names() == ["y2031m01", "y2031m02"]
    assert UsageEvent.objects.count() == 3


def test_every_second_has_its_month(no_months: None) -> None:
    store(JANUARY, FEBRUARY - 1, FEBRUARY, MARCH - 1)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text, min(created_at), max(created_at)"
            " FROM reporting_usageevent GROUP BY 1 ORDER BY 1"
        )
        rows = cursor.fetchall()
    assert rows == [
        ("reporting_usageevent_y2031m01", JANUARY, FEBRUARY - 1),
        ("reporting_usageevent_y2031m02", FEBRUARY, MARCH - 1),
    ]


def test_there_is_no_place_for_an_event_without_its_month(no_months: None) -> None:
    record = a_record(created_at=JANUARY)
    with pytest.raises(IntegrityError, match="no partition"), transaction.atomic():
        UsageEvent.objects.create(
            id=record.id, key_id=record.key_id, created_at=JANUARY, status=200, method="", path="", ending=""
        )


def test_three_months_are_kept_ahead(no_months: None) -> None:
    with time_machine.travel(month_start(YEAR, 11) + 5, tick=False):
        made = partitions.ensure_months_ahead()
        again = partitions.ensure_months_ahead()

    assert (len(made), again) == (4, [])
    assert names() == ["y2031m11", "y2031m12", "y2032m01", "y2032m02"]


def test_several_workers_may_make_the_same_month_at_once(no_months: None) -> None:
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        start.wait()
        try:
            store(JANUARY, FEBRUARY, spool=f"spool-{number}")
        except (OperationalError, IntegrityError) as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    assert (names(), UsageEvent.objects.count()) == (["y2031m01", "y2031m02"], 8)


def test_retention_drops_only_months_that_have_ended(no_months: None) -> None:
    store(JANUARY, FEBRUARY, MARCH)

    assert partitions.drop_before(MARCH - 1) == ["reporting_usageevent_y2031m01"]
    assert partitions.drop_before(MARCH) == ["reporting_usageevent_y2031m02"]
    assert [event.created_at for event in UsageEvent.objects.all()] == [MARCH]


def test_retention_gives_up_soon_when_a_report_reads_the_table(no_months: None) -> None:
    store(JANUARY)
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        with transaction.atomic():
            UsageEvent.objects.count()
            reading.set()
            done.wait(10)
        connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait(10)
    with pytest.raises(OperationalError, match="lock timeout"):
        partitions.drop_before(MARCH)
    done.set()
    reader.join()

    assert names() == ["y2031m01"]


def test_an_event_is_found_in_few_months(no_months: None) -> None:
    store(JANUARY, FEBRUARY, MARCH)

    plan = UsageEvent.objects.filter(created_at__gte=JANUARY, created_at__lt=FEBRUARY).explain()

    assert "y2031m01" in plan
    assert "y2031m02" not in plan


def test_the_indexes_serve_the_searches(no_months: None) -> None:
    store(JANUARY)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        by_custom_id = UsageEvent.objects.filter(custom_id__in=["a"]).explain()
        by_user_id = UsageEvent.objects.filter(user_id__in=["a", "b"]).explain()
    assert "custom_id_created_at_idx" in by_custom_id
    assert "user_id_created_at_idx" in by_user_id


def test_nothing_is_partitioned_on_sqlite(sqlite: None) -> None:
    assert partitions.ensure_months([AT]) == []
