"""Waits for the services a start needs: they may be starting themselves."""

import sys
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import redis
from django.db import connection
from django.db.utils import Error as DjangoDatabaseError
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway_project.env import SettingError

_RETRY_S = 1.0
_REDIS_TIMEOUT_S = 3.0
# Waiting does not cure these; the texts are PostgreSQL's and libpq's.
_LASTING = (
    "authentication failed",
    "does not exist",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not support SSL",
    "certificate",
    "role ",
    "file is not a database",
    "unable to open database file",
    "could not translate host name",
)


def wait_for_database(*, patience_s: float) -> None:
    """Raises SettingError in one line when it does not answer in time, or says something that waiting cannot cure."""
    target = _database_target()
    problem = _patiently(_try_database, target, patience_s)
    if problem:
        raise SettingError(f"The database ({target}) cannot be used: {problem}. Check DATABASE_URL or POSTGRESQL_*.")


def wait_for_redis(urls: Sequence[str], *, patience_s: float) -> tuple[str, ...]:
    """The URLs with the first server that answers at the front. Raises SettingError when none does."""
    answering: list[str] = []
    target = ", ".join(_without_login(url) for url in urls)
    problem = _patiently(lambda: _try_redis(urls, answering), f"Redis ({target})", patience_s)
    if problem:
        raise SettingError(f"Redis ({target}) cannot be used: {problem}. Check REDIS_URL or REDIS_*.")
    first = answering[0]
    return (first, *(url for url in urls if url != first))


def _patiently(attempt: Callable[[], str], target: str, patience_s: float) -> str:
    """What the last attempt complained about, "" when one succeeded."""
    deadline = time.monotonic() + patience_s
    told = False
    while problem := attempt():
        if time.monotonic() >= deadline or any(text in problem for text in _LASTING):
            return problem
        if not told:
            told = True
            sys.stderr.write(f"Waiting up to {patience_s:g} s for {target}: {problem}\n")
        time.sleep(min(_RETRY_S, max(0.0, deadline - time.monotonic())))
    return ""


def _try_database() -> str:
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DjangoDatabaseError as error:
        connection.close()
        return _one_line(error)
    return ""


def _try_redis(urls: Sequence[str], answering: list[str]) -> str:
    problems = []
    for url in urls:
        try:
            with redis.Redis.from_url(
                url,
                socket_timeout=_REDIS_TIMEOUT_S,
                socket_connect_timeout=_REDIS_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            ) as client:
                client.ping()
        except (redis.RedisError, ValueError) as error:
            problems.append(_one_line(error))
        else:
            answering.append(url)
            return ""
    return "; ".join(problems)


def _database_target() -> str:
    parts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"file {parts['NAME']}"
    return f"PostgreSQL, database {parts['NAME']} on {parts['HOST'] or 'localhost'}:{parts['PORT'] or 5432}"


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}:{parts.port or 6379}"


def _one_line(error: Exception) -> str:
    """The last line that says something: libpq lists an attempt per host, hints follow in lines of their own."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Is the server running", "Multiple connection attempts"))]
    text = (said or lines or [type(error).__name__])[-1]
    return text.removeprefix("- ").rstrip(".")
