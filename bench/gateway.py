"""Start the gateway's proxy as an operator does, with a setting that points at the fake upstream and a limited key."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measuring import Target
from bench.processes import ROOT, StartError, free_port, running

CHAT_PATH = "/api/providers/openai/v1/chat/completions"
ROUTE_PATHS = {"route": "/api/routes/bench/steps", "hit": "/api/routes/bench/kept"}
"""By workload; bench/prepare.py makes the routes."""
_FOREIGN = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "ADMIN_PASS", "OPENAI_API_KEY")
_FOREIGN_PREFIXES = ("GATEWAY_", "POSTGRESQL_", "REDIS_", "PROXY_", "ADMIN_")


@contextmanager
def running_gateway(server: str, upstream: str, redis_url: str = "") -> Iterator[Target]:
    """Embedded, counters in memory, or in Redis when its URL is given. Raises StartError."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as var_dir:
        port = free_port()
        environment = _environment(server, Path(var_dir), port, redis_url)
        secret = _prepare(environment, upstream)
        name = "redis" if redis_url else "memory"
        command = ["manage.py", "gateway", "--role", "proxy"]
        with running(command, port, environment=environment) as pid:
            headers = {"authorization": f"Bearer {secret}"}
            origin = f"http://127.0.0.1:{port}"
            routes = {workload: origin + path for workload, path in ROUTE_PATHS.items()}
            yield Target(name, origin + CHAT_PATH, headers, pid, routes)


def _environment(server: str, var_dir: Path, port: int, redis_url: str) -> dict[str, str]:
    """What a developer has in the shell must not change what is measured."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _FOREIGN and not name.startswith(_FOREIGN_PREFIXES)
    }
    ours = {
        "GATEWAY_VAR_DIR": str(var_dir),
        "GATEWAY_ENV_FILE": str(var_dir / "no.env"),
        "GATEWAY_SERVER": server,
        "PROXY_HOST": "127.0.0.1",
        "PROXY_PORT": str(port),
    }
    return kept | ours | ({"REDIS_URL": redis_url} if redis_url else {})


def _prepare(environment: dict[str, str], upstream: str) -> str:
    """Migrate, load prices, create the setting and the key; the key's secret."""
    command = [sys.executable, "-m", "bench.prepare", upstream]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"{' '.join(command)}\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout.split()[-1]
