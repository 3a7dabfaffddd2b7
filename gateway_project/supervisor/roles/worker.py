"""The worker: Celery's worker, beat and the forwarder as threads of one process, on whatever broker."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from celery.beat import Scheduler, Service
from celery.worker import WorkController, state
from django.conf import settings

from gateway_project.servers.listening import Announce
from gateway_project.supervisor.roles.listener import set_up_django

log = structlog.get_logger("gateway_project.worker")

_TASKS_END_S = 10.0
_RESTART_PAUSE_S = 2.0
_BEAT_TICK_S = 1


def run(announce: Announce) -> None:
    """Until SIGTERM: then the forwarder empties the spools while Celery still works, then beat and Celery end."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    set_up_django("worker")
    # The supervisor ran the system checks; those of the pages need apps that this role leaves out.
    os.environ["CELERY_SKIP_CHECKS"] = "true"
    from gateway_project.celery import app  # noqa: PLC0415  (needs Django's apps)

    app.set_default()
    tasks_end = threading.Event()
    worker = _Thread("celery", partial(_run_celery, app, tasks_end), tasks_end)
    forwarder = _Thread("forwarder", partial(_run_forwarder, stop), stop)
    beat = _Thread("beat", partial(_run_beat, app, tasks_end), tasks_end)
    for thread in (worker, forwarder, beat):
        thread.start()
    announce()
    stop.wait()
    forwarder.join()
    tasks_end.set()
    worker.join(_TASKS_END_S)
    # Threads of the pool may hang in a task; the batch they work on is sent again by the next start. Beat keeps
    # nothing: what it would have started now is started by its successor.
    logging.shutdown()
    os._exit(0)


class _Thread(threading.Thread):
    """Runs `target` again when it fails or returns before `end` is set: no part of the worker may go missing."""

    def __init__(self, name: str, target: Callable[[], None], end: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._part = target
        self._end = end

    def run(self) -> None:
        while not self._end.is_set():
            try:
                self._part()
            except Exception:
                log.exception("a part of the worker failed; it starts again", part=self.name)
            if not self._end.wait(_RESTART_PAUSE_S):
                log.error("a part of the worker ended; it starts again", part=self.name)


def _run_celery(app: Any, end: threading.Event) -> None:
    state.should_stop = None
    worker = WorkController(
        app=app,
        pool="threads",
        concurrency=settings.CELERY_WORKER_CONCURRENCY,
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )
    threading.Thread(target=_stop_celery, args=(end,), name="celery-stop", daemon=True).start()
    worker.start()


def _stop_celery(end: threading.Event) -> None:
    """Celery's own way to ask for a warm shutdown from outside: its loop looks at this flag."""
    end.wait()
    setattr(state, "should_stop", os.EX_OK)  # noqa: B010  (its stubs say it is always None)


def _run_beat(app: Any, end: threading.Event) -> None:
    if not settings.WORKER_BEAT:
        end.wait()
        return
    service = Service(app, max_interval=_BEAT_TICK_S, scheduler_cls=Scheduler)
    threading.Thread(target=_stop_beat, args=(service, end), name="beat-stop", daemon=True).start()
    service.start()


def _stop_beat(service: Service, end: threading.Event) -> None:
    end.wait()
    service.stop()


def _run_forwarder(stop: threading.Event) -> None:
    from reporting.forwarder import Forwarder  # noqa: PLC0415  (needs Django's apps)

    # Counters in a proxy's own memory died with it; the next one reads the books.
    on_takeover = _settle_taken_over if settings.REDIS_URLS else None
    Forwarder(settings.SPOOL_DIR, _send(), on_takeover=on_takeover).run(stop, drain_s=settings.FORWARDER_DRAIN_S)


def _settle_taken_over(records: Sequence[Any]) -> None:
    from gateway_project.asgi import counters  # noqa: PLC0415  (needs Django's apps)
    from reporting.takeover import settle_records  # noqa: PLC0415

    async def settle() -> None:
        store = counters()
        try:
            await settle_records(store, records)
        finally:
            await store.close()

    asyncio.run(settle())


def _send() -> Callable[..., None]:
    from reporting.statsd import StatsdSender, reporting_to  # noqa: PLC0415  (needs Django's apps)
    from reporting.tasks import send_batch  # noqa: PLC0415

    if settings.STATS_PROVIDER != "datadog":
        return send_batch
    try:
        return reporting_to(StatsdSender(settings.STATS_ADDRESS), send_batch)
    except OSError as error:
        log.error("no figures are sent", stats_address=settings.STATS_ADDRESS, reason=str(error))
        return send_batch
