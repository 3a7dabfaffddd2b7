"""Processes under test: start, wait, read CPU and memory, stop."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_START_S = 60.0
_STOP_S = 15.0


class StartError(Exception):
    """A process under test ended, or did not listen in time; the message has its output."""


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_s(pid: int) -> float:
    """User and system time of a process, all its threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB (2^20 bytes)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES / (1 << 20)


def listener_pid(root_pid: int, port: int) -> int | None:
    """Which process of the tree below `root_pid` listens on a port; the youngest one if several."""
    inodes = _listening_inodes(port)
    holders = [pid for pid in [root_pid, *_descendants(root_pid)] if _sockets_of(pid) & inodes]
    return holders[-1] if holders else None


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _descendants(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # It has ended meanwhile.
        return []
    return [below for child in children for below in (child, *_descendants(child))]


def _sockets_of(pid: int) -> set[str]:
    found: set[str] = set()
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:  # It has ended.
        return found
    for number in numbers:
        with contextlib.suppress(OSError):  # It was closed between the two calls.
            found.add(os.readlink(f"/proc/{pid}/fd/{number}").removeprefix("socket:[").removesuffix("]"))
    return found


@contextmanager
def running(command: list[str], port: int, *, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """Start a Python process of this tree and yield the id of the process that listens on `port`; stop it afterwards.

    Raises StartError with the end of its output.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=dict(environment) if environment is not None else None,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield _wait_until_listening(process, port, output)
        finally:
            stop(process)


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int, output: IO[str]) -> int:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        pid = listener_pid(process.pid, port)
        if pid is not None:
            return pid
        time.sleep(0.05)
    output.seek(0)
    raise StartError(f"{' '.join(map(str, process.args))}\n{output.read()[-3000:]}")  # type: ignore[arg-type]


def stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, then SIGKILL when that does not help."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_S)
