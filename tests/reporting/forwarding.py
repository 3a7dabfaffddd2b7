"""What the tests of the forwarder share: filling a spool, letting it work, and what must hold afterwards."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from reporting.forwarder import Forwarder
from reporting.models import KeySpend, SpoolCursor, UsageEvent
from reporting.records import UsageEventRecord
from reporting.services import Batch, store_batch
from reporting.spool import SpoolWriter
from tests.reporting.builders import a_record, payload_of

PATIENCE_S = 120


def append(writer: SpoolWriter, count: int, **changes: Any) -> list[UsageEventRecord]:
    records = [a_record(**changes) for _ in range(count)]
    for record in records:
        writer.append(payload_of(record))
    return records


def direct(batch: Batch, payloads: Sequence[bytes]) -> None:
    """A broker and worker that do their work at once."""
    store_batch(batch=batch, payloads=payloads)


def pump(forwarder: Forwarder, done: Callable[[], bool]) -> None:
    """Step until it is done."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, forwarder.stats
        forwarder.step(eager=True)
        time.sleep(0.01)


def stored_once(records: Sequence[UsageEventRecord]) -> bool:
    """Every record is one event, and the ledger agrees."""
    ids = sorted(str(id_) for id_ in UsageEvent.objects.values_list("id", flat=True))
    spent = sum(KeySpend.objects.filter(unit="total").values_list("cost_nano", flat=True))
    return ids == sorted(record.id for record in records) and spent == sum(record.cost_nano for record in records)


def stored_up_to(writer: SpoolWriter) -> Callable[[], bool]:
    return SpoolCursor.objects.filter(position=writer.position).exists


@contextmanager
def running(forwarder: Forwarder, **options: Any) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=forwarder.run, args=(stop,), kwargs=options)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(PATIENCE_S)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
