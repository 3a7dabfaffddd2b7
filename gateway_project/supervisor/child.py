"""What a child process runs: `python -m gateway_project.supervisor.child <role>`."""

import importlib
import os
import signal
import sys
import threading

from gateway_project.env import SettingError
from gateway_project.supervisor.children import FAILED_TO_START, READY_FD_VARIABLE

_ROLES = ("admin", "proxy", "worker", "demo")


def main(role: str) -> int:
    """Run a role until it is told to stop; the exit code."""
    # Only the supervisor decides when a child stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_the_supervisor, name="supervisor-watch", daemon=True).start()
    try:
        importlib.import_module(f"gateway_project.supervisor.roles.{role}").run(announce_ready)
    except SettingError as error:
        sys.stderr.write(f"gatehouse: {error}\n")
        return FAILED_TO_START
    return 0


def announce_ready() -> None:
    ready_fd = os.environ.pop(READY_FD_VARIABLE, "")
    if ready_fd:
        os.write(int(ready_fd), b"ready\n")
        os.close(int(ready_fd))


def _leave_with_the_supervisor() -> None:
    """Standard input is a pipe from the supervisor: it ends when the supervisor does, even by kill -9."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in _ROLES:
        sys.exit(f"usage: python -m gateway_project.supervisor.child {{{'|'.join(_ROLES)}}}")
    sys.exit(main(sys.argv[1]))
