"""Runs a service as its child until a watched process is gone, however that ended; then stops it and clears up.

    python keep_service.py WATCHED_PID USER_ID REMOVE_DIR COMMAND...

A test run that is killed cannot run its own clean-up, so nothing it started depends on that. USER_ID and
REMOVE_DIR may be "-": stay the user that we are, remove nothing.
"""

import os
import shutil
import signal
import subprocess
import sys
import time

POLL_S = 0.2
STOP_S = 10


def keep(watched: int, user: int | None, directory: str | None, command: list[str]) -> None:
    """Return once `command` has ended: by itself, or because `watched` is gone or this process was told to stop."""
    told: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda signum, _frame: told.append(signum))
    groups: list[int] | None = None if user is None else []
    service = subprocess.Popen(command, user=user, group=user, extra_groups=groups, start_new_session=True)
    while service.poll() is None and not told and _alive(watched):
        time.sleep(POLL_S)
    _stop(service)
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _stop(service: subprocess.Popen[bytes]) -> None:
    """SIGINT first: for PostgreSQL that is a fast shutdown, where SIGTERM would wait for its clients."""
    if service.poll() is not None:
        return
    service.send_signal(signal.SIGINT)
    try:
        service.wait(STOP_S)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()


if __name__ == "__main__":
    pid, user, directory = sys.argv[1:4]
    keep(int(pid), None if user == "-" else int(user), None if directory == "-" else directory, sys.argv[4:])
