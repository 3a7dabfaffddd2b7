"""Tasks and their schedule: thin, repeatable, and named as beat names them."""

import logging
from uuid import uuid4

import pytest
import time_machine
from pytest_django import Settings

from gateway_project.celery import app
from gateway_project.changes import record_change
from gateway_project.models import KeyChange
from gateway_project.shared import clock
from reporting import partitions, tasks
from reporting.models import DailyUsage, HourlyUsage, KeySpend, RejectedRecord, UsageEvent
from tests.reporting.builders import a_record, payload_of
from tests.rest_resource import stopped_database

DAY_S = 86_400


def store(*payloads: bytes) -> None:
    texts = [payload.decode("utf-8", "surrogateescape") for payload in payloads]
    tasks.store_events(str(uuid4()), 0, 1, texts)


def test_beat_starts_only_tasks_that_exist() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_a_batch_is_stored_as_it_was_written(db: None) -> None:
    record = a_record(request_body="ä \ud7ff €")

    store(payload_of(record), b"\xff\xfe\xed\xa0\x80")

    assert UsageEvent.objects.get().request_body == "ä \ud7ff €"
    assert RejectedRecord.objects.get().payload == "\\xff\\xfe\\xed\\xa0\\x80"


def test_a_database_that_is_down_is_one_line_in_the_log(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    # A Celery worker that another test has run in this process may have raised the root logger's level.
    caplog.set_level(logging.WARNING, logger="reporting.tasks")
    with stopped_database():
        store(payload_of(a_record()))

    assert [record.levelno for record in caplog.records if record.name == "reporting.tasks"] == [logging.WARNING]
    assert UsageEvent.objects.count() == 0


def test_partitions_are_made_ahead(db: None) -> None:
    tasks.make_partitions()
    months = [month.start_at for _, month in partitions.partitions()]

    assert sum(start > clock.now() for start in months) >= partitions.MONTHS_AHEAD


def test_days_are_rolled_up(db: None) -> None:
    store(payload_of(a_record()))
    tasks.roll_up_days()

    assert DailyUsage.objects.get().requests == 1


def test_retention_keeps_the_days(transactional_db: None, settings: Settings) -> None:
    settings.EVENT_RETENTION_DAYS = 60
    store(payload_of(a_record(created_at=clock.now() - 100 * DAY_S)), payload_of(a_record(created_at=clock.now())))

    tasks.drop_old_events()

    assert (UsageEvent.objects.count(), HourlyUsage.objects.count(), DailyUsage.objects.count()) == (1, 1, 2)


def test_pruning_takes_ended_windows_and_the_old_journal(db: None) -> None:
    with time_machine.travel(clock.now() - 3 * DAY_S, tick=False):
        record_change(digests=["old"])
    record_change(digests=["new"])
    KeySpend.objects.create(key_id=uuid4(), unit="m", start_at=clock.now() - 3 * DAY_S)

    tasks.prune()

    assert (KeySpend.objects.count(), [change.digest for change in KeyChange.objects.all()]) == (0, ["new"])
