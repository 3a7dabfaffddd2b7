"""A child process of the supervisor: one role, in a session of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

FAILED_TO_START = 78
READY_FD_VARIABLE = "GATEWAY_READY_FD"
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
# A child that ran this long has recovered: its next crash is the first again.
_RECOVERED_S = 60.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run. stop_rank: lower ones are stopped, and waited for, before higher ones."""

    name: str
    role: str
    stop_rank: int
    environment: Mapping[str, str]


class Child:
    """The running process of a spec, over all its restarts.

    The child gets no signal of the terminal (its session is its own) and leaves when the supervisor is gone: it
    reads its standard input, which ends then, however the supervisor died.
    """

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.ready = False
        self.ready_fd = -1
        self.restart_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause_s = _FIRST_PAUSE_S

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        read_fd, write_fd = os.pipe()
        self._forget_ready_fd()
        self.ready, self.ready_fd, self._started_at = False, read_fd, time.monotonic()
        try:
            self._process = subprocess.Popen(  # noqa: S603  (this interpreter, with a role of our own)
                [sys.executable, "-m", "gateway_project.supervisor.child", self.spec.role],
                env={**os.environ, **self.spec.environment, READY_FD_VARIABLE: str(write_fd)},
                stdin=subprocess.PIPE,
                pass_fds=(write_fd,),
                start_new_session=True,
            )
        finally:
            os.close(write_fd)

    def read_ready(self) -> None:
        """Call when ready_fd is readable: the child said it is ready, or ended."""
        self.ready = os.read(self.ready_fd, 16) != b""
        self._forget_ready_fd()

    def reap(self) -> int | None:
        """The exit code of a child that ended, once; negative for a signal. Plans the restart."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._close()
        now = time.monotonic()
        if now - self._started_at > _RECOVERED_S:
            self._pause_s = _FIRST_PAUSE_S
        self.restart_at = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        return code

    def ask_to_stop(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """It and what it started: the session's process group is its own."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
        self._forget_ready_fd()
        self.ready = False

    def _forget_ready_fd(self) -> None:
        if self.ready_fd >= 0:
            os.close(self.ready_fd)
            self.ready_fd = -1
