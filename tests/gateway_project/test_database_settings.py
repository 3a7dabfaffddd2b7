from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway_project.database_settings import database_settings, is_postgresql
from gateway_project.env import Environment, SettingError


def settings_for(role: str = "admin", **values: str) -> dict[str, Any]:
    return database_settings(Environment(values), role=role, var_dir=Path("/somewhere"))


def test_without_anything_it_is_a_file_in_the_var_directory() -> None:
    database = settings_for()
    assert database["NAME"] == Path("/somewhere/gatehouse.sqlite3")
    assert not is_postgresql(database)


def test_writers_take_the_write_lock_at_once_and_the_proxy_cannot_write() -> None:
    assert settings_for("worker")["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    proxy = settings_for("proxy")["OPTIONS"]
    assert proxy["transaction_mode"] == "DEFERRED"
    assert "query_only=ON" in proxy["init_command"]


@pytest.mark.parametrize("name", ["POSTGRESQL_HOSTS", "POSTGRESQL_USERNAME", "POSTGRESQL_DB_NAME"])
def test_any_of_the_seeds_variables_selects_postgresql(name: str) -> None:
    assert is_postgresql(settings_for(**{name: "something"}))


def test_unset_the_database_is_the_users_own() -> None:
    assert settings_for(POSTGRESQL_USERNAME="postgres")["NAME"] == "postgres"


def test_a_url_wins_over_the_seeds_variables() -> None:
    database = settings_for(DATABASE_URL="postgres://me:pw@db:5433/books", POSTGRESQL_HOSTS="other")
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db", 5433, "books")
    assert (database["USER"], database["PASSWORD"]) == ("me", "pw")


def test_ssl_is_required_when_asked_for_in_either_way() -> None:
    assert settings_for(POSTGRESQL_HOSTS="db")["OPTIONS"]["sslmode"] == "disable"
    assert settings_for(POSTGRESQL_HOSTS="db", POSTGRESQL_SSL_ENABLED="true")["OPTIONS"]["sslmode"] == "require"
    mode = {"POSTGRESQL_SSL_MODE": "verify-full", "POSTGRESQL_SSL_ENABLED": "true"}
    assert settings_for(POSTGRESQL_HOSTS="db", **mode)["OPTIONS"]["sslmode"] == "verify-full"
    assert settings_for(DATABASE_URL="postgres://db/x?sslmode=require")["OPTIONS"]["sslmode"] == "require"


def test_timeouts_reach_the_server_by_role() -> None:
    given = {"POSTGRESQL_HOSTS": "db", "POSTGRESQL_READ_TIME_OUT": "1m", "POSTGRESQL_WRITE_TIME_OUT": "2s"}
    assert settings_for("admin", **given)["OPTIONS"]["options"] == "-c lock_timeout=2000 -c statement_timeout=60000"
    assert settings_for("proxy", **given)["OPTIONS"]["options"].endswith("statement_timeout=5000")
    assert settings_for("manage", **given)["OPTIONS"]["options"].endswith("statement_timeout=0")


@pytest.mark.parametrize("url", ["mysql://host/db", "postgres://host", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_names_no_usable_database_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match="DATABASE_URL"):
        settings_for(DATABASE_URL=url)


def test_relative_and_absolute_sqlite_files() -> None:
    assert settings_for(DATABASE_URL="sqlite:////srv/books.sqlite3")["NAME"] == Path("/srv/books.sqlite3")
    assert settings_for(DATABASE_URL="sqlite:///books.sqlite3")["NAME"] == Path("books.sqlite3").absolute()


def test_the_second_host_is_used_when_the_first_is_dead(postgres_url: str) -> None:
    alive = psycopg.conninfo.conninfo_to_dict(postgres_url)
    database = settings_for(
        POSTGRESQL_HOSTS=f"127.0.0.2,{alive['host']}",
        POSTGRESQL_PORT=str(alive["port"]),
        POSTGRESQL_USERNAME=str(alive["user"]),
        POSTGRESQL_PASSWORD=str(alive["password"]),
        POSTGRESQL_DB_NAME=str(alive["dbname"]),
        POSTGRESQL_READ_TIME_OUT="50ms",
    )
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "dbname"}
    arguments = {theirs: database[ours] for ours, theirs in names.items()}
    with psycopg.connect(**arguments, **database["OPTIONS"]) as connection:
        assert connection.info.host == alive["host"]
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(5)")
