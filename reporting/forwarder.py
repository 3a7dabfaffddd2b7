"""Carries spool records to the database: files in, Celery batches out, the database's cursor as the only receipt.

One forwarder works per machine; others stand by. The broker may lose, delay or repeat batches as it likes: what the
cursor does not confirm is sent again, and what it has is not stored twice.
"""

import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from gateway_project.shared import clock
from reporting import queries, services, spool
from reporting.aggregation import BadRecord, read_record
from reporting.records import UsageEventRecord

log = logging.getLogger(__name__)

BATCH_RECORDS = 500
BATCH_BYTES = 1_000_000
TICK_S = 0.05
BATCH_S = 0.2
RESEND_S = 5.0
RESEND_MOST_S = 15.0
OWNER_LOOK_S = 1.0
STANDBY_S = 1.0
REJECTED_LOOK_S = 60.0
# A process dies between appending a record and settling it; the record may be stored before anybody notices.
UNSETTLED_S = 60

Send = Callable[[services.Batch, Sequence[bytes]], None]
Settle = Callable[[Sequence[UsageEventRecord]], None]


@dataclass(slots=True)
class ForwarderStats:
    """Counts since the start, and the present state. oldest_at: unix second of the oldest record that is not
    confirmed (None: all are); rejected: rows of RejectedRecord."""

    active: bool = False
    spools: int = 0
    depth_bytes: int = 0
    oldest_at: int | None = None
    batches: int = 0
    records: int = 0
    resends: int = 0
    torn: int = 0
    lost_bytes: int = 0
    taken_over: int = 0
    rejected: int = 0
    broker_errors: int = 0


@dataclass(slots=True)
class _Flight:
    """A batch on its way."""

    batch: services.Batch
    payloads: list[bytes]
    patience_s: float
    resend_at: float = 0.0


@dataclass(slots=True)
class _Lane:
    """One spool. position: what the database confirmed, None before it was asked."""

    directory: Path
    position: int | None = None
    flight: _Flight | None = None
    waiting_since: float | None = None
    oldest_at: int | None = None
    owner_look_at: float = 0.0
    owned: bool = True
    settled: bool = False

    @property
    def name(self) -> str:
        return self.directory.name


