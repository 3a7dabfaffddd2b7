import socket
import subprocess
import time
from collections.abc import Callable

import psycopg
import pytest
import redis
from django.db import connection

from tests.services import RedisServer, free_port, start_redis


def test_it_makes_fresh_databases(new_postgres_url: Callable[[], str]) -> None:
    first, second = new_postgres_url(), new_postgres_url()
    assert first != second
    with psycopg.connect(first) as database:
        tables = database.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)


@pytest.mark.django_db
def test_it_points_django_at_postgresql() -> None:
    assert connection.vendor == "postgresql"
    assert str(connection.settings_dict["NAME"]).startswith("test_gatehouse")


def test_it_gives_each_test_an_empty_redis_database(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_it_gives_the_next_test_an_empty_one_too(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_it_starts_a_killed_redis_again_empty_on_the_same_port(own_redis_server: RedisServer) -> None:
    with redis.Redis.from_url(own_redis_server.url) as client:
        client.set("lost", "soon")
    own_redis_server.kill()
    own_redis_server.start()
    with redis.Redis.from_url(own_redis_server.url) as client:
        assert client.get("lost") is None


def test_it_ends_a_service_with_the_process_it_belongs_to() -> None:
    with subprocess.Popen(["sleep", "60"]) as watched:
        server = start_redis(watched_pid=watched.pid)
        watched.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("the server outlived its process")


def test_it_refuses_connections_that_leave_the_machine() -> None:
    with socket.socket() as outward, pytest.raises(RuntimeError, match="only loopback"):
        outward.connect(("192.0.2.1", 80))


def test_it_finds_a_port_nobody_listens_on() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port()))
