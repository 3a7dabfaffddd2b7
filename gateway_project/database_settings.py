"""Which database, and how each role talks to it."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

from gateway_project.env import Environment, SettingError

POSTGRESQL_SCHEMES = ("postgres", "postgresql", "psql", "pgsql")
SQLITE_FILE = "gatehouse.sqlite3"
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SELECTING = ("POSTGRESQL_HOSTS", "POSTGRESQL_USERNAME", "POSTGRESQL_DB_NAME", "POSTGRESQL_PASSWORD")
_CONNECT_TIMEOUT_S = 5
_PROXY_STATEMENT_S = 5.0
_SQLITE_WAIT_S = 20


def database_settings(env: Environment, *, role: str, var_dir: Path) -> dict[str, Any]:
    """Django's DATABASES["default"]: DATABASE_URL, else POSTGRESQL_*, else an SQLite file under var_dir."""
    url = env.url("DATABASE_URL", schemes=(*POSTGRESQL_SCHEMES, "sqlite"))
    parts = _parts_from_variables(env)
    options = _postgresql_options(env, role)
    if url:
        return _from_url(url, role, options)
    if any(env.values.get(name, "").strip() or env.values.get(f"{name}_FILE") for name in _SELECTING):
        return _postgresql(parts, role, options)
    return _sqlite(var_dir / SQLITE_FILE, role)


def is_postgresql(database: dict[str, Any]) -> bool:
    return bool(database["ENGINE"].endswith("postgresql"))


def _parts_from_variables(env: Environment) -> dict[str, Any]:
    user = env.text("POSTGRESQL_USERNAME")
    # libpq tries comma-separated hosts in order. Without a name PostgreSQL uses the user's own database.
    return {
        "HOST": ",".join(env.words("POSTGRESQL_HOSTS", "localhost")),
        "PORT": str(env.port("POSTGRESQL_PORT", 5432)),
        "USER": user,
        "PASSWORD": env.secret("POSTGRESQL_PASSWORD"),
        "NAME": env.text("POSTGRESQL_DB_NAME") or user or "postgres",
    }


def _postgresql_options(env: Environment, role: str) -> dict[str, Any]:
    """The read timeout bounds every statement; the write timeout is how long one waits for a lock."""
    read_s = env.duration_s("POSTGRESQL_READ_TIME_OUT", "2m")
    write_s = env.duration_s("POSTGRESQL_WRITE_TIME_OUT", "5s")
    ssl_mode = env.choice("POSTGRESQL_SSL_MODE", "", _SSL_MODES)
    ssl_enabled = env.flag("POSTGRESQL_SSL_ENABLED", False)
    statement_s = min(read_s, _PROXY_STATEMENT_S) if role == "proxy" else read_s
    # An operator's command may take its time: a migration of a large table, a report for the shell.
    settings = {"lock_timeout": write_s, "statement_timeout": 0 if role == "manage" else statement_s}
    return {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "options": " ".join(f"-c {name}={round(seconds * 1000)}" for name, seconds in settings.items()),
        "sslmode": ssl_mode or ("require" if ssl_enabled else ""),
        "application_name": f"gatehouse-{role}",
    }


def _postgresql(parts: dict[str, Any], role: str, options: dict[str, Any]) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        **parts,
        "OPTIONS": {**options, "sslmode": options["sslmode"] or "disable"},
        "CONN_MAX_AGE": _max_age_s(role),
        "CONN_HEALTH_CHECKS": True,
    }


def _from_url(url: str, role: str, options: dict[str, Any]) -> dict[str, Any]:
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        return _sqlite(_sqlite_path(url), role)
    try:
        parsed = environ.Env.db_url_config(url)
    except (ValueError, environ.ImproperlyConfigured) as error:
        raise SettingError("DATABASE_URL must look like postgres://user:password@host:5432/name.") from error
    if not parsed.get("NAME"):
        raise SettingError("DATABASE_URL names no database: postgres://user:password@host:5432/name.")
    given = parsed.get("OPTIONS", {})
    merged = {name: value for name, value in {**options, **given}.items() if value != ""}
    parts = {name: parsed.get(name, "") for name in ("HOST", "PORT", "USER", "PASSWORD", "NAME")}
    return _postgresql(parts, role, {**merged, "sslmode": merged.get("sslmode", "prefer")})


def _sqlite_path(url: str) -> Path:
    """sqlite:///var/file.sqlite3 is relative, sqlite:////srv/file.sqlite3 absolute, as everywhere."""
    path = url.removeprefix("sqlite:").removeprefix("//").removeprefix("/").split("?", 1)[0]
    if not path or path == ":memory:":
        raise SettingError("DATABASE_URL: an SQLite database needs a file (sqlite:///path): processes share it.")
    return Path(path).absolute()


def _sqlite(path: Path, role: str) -> dict[str, Any]:
    """Writers take the write lock when their transaction begins: a late upgrade fails at once under load."""
    writes = role != "proxy"
    pragmas = ["journal_mode=WAL", "synchronous=NORMAL"] if writes else ["query_only=ON"]
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE" if writes else "DEFERRED",
            "timeout": _SQLITE_WAIT_S,
            "init_command": "; ".join(f"PRAGMA {pragma}" for pragma in pragmas),
        },
        "CONN_MAX_AGE": _max_age_s(role),
    }


def _max_age_s(role: str) -> int:
    """Django serves each admin request from a thread of its own: a connection kept there is never used again."""
    return 0 if role == "admin" else 60