class Forwarder:
    """Use it from one thread; `stats` may be read from any.

    send: hands a batch to the workers; whatever it raises is logged and the batch sent again later.
    on_takeover: is given the records of a dead process that may not be settled in the counters, some of them
    already settled; tried again until it does not raise.
    """

    def __init__(
        self, root: Path, send: Send, *, on_takeover: Settle | None = None, resend_s: float = RESEND_S
    ) -> None:
        self.stats = ForwarderStats()
        self._root = root
        self._send_batch = send
        self._on_takeover = on_takeover
        self._resend_s = resend_s
        self._host = socket.gethostname()
        self._lanes: dict[str, _Lane] = {}
        self._troubles: set[str] = set()
        self._rejected_look_at = 0.0

    def run(self, stop: threading.Event, *, drain_s: float = 0.0) -> None:
        """Work, or stand by while another forwarder of this machine works, until `stop`; then spend up to
        drain_s on forwarding what is left."""
        try:
            with self._turn(stop) as got:
                if not got:
                    return
                self.stats.active = True
                while not stop.is_set():
                    self._step_safely()
                    stop.wait(TICK_S)
                if drain_s and not self.drain(drain_s):
                    log.warning("the spools hold events that the next start will forward")
        finally:
            self.stats.active = False
            connections.close_all()

    def drain(self, timeout_s: float) -> bool:
        """Forward everything that is in the spools now, without waiting for full batches. False: no time left."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._step_safely(eager=True)
            if self._drained():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(TICK_S)

    def step(self, *, eager: bool = False) -> None:
        """One round over the spools. eager: send what there is, however little."""
        self._discover()
        if self._confirm():
            for lane in list(self._lanes.values()):
                self._advance(lane, eager=eager)
        self._measure()

    def _step_safely(self, *, eager: bool = False) -> None:
        try:
            self.step(eager=eager)
        except Exception:
            # Nothing may end the forwarder: without it no event reaches the database until somebody notices.
            log.exception("the forwarder stumbled and goes on")

    @contextmanager
    def _turn(self, stop: threading.Event) -> Iterator[bool]:
        """Whether the machine's forwarder lock was had before `stop`."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self._root / "forwarder.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not stop.is_set():
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    stop.wait(STANDBY_S)
                else:
                    yield True
                    return
            yield False
        finally:
            os.close(fd)

    def _discover(self) -> None:
        found = {directory.name: directory for directory in spool.list_spools(self._root)}
        for name in self._lanes.keys() - found.keys():
            del self._lanes[name]
        for name in found.keys() - self._lanes.keys():
            self._lanes[name] = _Lane(found[name])

    def _confirm(self) -> bool:
        """Read the cursors of the spools that wait for one. False: the database does not answer."""
        waiting = [lane for lane in self._lanes.values() if lane.position is None or lane.flight]
        if not waiting:
            return True
        try:
            positions = queries.spool_positions([lane.name for lane in waiting])
        except (DatabaseError, InterfaceError) as error:
            self._trouble("database", f"the forwarder cannot read its cursors: {error}")
            close_old_connections()
            return False
        self._well("database")
        for lane in waiting:
            self._confirmed(lane, positions.get(lane.name, 0))
        return True

    def _confirmed(self, lane: _Lane, position: int) -> None:
        if lane.flight and lane.flight.batch.start == position:
            return
        lane.position, lane.flight, lane.waiting_since, lane.oldest_at = position, None, None, None
        if position > spool.end_of(lane.directory):
            self._trouble(lane.name, f"spool {lane.name} ends before its cursor {position}: was its name used before?")
        with spool.removal(self._root) as allowed:
            if allowed:
                spool.remove_covered(lane.directory, position)

    def _advance(self, lane: _Lane, *, eager: bool) -> None:
        now = time.monotonic()
        if lane.position is None:
            return
        if now >= lane.owner_look_at:
            lane.owner_look_at = now + OWNER_LOOK_S
            self._look_at_owner(lane)
        if lane.flight:
            if now >= lane.flight.resend_at:
                self.stats.resends += 1
                self._send(lane.flight)
            return
        pending = spool.end_of(lane.directory) - lane.position
        if pending <= 0:
            return
        if lane.waiting_since is None:
            lane.waiting_since = now
        if eager or pending >= BATCH_BYTES // 4 or now - lane.waiting_since >= BATCH_S:
            self._start(lane, lane.position)

    def _start(self, lane: _Lane, position: int) -> None:
        """Read and send the next batch, if there is a whole record."""
        read = spool.read_records(lane.directory, position, BATCH_RECORDS, BATCH_BYTES)
        if read.end == position:
            return
        if read.torn or read.gap:
            self.stats.torn += read.torn
            self.stats.lost_bytes += read.gap
            log.error(
                "spool %s: %d damaged stretches between %d and %d were skipped, %d bytes are missing",
                lane.name, read.torn, position, read.end, read.gap,
            )  # fmt: skip
        batch = services.Batch(lane.name, position, read.end, self._host)
        lane.flight = _Flight(batch, read.records, self._resend_s)
        lane.oldest_at = _created_at(read.records)
        self.stats.batches += 1
        self.stats.records += len(read.records)
        self._send(lane.flight)

    def _send(self, flight: _Flight) -> None:
        flight.resend_at = time.monotonic() + flight.patience_s
        flight.patience_s = min(flight.patience_s * 2, max(RESEND_MOST_S, self._resend_s))
        try:
            self._send_batch(flight.batch, flight.payloads)
        except Exception as error:  # noqa: BLE001  (brokers fail in many ways; each means: try again later)
            self.stats.broker_errors += 1
            flight.patience_s = self._resend_s
            self._trouble("broker", f"the broker does not take batches: {error!r}")
        else:
            self._well("broker")

    def _look_at_owner(self, lane: _Lane) -> None:
        lane.owned = lane.owned and spool.is_owned(lane.directory)
        if lane.owned:
            return
        if not lane.settled:
            lane.settled = self._take_over(lane)
        if lane.settled and not lane.flight and spool.end_of(lane.directory) <= (lane.position or 0):
            self._remove(lane)

    def _take_over(self, lane: _Lane) -> bool:
        if self._on_takeover is None:
            return True
        try:
            for records in _maybe_unsettled(lane):
                self._on_takeover(records)
        except Exception as error:  # noqa: BLE001  (the spool stays until the counters have had its records)
            self._trouble("takeover", f"spool {lane.name} of a dead process cannot be settled yet: {error!r}")
            return False
        self._well("takeover")
        self.stats.taken_over += 1
        return True

    def _remove(self, lane: _Lane) -> None:
        with spool.removal(self._root) as allowed:
            removed = allowed and spool.remove_dead(lane.directory, lane.position or 0)
        if removed:
            services.close_spool(spool=lane.name)
            self._lanes.pop(lane.name, None)

    def _drained(self) -> bool:
        return all(
            lane.position is not None and lane.flight is None and spool.end_of(lane.directory) <= lane.position
            for lane in self._lanes.values()
        )

    def _measure(self) -> None:
        lanes = list(self._lanes.values())
        confirmed = {lane.name: lane.position or 0 for lane in lanes}
        self.stats.spools = len(lanes)
        self.stats.depth_bytes = spool.spool_status(self._root, confirmed).depth_bytes
        self.stats.oldest_at = min((lane.oldest_at for lane in lanes if lane.oldest_at is not None), default=None)
        now = time.monotonic()
        if now >= self._rejected_look_at and "database" not in self._troubles:
            self._rejected_look_at = now + REJECTED_LOOK_S
            self.stats.rejected = queries.rejected_count()

    def _trouble(self, subject: str, message: str) -> None:
        """Log a lasting trouble once, until it is over."""
        if subject not in self._troubles:
            self._troubles.add(subject)
            log.error("%s", message)

    def _well(self, subject: str) -> None:
        if subject in self._troubles:
            self._troubles.discard(subject)
            log.info("the forwarder's trouble with the %s is over", subject)


def _created_at(payloads: Sequence[bytes]) -> int:
    try:
        return read_record(payloads[0]).created_at
    except (BadRecord, IndexError):
        return clock.now()


def _maybe_unsettled(lane: _Lane) -> Iterator[list[UsageEventRecord]]:
    """What is not confirmed, and what was written shortly before the end."""
    segments = spool.segments_of(lane.directory)
    if not segments:
        return
    since = int(segments[-1].path.stat().st_mtime) - UNSETTLED_S
    at, confirmed = segments[0].base, lane.position or 0
    while (read := spool.read_records(lane.directory, at, BATCH_RECORDS, BATCH_BYTES)).end > at:
        records = list(_readable(read.records))
        at = read.end
        yield records if at > confirmed else [record for record in records if record.created_at >= since]


def _readable(payloads: Sequence[bytes]) -> Iterator[UsageEventRecord]:
    for payload in payloads:
        try:
            yield read_record(payload)
        except BadRecord:
            continue  # storing it reports it
