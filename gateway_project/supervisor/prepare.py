"""What must be true before the first child starts: settings that fit, services that answer, a migrated database."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.management import call_command
from django.db import connection, connections
from django.db.utils import Error as DjangoDatabaseError

from gateway_project.env import SettingError
from gateway_project.installation import check_secrets
from gateway_project.servers.listening import check_address_free
from gateway_project.supervisor.waiting import wait_for_database, wait_for_redis
from providers.price_services import load_price_list
from providers.services import ensure_openai_default

ADMIN_USER = "admin"
PASSWORD_FILE = "admin-password"  # noqa: S105  (a file's name)
_MIGRATION_LOCK = 0x6761_7465
_LOCK_RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Prepared:
    """redis_urls: the configured ones, first the one that answered. new_password: of a superuser just created."""

    redis_urls: tuple[str, ...]
    new_password: str | None


def prepare(*, roles: frozenset[str]) -> Prepared:
    """Raises SettingError, one line, for whatever keeps the gateway from starting."""
    _check_settings()
    _check_var_dir(settings.VAR_DIR)
    if "admin" in roles:
        check_address_free(
            settings.ADMIN_HOST, settings.ADMIN_PORT, host_variable="ADMIN_HOST", port_variable="ADMIN_PORT"
        )
    if "proxy" in roles:
        check_address_free(
            settings.PROXY_HOST, settings.PROXY_PORT, host_variable="PROXY_HOST", port_variable="PROXY_PORT"
        )
    urls = settings.REDIS_URLS
    if urls:
        urls = wait_for_redis(urls, patience_s=settings.SERVICES_WAIT_S)
    wait_for_database(patience_s=settings.SERVICES_WAIT_S)
    password = _in_database(lambda: _prepare_database(with_admin="admin" in roles))
    return Prepared(urls, password)


def _check_settings() -> None:
    found = checks.run_checks(tags=["gateway"], include_deployment_checks=True)
    for problem in found:
        if problem.level >= checks.ERROR:
            raise SettingError(f"{problem.msg} {problem.hint or ''}".strip())


def _check_var_dir(var_dir: Path) -> None:
    try:
        var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = var_dir / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingError(f"Cannot write to {var_dir}: {error.strerror}. Set GATEWAY_VAR_DIR.") from error


def _in_database(work: Callable[[], str | None]) -> str | None:
    try:
        return work()
    except DjangoDatabaseError as error:
        first_line = str(error).strip().splitlines()[0]
        raise SettingError(f"The database could not be prepared: {first_line}") from error
    finally:
        connections.close_all()


def _prepare_database(*, with_admin: bool) -> str | None:
    with _one_at_a_time():
        call_command("migrate", verbosity=0, interactive=False)
        check_secrets()
        load_price_list()
        if not with_admin:
            return None
        ensure_openai_default(settings.OPENAI_API_KEY or None)
        return _ensure_superuser(settings.VAR_DIR)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Several machines may start at once; on SQLite there is only this one, and its write lock."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        # Tried, not waited for: lock_timeout would end the wait.
        while not cursor.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATION_LOCK]).fetchone()[0]:
            time.sleep(_LOCK_RETRY_S)
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])


def _ensure_superuser(var_dir: Path) -> str | None:
    """The password of the superuser it made; None when there is one already."""
    users = get_user_model()
    if users.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(15)
    _write_password(var_dir / PASSWORD_FILE, password)
    users.objects.create_superuser(ADMIN_USER, password=password)
    return password


def _write_password(path: Path, password: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{password}\n")
