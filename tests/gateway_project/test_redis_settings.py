import pytest

from gateway_project.env import Environment, SettingError
from gateway_project.redis_settings import redis_urls


def urls(**values: str) -> tuple[str, ...]:
    return redis_urls(Environment(values))


def test_without_anything_there_is_no_redis() -> None:
    assert urls() == ()
    assert urls(REDIS_PORT="6380", REDIS_READ_TIME_OUT="1s") == ()


def test_hosts_are_tried_in_the_order_given() -> None:
    assert urls(REDIS_HOSTS="a, b:7000,[::1]", REDIS_PORT="6380") == (
        "redis://a:6380/0",
        "redis://b:7000/0",
        "redis://[::1]:6380/0",
    )


def test_a_password_alone_selects_redis_on_this_machine() -> None:
    assert urls(REDIS_PASSWORD="p@ss/word", REDIS_DB_START_INDEX="3") == ("redis://:p%40ss%2Fword@localhost:6379/3",)


def test_a_url_wins_and_may_be_several() -> None:
    assert urls(REDIS_URL="redis://a,rediss://b", REDIS_HOSTS="c") == ("redis://a", "rediss://b")


def test_another_scheme_is_refused() -> None:
    with pytest.raises(SettingError, match="REDIS_URL"):
        urls(REDIS_URL="http://a")
