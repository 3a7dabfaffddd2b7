"""Celery tasks: thin calls of services. Each may be lost, repeated or run twice at once without harm."""

import logging
from collections.abc import Sequence

from celery import shared_task
from django.conf import settings
from django.db import InterfaceError, OperationalError

from gateway_project.changes import prune_journal
from reporting import partitions, services

log = logging.getLogger(__name__)


def send_batch(batch: services.Batch, payloads: Sequence[bytes]) -> None:
    """Hand a batch to the workers. Raises what the broker raises."""
    # Surrogates carry bytes that are no UTF-8 through JSON, so that a damaged record can be kept as it is.
    texts = [payload.decode("utf-8", "surrogateescape") for payload in payloads]
    # No expiry: a worker whose clock is ahead would throw every batch away. Copies cost it one query each.
    store_events.apply_async(args=(batch.spool, batch.start, batch.end, texts, batch.host), compression="zlib")


@shared_task(name="reporting.store_events", acks_late=True, ignore_result=True)
def store_events(spool: str, start: int, end: int, payloads: list[str], host: str = "") -> None:
    """Store a batch. A database that is busy or gone is no failure: the forwarder sends the batch again."""
    batch = services.Batch(spool, start, end, host)
    try:
        services.store_batch(batch=batch, payloads=[text.encode("utf-8", "surrogateescape") for text in payloads])
    except (OperationalError, InterfaceError) as error:
        log.warning("spool %s: the batch from %d will be sent again: %s", spool, start, error)


@shared_task(name="reporting.roll_up_days", ignore_result=True)
def roll_up_days() -> None:
    services.roll_up_days()


@shared_task(name="reporting.make_partitions", ignore_result=True)
def make_partitions() -> None:
    """This month's partition and three more; the batch task makes one that is missing all the same."""
    for name in partitions.ensure_months_ahead():
        log.info("made the partition %s", name)


@shared_task(name="reporting.drop_old_events", ignore_result=True)
def drop_old_events() -> None:
    """Retention, by EVENT_RETENTION_DAYS; DailyUsage stays."""
    services.roll_up_days()
    services.drop_old_events(kept_days=settings.EVENT_RETENTION_DAYS)
    services.drop_old_hours(kept_days=settings.EVENT_RETENTION_DAYS)


@shared_task(name="reporting.prune", ignore_result=True)
def prune() -> None:
    """Ended windows, cursors of removed spools, the change journal."""
    services.prune_spend()
    services.prune_cursors()
    prune_journal()
