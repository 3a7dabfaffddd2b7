import time

import pytest
from django.db import connection

from gateway_project.env import SettingError
from gateway_project.supervisor.waiting import wait_for_database, wait_for_redis
from tests.services import RedisServer, free_port


def test_an_answering_redis_is_taken_at_once(redis_url: str) -> None:
    assert wait_for_redis((redis_url,), patience_s=5) == (redis_url,)


def test_the_first_that_answers_comes_first(redis_url: str) -> None:
    dead = f"redis://127.0.0.1:{free_port()}/0"
    assert wait_for_redis((dead, redis_url), patience_s=5) == (redis_url, dead)


def test_a_redis_that_comes_up_late_is_waited_for(own_redis_server: RedisServer) -> None:
    own_redis_server.pause()
    try:
        with pytest.raises(SettingError):
            wait_for_redis((own_redis_server.url,), patience_s=0.1)
    finally:
        own_redis_server.resume()
    assert wait_for_redis((own_redis_server.url,), patience_s=5) == (own_redis_server.url,)


def test_a_redis_that_is_missing_is_one_line_without_its_password(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with pytest.raises(SettingError) as caught:
        wait_for_redis((f"redis://:hidden@127.0.0.1:{port}/0",), patience_s=0.2)
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "REDIS_URL" in str(caught.value)
    told = capsys.readouterr().err
    assert told.startswith("Waiting up to 0.2 s for Redis")
    assert "hidden" not in str(caught.value) + told


@pytest.mark.django_db
def test_an_answering_database_is_taken_at_once() -> None:
    wait_for_database(patience_s=5)


@pytest.mark.django_db(transaction=True)
def test_a_wrong_password_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "hidden")
    began = time.monotonic()
    try:
        with pytest.raises(SettingError) as caught:
            wait_for_database(patience_s=30)
    finally:
        connection.close()
    assert time.monotonic() - began < 10
    assert "authentication failed" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.django_db(transaction=True)
def test_a_missing_database_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "NAME", "nothing_of_the_kind")
    try:
        with pytest.raises(SettingError, match="nothing_of_the_kind"):
            wait_for_database(patience_s=30)
    finally:
        connection.close()
