"""What every test gets: own services, no network but loopback, nothing of the developer's environment or files."""

import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings
from django.db import connections
from hypothesis import settings as hypothesis_settings

from tests import services

# Children that a test starts inherit these; what a developer has in the shell must not reach a test.
FOREIGN = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "ADMIN_PASS", "OPENAI_API_KEY")
FOREIGN_PREFIXES = ("GATEWAY_", "POSTGRESQL_", "REDIS_", "AWS_", "AMAZON_")


# The same examples on every run, however slow the machine; HYPOTHESIS_PROFILE=explore looks for new ones.
hypothesis_settings.register_profile("same", derandomize=True, deadline=None)
hypothesis_settings.register_profile("explore", deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_configure(config: pytest.Config) -> None:
    for name in list(os.environ):
        if name in FOREIGN or name.startswith(FOREIGN_PREFIXES):
            del os.environ[name]
    var_dir = Path(tempfile.mkdtemp(prefix="gatehouse-var-"))
    config.add_cleanup(lambda: shutil.rmtree(var_dir, ignore_errors=True))
    os.environ["GATEWAY_VAR_DIR"] = str(var_dir)
    settings.VAR_DIR = var_dir  # pytest-django has read the settings by now.
    _guard_sockets()


@pytest.fixture(scope="session")
def services_root(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A directory that all processes of this run have in common."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "services"


@pytest.fixture(scope="session")
def run_pid(worker_id: str) -> int:
    """The process that lives as long as the run: under xdist the controller."""
    return os.getpid() if worker_id == "master" else os.getppid()


@pytest.fixture(scope="session")
def postgres_server(services_root: Path, run_pid: int) -> services.PostgresServer:
    """One PostgreSQL for the whole run."""
    told = services.shared(services_root, "postgres", lambda: {"url": services.start_postgres(watched_pid=run_pid).url})
    return services.PostgresServer(told["url"])


@pytest.fixture
def new_postgres_url(postgres_server: services.PostgresServer) -> Iterator[Callable[[], str]]:
    """Makes fresh, empty databases, dropped after the test."""
    made: list[str] = []

    def make() -> str:
        made.append(postgres_server.new_database())
        return made[-1]

    yield make
    for url in made:
        postgres_server.drop_database(url)


@pytest.fixture
def postgres_url(new_postgres_url: Callable[[], str]) -> str:
    """The address of a fresh, empty database."""
    return new_postgres_url()


@pytest.fixture(scope="session")
def redis_server(services_root: Path, run_pid: int) -> services.RedisServer:
    """One Redis for the whole run: never stop, pause or flush it, take redis_url or own_redis_server."""

    def start() -> dict[str, Any]:
        server = services.start_redis(watched_pid=run_pid)
        return {"port": server.port, "pid": server.pid}

    return services.RedisServer(**services.shared(services_root, "redis", start))


@pytest.fixture
def redis_url(redis_server: services.RedisServer, worker_id: str) -> str:
    """The address of an empty logical database that no other test process uses."""
    number = 0 if worker_id == "master" else int(worker_id.removeprefix("gw"))
    with redis.Redis(port=redis_server.port, db=number) as client:
        client.flushdb()
    return f"redis://127.0.0.1:{redis_server.port}/{number}"


@pytest.fixture
def own_redis_server() -> Iterator[services.RedisServer]:
    """A server that a test may kill, pause and start again."""
    server = services.start_redis()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres_server: services.PostgresServer, request: pytest.FixtureRequest) -> None:
    """Point Django's default database at the run's PostgreSQL, before the test databases are made."""
    address = urlsplit(postgres_server.url)
    connections.close_all()
    database = connections.settings["default"]
    database.update(
        ENGINE="django.db.backends.postgresql",
        NAME="gatehouse",
        USER=address.username or "",
        PASSWORD=address.password or "",
        HOST=address.hostname or "",
        PORT=str(address.port or ""),
        OPTIONS={},
    )
    settings.DATABASES["default"] = database
    del connections["default"]
    # The default of this fixture: one test database per xdist worker.
    request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")


def _guard_sockets() -> None:
    """Refuse every connection that leaves the machine; a test that needs one tests somebody else's server."""
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))


def _guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
            raise RuntimeError(f"a test tried to connect to {address[0]!r}; only loopback is allowed")
        return connect(self, address)

    return guarded


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
