"""Whole gateways for tests: what they run on, and how an operator talks to them."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway_project.env import read_env_file
from gateway_project.secrets_file import FILE_NAME, SECRET_VARIABLES, new_secrets
from tests.end_to_end.admin_rest import AdminRest
from tests.end_to_end.books import Books, wait_until
from tests.gateway_process import GatewayProcess, is_alive
from tests.services import RedisServer
from tests.upstream import Upstream


@dataclass(slots=True)
class Whole:
    """A running gateway with everything around it. setting_id: an OpenAI setting that leads to the upstream."""

    process: GatewayProcess
    upstream: Upstream
    admin: AdminRest
    books: Books
    setting_id: str = ""
    redis: RedisServer | None = None

    @property
    def url(self) -> str:
        return self.process.proxy_url

    def new_key(self, secret: str, **members: Any) -> str:
        """The id of a key that leads to the upstream."""
        return self.admin.new_key(secret, self.setting_id, **members)

    @property
    def installation_secrets(self) -> dict[str, str]:
        """The installation's own secrets by the names of their variables, as values that could come out somewhere."""
        given = {**read_env_file(self.process.var_dir / FILE_NAME), **self.process.environment}
        found = {name: given[name].rpartition(":")[2] for name in SECRET_VARIABLES}
        if self.admin.password:
            found["ADMIN_PASS"] = self.admin.password
        if self.books.postgres_url:
            found["DATABASE_URL"] = urlsplit(self.books.postgres_url).password or ""
        return found

    def kill(self, role: str) -> int:
        """kill -9 of one process of the role; the id it had."""
        pid = next(pid for pid, name in self.process.children().items() if name == role)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_until_replaced(self, role: str, killed: int, count: int = 1) -> None:
        """Until the supervisor runs `count` processes of the role again, and the listeners answer."""
        wait_until(lambda: self._runs(role, killed, count), 30, f"no new {role}")
        if role == "proxy":
            wait_until(self.is_ready, 30, "the proxy was not ready")

    def _runs(self, role: str, killed: int, count: int) -> bool:
        names = [name for pid, name in self.process.children().items() if pid != killed and is_alive(pid)]
        return names.count(role) == count

    def is_ready(self) -> bool:
        """Asked on several fresh connections: the kernel deals them out to the processes."""
        try:
            return all(httpx.get(f"{self.url}/ready", trust_env=False).status_code == 200 for _ in range(4))
        except httpx.TransportError:
            return False


@contextmanager
def whole_gateway(
    var_dir: Path,
    upstream: Upstream,
    *arguments: str,
    redis: RedisServer | None = None,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Whole]:
    """Start `manage.py gateway`; with DATABASE_URL among the variables it runs on services."""
    environment = dict(variables or {})
    if "DATABASE_URL" in environment:
        environment = new_secrets() | environment
    if redis is not None:
        environment["REDIS_URL"] = redis.url
    with GatewayProcess(var_dir, *arguments, **environment) as process:
        admin = AdminRest(process.admin_url, environment.get("ADMIN_PASS", ""))
        books = Books(var_dir, environment.get("DATABASE_URL", ""))
        try:
            setting_id = admin.new_setting(upstream.url)
            yield Whole(process, upstream, admin, books, setting_id, redis)
        finally:
            admin.close()
