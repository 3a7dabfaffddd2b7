"""Tests of several addresses of one setting."""

from collections import Counter
from typing import Any

import httpx
import pytest

from providers.records import ProviderRecord
from proxy.replicas import Replicas, health_url
from tests.proxy_gateway import PlainDoors, key, openai_setting, running_proxy
from tests.services import free_port
from tests.upstream import upstream_in_thread

A, B, C = "http://a:8000/v1", "http://b:8000/v1", "http://c:8000/v1"


def setting(*urls: str, **changes: Any) -> ProviderRecord:
    return openai_setting(urls[0], base_urls=urls, **changes)


async def all_well(_: str) -> bool:
    return True


async def only_b(url: str) -> bool:
    return url == "http://b:8000/health"


def test_the_one_with_the_least_to_do_is_asked() -> None:
    replicas, pool = Replicas(), setting(A, B, C)
    taken = []
    for _ in range(6):
        taken.append(replicas.pick(pool).base_url)
        replicas.begin(taken[-1])
    assert Counter(taken) == {A: 2, B: 2, C: 2}
    replicas.end(B)
    assert replicas.pick(pool).base_url == B


async def test_one_that_is_down_is_left_alone_until_it_answers_again() -> None:
    replicas, pool = Replicas(), setting(A, B)
    replicas.failed(A)
    assert {replicas.pick(pool).base_url for _ in range(5)} == {B}
    await replicas.check([pool], all_well)
    assert replicas.down == frozenset()
    assert replicas.pick(pool).base_url == A


async def test_a_check_finds_those_that_are_down() -> None:
    replicas, pool = Replicas(), setting(A, B)
    await replicas.check([pool, openai_setting(C)], only_b)
    assert replicas.down == {A}
    assert replicas.pick(pool).base_url == B


async def test_when_all_are_down_they_are_tried_nevertheless() -> None:
    replicas, pool = Replicas(), setting(A, B)
    replicas.failed(A)
    replicas.failed(B)
    assert replicas.pick(pool).base_url == A


async def test_addresses_nobody_uses_any_more_are_forgotten() -> None:
    replicas = Replicas()
    replicas.failed(A)
    await replicas.check([setting(B, C)], all_well)
    assert replicas.down == frozenset()


@pytest.mark.parametrize(
    ("base_url", "health"),
    [
        ("http://a:8000/v1", "http://a:8000/health"),
        ("https://a/models/one/v1", "https://a/models/one/health"),
        ("http://[::1]:1/v1/", "http://[::1]:1/health"),
    ],
)
def test_health_is_beside_the_api(base_url: str, health: str) -> None:
    assert health_url(base_url) == health


async def test_requests_go_around_an_address_where_nobody_listens() -> None:
    with upstream_in_thread() as one, upstream_in_thread() as two:
        urls = (f"http://127.0.0.1:{free_port()}/v1", f"{one.url}/v1", f"{two.url}/v1")
        doors = PlainDoors(settings={"setting-1": setting(*urls)})
        doors.put_key(key())
        async with running_proxy(doors) as gateway:
            answers = [await chat(gateway.url) for _ in range(8)]
    assert set(answers[1:]) == {200}  # the first may have found out that nobody listens


async def chat(url: str) -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{url}/api/providers/openai/v1/chat/completions",
            json={"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]},
            headers={"authorization": "Bearer client-secret"},
        )
        return answer.status_code
