"""Spool to database over real brokers, workers and kill -9."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import redis
from celery import Celery, _state
from celery.contrib.testing.worker import start_worker
from django.db import connection, transaction

from gateway_project.celery import app
from reporting.forwarder import Forwarder
from reporting.models import RejectedRecord, SpoolCursor, UsageEvent
from reporting.spool import SpoolWriter, end_of
from reporting.tasks import send_batch
from tests.reporting.forwarding import append, direct, pump, running, stored_once, wait_for

pytestmark = pytest.mark.usefixtures("impatience")
ROOT = Path(__file__).parents[2]


WRITER = """
import sys
from pathlib import Path
from reporting.spool import SpoolWriter
from tests.reporting.builders import a_record, payload_of
writer = SpoolWriter(Path(sys.argv[1]), sys.argv[2], segment_bytes=50_000)
while True:
    record = a_record()
    writer.append(payload_of(record))
    print(record.id, flush=True)
"""


def test_what_a_killed_writer_had_confirmed_is_in_the_books(db: None, root: Path) -> None:
    """A client saw an answer end only after its record was appended: each must be there, and once."""
    confirmed: list[str] = []
    for number in range(3):
        command = [sys.executable, "-c", WRITER, str(root), f"victim-{number}"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
            assert victim.stdout is not None
            confirmed += [victim.stdout.readline().strip() for _ in range(200 + number)]
            victim.send_signal(signal.SIGKILL)
            confirmed += [line.strip() for line in victim.stdout if line.endswith("\n")]

    pump(Forwarder(root, direct), lambda: not list(root.glob("victim-*")))

    stored = [str(id_) for id_ in UsageEvent.objects.values_list("id", flat=True)]
    assert set(confirmed) <= set(stored)
    assert len(stored) == len(set(stored)) <= len(confirmed) + 3


@contextmanager
def broker(url: str, **options: Any) -> Iterator[Celery]:
    """The gateway's Celery application on another broker, for every thread."""
    other = Celery("test", set_as_current=False)
    other.config_from_object("django.conf:settings", namespace="CELERY")
    other.conf.update(broker_url=url, broker_transport_options=options)
    other.set_default()
    with app_of_no_thread():
        yield other
    app.set_default()
    other.close()


@contextmanager
def app_of_no_thread() -> Iterator[None]:
    """Tasks look for this thread's application before the default one."""
    thread = _state._tls  # type: ignore[attr-defined]
    before, thread.current_app = thread.current_app, None
    yield
    thread.current_app = before


class TestInOneProcess:
    def test_a_worker_thread_stores_what_the_forwarder_sends(
        self, database: str, root: Path, writer: SpoolWriter
    ) -> None:
        records = append(writer, 1200)
        writer.append(b"\xff poison \x00")
        forwarder = Forwarder(root, send_batch)
        with (
            broker("memory://", polling_interval=0.02) as embedded,
            start_worker(embedded, pool="threads", concurrency=2, perform_ping_check=False),
            running(forwarder),
        ):
            wait_for(lambda: stored_once(records))
            wait_for(lambda: RejectedRecord.objects.count() == 1)
        assert forwarder.stats.resends == 0
        assert RejectedRecord.objects.get().payload == "\\xff poison \\x00"


class TestOverRedis:
    @pytest.fixture
    def redis_app(self, redis_url: str) -> Iterator[Celery]:
        with broker(redis_url, global_keyprefix="gatehouse:") as redis_app:
            yield redis_app

    @pytest.fixture
    def workers(self, redis_url: str, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
        """Starts real worker processes on the test's own database and broker."""
        processes: list[subprocess.Popen[bytes]] = []
        environment = {
            **os.environ,
            "DATABASE_URL": database_address(),
            "CELERY_BROKER_URL": redis_url,
            "GATEWAY_VAR_DIR": str(tmp_path / "var"),
        }
        command = [sys.executable, "-m", "celery", "-A", "gateway_project", "worker", "-P", "threads", "-c", "2"]
        command += ["--without-mingle", "--without-gossip", "--without-heartbeat"]

        def start() -> subprocess.Popen[bytes]:
            with (tmp_path / "worker.log").open("ab") as log:
                process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
            processes.append(process)
            return process

        yield start
        for process in processes:
            process.kill()
            process.wait()

    def test_a_worker_killed_in_the_middle_of_a_batch_costs_nothing(
        self, transactional_db: None, redis_app: Celery, workers: Any, root: Path, writer: SpoolWriter
    ) -> None:
        records = append(writer, 300)
        forwarder = Forwarder(root, send_batch, resend_s=1)
        with running(forwarder):
            with transaction.atomic(), connection.cursor() as cursor:
                # The worker has inserted its events when it comes to the ledger, where it must wait.
                cursor.execute("LOCK TABLE reporting_keyspend IN EXCLUSIVE MODE")
                victim = workers()
                wait_for(lambda: waits_for_a_lock("INSERT INTO reporting_keyspend"))
                victim.send_signal(signal.SIGKILL)
                victim.wait()
            workers()
            wait_for(lambda: stored_once(records))
        assert SpoolCursor.objects.get().position == end_of(root / "one")

    def test_a_broker_that_forgets_everything_costs_nothing(
        self, transactional_db: None, redis_app: Celery, workers: Any, root: Path, writer: SpoolWriter
    ) -> None:
        records = append(writer, 300)
        forwarder = Forwarder(root, send_batch, resend_s=0.5)
        with running(forwarder), redis.Redis.from_url(redis_app.conf.broker_url) as server:
            wait_for(lambda: server.dbsize() > 0)
            server.flushdb()
            workers()
            wait_for(lambda: stored_once(records))
        assert forwarder.stats.resends


def waits_for_a_lock(statement: str) -> bool:
    """Asked over a connection of its own: within a transaction PostgreSQL shows the same activity for ever."""
    with psycopg.connect(database_address()) as other:
        waiting = other.execute(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s", [f"{statement}%"]
        )
        return waiting.fetchone() is not None


def database_address() -> str:
    told = connection.settings_dict
    return f"postgresql://{told['USER']}:{quote(told['PASSWORD'])}@{told['HOST']}:{told['PORT']}/{told['NAME']}"
