"""`manage.py gateway` as an operator starts it: real processes, own ports, own var directory."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services import free_port

ROOT = Path(__file__).resolve().parent.parent
READY = "Gatehouse is ready."
START_S = 60.0
STOP_S = 40.0


class GatewayProcess:
    """Runs until the `with` block ends; every process it started is gone then.

    environment: what the operator set, on top of free ports and var_dir. ADMIN_PORT and PROXY_PORT may be among it.
    """

    def __init__(self, var_dir: Path, *arguments: str, **environment: str) -> None:
        self.var_dir = var_dir
        self.admin_port = int(environment.get("ADMIN_PORT") or free_port())
        self.proxy_port = int(environment.get("PROXY_PORT") or free_port())
        self.demo_port = free_port()
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._arguments = arguments
        self.environment = {
            **os.environ,
            "GATEWAY_ENV_FILE": str(var_dir / "no-such-file"),
            "GATEWAY_VAR_DIR": str(var_dir),
            "ADMIN_PORT": str(self.admin_port),
            "PROXY_PORT": str(self.proxy_port),
            "DEMO_PORT": str(self.demo_port),
            "PROXY_HOST": "127.0.0.1",
            **environment,
        }
        self._ready = threading.Event()
        self._readers: list[threading.Thread] = []
        self.process: subprocess.Popen[str]

    @property
    def admin_url(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def proxy_url(self) -> str:
        return f"http://127.0.0.1:{self.proxy_port}"

    def start(self) -> Self:
        """Start without waiting."""
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "gateway", *self._arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for stream, lines in ((self.process.stdout, self.stdout), (self.process.stderr, self.stderr)):
            reader = threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            reader.start()
            self._readers.append(reader)
        return self

    def wait_until_ready(self) -> None:
        """Raises AssertionError with the output when it ended instead, or took too long."""
        deadline = time.monotonic() + START_S
        while not self._ready.wait(0.05):
            assert self.process.poll() is None, f"the gateway ended:\n{self.output}"
            assert time.monotonic() < deadline, f"the gateway did not start:\n{self.output}"

    def wait_until_ended(self, timeout_s: float = STOP_S) -> int:
        """Its exit code."""
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    @property
    def output(self) -> str:
        return "\n".join([*self.stderr, *self.stdout])

    def children(self) -> dict[int, str]:
        """Role by process id."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent_of(entry) == self.process.pid:
                words = (entry / "cmdline").read_text().split("\0")
                found[int(entry.name)] = words[-2] if len(words) > 1 else ""
        return found

    def child(self, role: str) -> int:
        """The process id of the only child with the role."""
        (pid,) = [pid for pid, name in self.children().items() if name == role]
        return pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self.process.poll() is not None:
            self.wait_until_ended()
            return
        pids = list(self.children())
        self.process.terminate()
        try:
            self.wait_until_ended()
        except subprocess.TimeoutExpired:
            for pid in (self.process.pid, *pids):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.wait_until_ended()
            raise

    def _read(self, stream: object, lines: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]
            lines.append(line.rstrip("\n"))
            if READY in line:
                self._ready.set()


def is_alive(pid: int) -> bool:
    """False also for a process that ended and waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _parent_of(entry: Path) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        match = re.search(r"^PPid:\s+(\d+)$", (entry / "status").read_text(), re.MULTILINE)
        return int(match[1]) if match else 0
    return 0
