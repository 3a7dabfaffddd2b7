"""Starts the children, restarts what crashes, stops them in order."""

import itertools
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import structlog

from gateway_project.supervisor.children import Child, ChildSpec

log = structlog.get_logger("gateway_project.supervisor")

_POLL_S = 1.0
# On top of the grace that streams get, for settling, flushing and closing.
_EXTRA_GRACE_S = 15.0


class Supervisor:
    """on_ready is called once, when every child has said it is ready."""

    def __init__(self, specs: Sequence[ChildSpec], *, stop_grace_s: float, on_ready: Callable[[], None]) -> None:
        self._children = [Child(spec) for spec in specs]
        self._stop_grace_s = stop_grace_s
        self._on_ready = on_ready
        self._stopping = False
        self._wakeup, self._waker = socket.socketpair()

    def run(self) -> int:
        """Until SIGTERM or SIGINT. The exit code: 1 when a child failed before all were ready, else 0."""
        with self._signals():
            for child in self._children:
                child.start()
            failed = self._until_ready()
            if not failed and not self._stopping:
                self._on_ready()
                self._keep_alive()
            self._stop_all()
        return 1 if failed else 0

    def _until_ready(self) -> bool:
        """True when a child ended instead of becoming ready; it has said why."""
        while not self._stopping and not all(child.ready for child in self._children):
            self._wait(_POLL_S)
            for child in self._children:
                code = child.reap()
                if code is not None and not self._stopping:
                    log.error("a process ended while starting", process=child.spec.name, exit_code=code)
                    return True
        return False

    def _keep_alive(self) -> None:
        while not self._stopping:
            for child in self._children:
                self._revive(child)
            self._wait(self._next_restart_s())

    def _revive(self, child: Child) -> None:
        code = child.reap()
        if code is not None:
            pause_s = round(child.restart_at - time.monotonic(), 1)
            log.error("a process ended; it is restarted", process=child.spec.name, exit_code=code, pause_s=pause_s)
        if child.pid == 0 and time.monotonic() >= child.restart_at:
            child.start()
            log.info("process restarted", process=child.spec.name, pid=child.pid)

    def _next_restart_s(self) -> float:
        waits = [child.restart_at - time.monotonic() for child in self._children if child.pid == 0]
        return max(0.0, min([_POLL_S, *waits]))

    def _stop_all(self) -> None:
        by_rank = sorted(self._children, key=lambda child: child.spec.stop_rank)
        for _, group in itertools.groupby(by_rank, key=lambda child: child.spec.stop_rank):
            self._stop(list(group))

    def _stop(self, children: list[Child]) -> None:
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + self._stop_grace_s + _EXTRA_GRACE_S
        while any(child.running for child in children) and time.monotonic() < deadline:
            self._wait(0.2)
        for child in children:
            if child.running:
                log.error("a process did not stop in time and is killed", process=child.spec.name)
                child.kill()

    def _wait(self, timeout_s: float) -> None:
        """Until a signal, a child that is ready or ended, or the timeout."""
        by_fd = {child.ready_fd: child for child in self._children if child.ready_fd >= 0}
        wakeup_fd = self._wakeup.fileno()
        readable, _, _ = select.select([wakeup_fd, *by_fd], [], [], timeout_s)
        for fd in readable:
            if fd == wakeup_fd:
                self._wakeup.recv(4096)
            else:
                by_fd[fd].read_ready()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        self._wakeup.setblocking(False)
        self._waker.setblocking(False)
        handlers = {signal.SIGTERM: self._note_stop, signal.SIGINT: self._note_stop, signal.SIGCHLD: _note_child}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        previous_fd = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous_fd)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note_stop(self, number: int, _frame: FrameType | None) -> None:
        if not self._stopping:
            self._stopping = True
            log.info("stopping", signal=signal.Signals(number).name)


def _note_child(_number: int, _frame: FrameType | None) -> None:
    """Only wakes the loop: without a handler the signal would not interrupt select."""
