"""Tests of answers in memory: what is kept, how long, and how much of it."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cache_entry import Entry
from proxy.cache_store import OVERHEAD_BYTES, MemoryAnswers, size_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def entry(size: int = 10, text: bytes = b"a") -> Entry:
    return Entry("chat", False, text * size, 0)


async def test_an_answer_is_found_until_its_time_is_over() -> None:
    clock = Clock()
    store = MemoryAnswers(10_000, now_s=clock)
    store.put("a", entry(), 60)
    clock.now += 59.9
    assert await store.get("a") == entry()
    clock.now += 0.2
    assert await store.get("a") is None
    assert (len(store), store.size_bytes) == (0, 0)


async def test_those_least_recently_used_go_first() -> None:
    store = MemoryAnswers(3 * size_of(entry()))
    for name in "abc":
        store.put(name, entry(), 60)
    await store.get("a")
    store.put("d", entry(), 60)
    assert [name for name in "abcd" if await store.get(name)] == ["a", "c", "d"]


async def test_a_new_answer_takes_the_place_of_the_old_one() -> None:
    store = MemoryAnswers(10_000)
    store.put("a", entry(10), 60)
    store.put("a", entry(20, b"b"), 60)
    assert await store.get("a") == entry(20, b"b")
    assert (len(store), store.size_bytes) == (1, size_of(entry(20)))


async def test_what_does_not_fit_is_not_kept_and_drives_nothing_out() -> None:
    store = MemoryAnswers(size_of(entry(100)))
    store.put("a", entry(100), 60)
    store.put("b", entry(101), 60)
    assert await store.get("a") is not None
    assert await store.get("b") is None


async def test_without_room_or_time_nothing_is_kept() -> None:
    none = MemoryAnswers(0)
    none.put("a", entry(), 60)
    some = MemoryAnswers(10_000)
    some.put("a", entry(), 0)
    assert (await none.get("a"), await some.get("a")) == (None, None)


async def test_a_closed_one_is_empty() -> None:
    store = MemoryAnswers(10_000)
    store.put("a", entry(), 60)
    await store.close()
    assert (len(store), store.size_bytes, await store.get("a")) == (0, 0, None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000), st.booleans())))
def test_the_bound_holds_whatever_comes(actions: list[tuple[str, int, bool]]) -> None:
    store = MemoryAnswers(3 * OVERHEAD_BYTES)

    async def act() -> None:
        for name, size, puts in actions:
            if puts:
                store.put(name, entry(size), 60)
            else:
                await store.get(name)
            assert store.size_bytes <= 3 * OVERHEAD_BYTES
            assert store.size_bytes == sum(size_of(kept.entry) for kept in store._kept.values())

    asyncio.run(act())
