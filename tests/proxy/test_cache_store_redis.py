"""Tests of answers in a real Redis, through Django's own cache."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from django.core.cache import caches
from django.test import override_settings

from proxy.cache_entry import Entry, pack
from proxy.cache_store_redis import ALIAS, MOST_UNDER_WAY_BYTES, PAUSE_S, RedisAnswers
from tests.services import RedisServer, start_redis

SECRET = b"s" * 32
ENTRY = Entry("chat", False, b'{"a":1}', 1_800_000_000, "openai", "gpt-4o")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    started = start_redis()
    yield started
    started.stop()


@pytest.fixture
async def store(server: RedisServer) -> AsyncIterator[RedisAnswers]:
    options = {
        "CONNECTION_FACTORY": "gateway_project.answer_cache.OwnConnections",
        "SERIALIZER": "gateway_project.answer_cache.AsBytes",
        "SOCKET_CONNECT_TIMEOUT": 0.25,
        "SOCKET_TIMEOUT": 0.25,
    }
    described = {
        "BACKEND": "django_redis.cache.RedisCache", "LOCATION": server.url, "KEY_PREFIX": "gatehouse:answers",
        "OPTIONS": options,
    }  # fmt: skip
    with override_settings(CACHES={"default": described, ALIAS: described}):
        await asyncio.to_thread(cache_clear)
        made = RedisAnswers(server.url, SECRET, 1 << 40)
        yield made
        await made.close()


def cache_clear() -> None:
    caches[ALIAS].clear()


async def arrived(store: RedisAnswers) -> None:
    """Until nothing is under way any more."""
    for _ in range(500):
        if not store._under_way:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("still under way")


def stored(key: str) -> object:
    return caches[ALIAS].get(key)


async def test_an_answer_is_found_at_once_and_by_others_later(store: RedisAnswers, server: RedisServer) -> None:
    store.put("a", ENTRY, 60)
    assert await store.get("a") == ENTRY
    await arrived(store)
    other = RedisAnswers(server.url, SECRET, 1 << 40)
    assert await other.get("a") == ENTRY
    assert await other.get("b") is None
    await other.close()


async def test_an_answer_goes_when_its_time_is_over(store: RedisAnswers) -> None:
    store.put("a", ENTRY, 100)
    await arrived(store)
    left = await asyncio.to_thread(lambda: caches[ALIAS].ttl("a"))  # type: ignore[attr-defined]
    assert 90 <= left <= 100


@pytest.mark.parametrize("value", [b"", b"12", b"garbage", pack(SECRET, "another", ENTRY), pack(b"t" * 32, "a", ENTRY)])
async def test_what_a_proxy_did_not_put_there_is_not_served(store: RedisAnswers, value: bytes) -> None:
    await asyncio.to_thread(lambda: caches[ALIAS].set("a", value, 60))
    assert await store.get("a") is None
    store.put("a", ENTRY, 60)
    await arrived(store)
    assert await store.get("a") == ENTRY


async def test_nothing_is_kept_while_redis_is_full(store: RedisAnswers, server: RedisServer) -> None:
    full = RedisAnswers(server.url, SECRET, 1)
    full.put("a", ENTRY, 60)
    await arrived(full)
    assert await asyncio.to_thread(stored, "a") is None
    await full.close()


async def test_redis_keeps_room_for_its_limits(store: RedisAnswers) -> None:
    def limit(to: int) -> None:
        caches[ALIAS].client.get_client(write=True).config_set("maxmemory", to)  # type: ignore[attr-defined]

    await asyncio.to_thread(limit, 1024 * 1024)
    try:
        store.put("a", ENTRY, 60)
        await arrived(store)
        assert await asyncio.to_thread(stored, "a") is None
    finally:
        await asyncio.to_thread(limit, 0)


async def test_what_is_under_way_is_bounded(store: RedisAnswers) -> None:
    large = Entry("chat", False, b"a" * (MOST_UNDER_WAY_BYTES // 2), 0)
    for name in "abc":
        store.put(name, large, 60)
    assert list(store._under_way) == ["a"]
    await arrived(store)


async def test_what_is_no_text_is_not_served(store: RedisAnswers) -> None:
    def push() -> None:
        cache = caches[ALIAS]
        cache.client.get_client(write=True).lpush(cache.make_key("a"), b"x")  # type: ignore[attr-defined]

    await asyncio.to_thread(push)
    with structlog.testing.capture_logs() as logs:
        assert await store.get("a") is None
    assert [line["event"] for line in logs] == ["stored_answer_unusable"]


async def test_a_redis_that_hangs_is_a_miss_and_then_left_alone(store: RedisAnswers, server: RedisServer) -> None:
    store.put("a", ENTRY, 60)
    await arrived(store)
    server.pause()
    try:
        with structlog.testing.capture_logs() as logs:
            assert await store.get("a") is None
            store.put("b", ENTRY, 60)
            await arrived(store)
            for _ in range(1000):  # would take minutes if each were waited for
                assert await store.get("a") is None
                store.put("b", ENTRY, 60)
        assert store._under_way == {}
        assert [line["event"] for line in logs] == ["answers_are_not_kept"]
    finally:
        server.resume()
    await asyncio.sleep(PAUSE_S)
    for _ in range(100):
        if await store.get("a") == ENTRY:
            break
        await asyncio.sleep(0.05)
    store.put("c", ENTRY, 60)
    await arrived(store)
    assert await asyncio.to_thread(stored, "c") == pack(SECRET, "c", ENTRY)


async def test_a_redis_that_is_gone_is_a_miss(store: RedisAnswers, server: RedisServer) -> None:
    server.kill()
    try:
        assert await store.get("a") is None
        store.put("a", ENTRY, 60)
        await arrived(store)
        assert await store.get("a") is None
    finally:
        server.start()
