"""Tests of which answers a route keeps and gives again, through the whole pipeline without a server."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from providers.records import ProviderRecord
from proxy import cache
from proxy.cache_store import MemoryAnswers
from proxy.snapshot import Snapshot
from routes.records import CacheRecord, RouteRecord, RouteStepRecord
from tests.proxy.asgi import called_proxy
from tests.proxy.builders import call_of, visit_of
from tests.proxy.caching import Kept, mark_of, route
from tests.proxy_gateway import PlainDoors, key, openai_setting, price
from tests.upstream import Upstream as Fake
from tests.upstream import upstream_in_thread


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture
async def kept(fake: Fake) -> AsyncIterator[Kept]:
    fake.reset()
    doors = PlainDoors(
        settings={"setting-1": openai_setting(fake.url)},
        prices={("openai", "gpt-4o"): price()},
        routes={"/kept": route()},
    )
    doors.put_key(key(cost_limit_nano=10**9, request_limit=1000, request_window_unit="d"))
    async with called_proxy(doors, cache_max_answer_bytes=40_000) as called:
        yield Kept(called, doors)


async def until(condition: Any) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not in time")


async def test_the_second_of_two_is_a_hit(kept: Kept, fake: Fake) -> None:
    first, second = await kept.ask(), await kept.ask()
    assert (mark_of(first), mark_of(second)) == ("miss", "hit")
    assert second.body == first.body
    assert fake.count() == 1


async def test_a_route_without_a_cache_says_nothing_of_one(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(cache=None))
    assert [await kept.mark(), await kept.mark()] == ["", ""]
    assert fake.count() == 2


async def test_answers_that_a_step_lets_its_provider_keep_are_not_kept_here(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(steps=(RouteStepRecord("openai", "gpt-4o", request_params={"store": True}),)))
    assert [await kept.mark(), await kept.mark()] == ["bypass", "bypass"]
    assert fake.count() == 2


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("then", [False, True])
async def test_streams_and_plain_answers_come_from_each_other(kept: Kept, first: bool, then: bool) -> None:
    await kept.ask(stream=first)
    sent = await kept.ask(stream=then)
    assert mark_of(sent) == "hit"
    assert sent.headers[b"content-type"].startswith(b"text/event-stream" if then else b"application/json")
    assert sent.body.endswith(b"data: [DONE]\n\n") is then


async def test_usage_in_a_replayed_stream_is_there_when_asked_for(kept: Kept) -> None:
    await kept.ask(stream=True)
    without = await kept.ask(stream=True)
    asked = await kept.ask(stream=True, stream_options={"include_usage": True})
    assert (mark_of(without), mark_of(asked)) == ("hit", "hit")
    assert b'"usage"' not in without.body
    assert asked.body.count(b'"total_tokens"') == 1


async def test_a_stream_whose_usage_is_not_known_is_a_miss_for_who_asks_for_it(kept: Kept, fake: Fake) -> None:
    fake.fail("no-usage")
    await kept.ask(stream=True)
    assert await kept.mark(stream=True) == "hit"
    asked = await kept.ask(stream=True, stream_options={"include_usage": True})
    assert mark_of(asked) == "miss"
    assert b'"total_tokens"' in asked.body
    for _ in range(2):  # one does not take the other's place
        assert await kept.mark(stream=True, stream_options={"include_usage": True}) == "hit"
        assert await kept.mark(stream=True) == "hit"
    assert fake.count() == 2


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0},
        {"messages": [{"role": "user", "content": "ho"}]},
        {"messages": [{"role": "system", "content": "hi"}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"model": "gpt-4o-mini"},
        {"n": 2},
        {"max_tokens": 21},
        {"seed": 1},
        {"response_format": {"type": "json_object"}},
    ],
)
async def test_another_request_is_another_answer(kept: Kept, other: dict[str, Any]) -> None:
    await kept.ask()
    assert await kept.mark(**other) == "miss"
    assert await kept.mark(**other) == "hit"
    assert await kept.mark() == "hit"


async def test_who_asks_does_not_make_another_request(kept: Kept) -> None:
    await kept.ask()
    assert await kept.mark(user="u", metadata={"a": "b"}, prompt_cache_key="k", safety_identifier="s") == "hit"


async def test_other_keys_have_answers_of_their_own(kept: Kept, fake: Fake) -> None:
    other = key(id="00000000-0000-4000-8000-000000000009")
    await kept.serve(route(key_ids=frozenset({key().id, other.id})))
    await kept.ask()
    kept.doors.put_key(other)  # the same secret is another key from now on
    await kept.refresh()
    assert await kept.mark() == "miss"
    assert await kept.mark() == "hit"
    assert fake.count() == 2
    assert [event.key_id for event in kept.events()] == [key().id, other.id, other.id]


async def test_a_key_the_route_does_not_name_gets_nothing(kept: Kept) -> None:
    await kept.ask()
    await kept.serve(route(key_ids=frozenset()))
    sent = await kept.ask()
    assert (sent.status, json.loads(sent.body)["error"]["code"]) == (403, "route_not_allowed")


@pytest.mark.parametrize(
    "members", [{"store": True}, {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"background": True}]
)
async def test_what_the_provider_keeps_passes_by_the_cache(kept: Kept, members: dict[str, Any]) -> None:
    assert [await kept.mark(**members), await kept.mark(**members)] == ["bypass", "bypass"]


async def test_a_member_that_is_there_twice_passes_by_the_cache(kept: Kept) -> None:
    body = b'{"messages":[{"role":"user","role":"system","content":"hi"}]}'
    for _ in range(2):
        assert mark_of(await kept.called.call("/api/routes/kept", body=body)) == "bypass"


async def test_no_store_neither_reads_nor_keeps(kept: Kept) -> None:
    assert await kept.mark(said="no-store") == "bypass"
    assert await kept.mark() == "miss"
    assert await kept.mark(said="max-age=0, No-Store") == "bypass"


async def test_no_cache_asks_anew_and_keeps_the_answer(kept: Kept) -> None:
    first = await kept.ask()
    fresh = await kept.ask(said="no-cache")
    assert mark_of(fresh) == "miss"
    assert fresh.body != first.body
    assert (await kept.ask()).body == fresh.body


async def test_only_200_is_kept(kept: Kept, fake: Fake) -> None:
    fake.fail("503")
    sent = await kept.ask()
    assert (sent.status, mark_of(sent)) == (503, "miss")
    assert await kept.mark() == "miss"
    assert await kept.mark() == "hit"


@pytest.mark.parametrize("fault", ["cut=5", "error-event=3"])
async def test_a_stream_that_broke_is_not_kept(kept: Kept, fake: Fake, fault: str) -> None:
    fake.fail(fault)
    sent = await kept.ask(stream=True)
    assert (sent.status, sent.body.endswith(b"data: [DONE]\n\n")) == (200, False)
    assert await kept.mark(stream=True) == "miss"


async def test_an_answer_that_is_too_long_is_not_kept(kept: Kept, fake: Fake) -> None:
    fake.fail("tokens=9000", times=2)
    assert [await kept.mark(max_tokens=10_000), await kept.mark(max_tokens=10_000)] == ["miss", "miss"]


async def test_an_answer_goes_when_its_time_is_over(kept: Kept) -> None:
    store = kept.called.proxy._answers._store
    await kept.ask()
    now = store._now_s()  # type: ignore[attr-defined]
    store._now_s = lambda: now + 61  # type: ignore[attr-defined]
    assert await kept.mark() == "miss"


async def test_after_a_purge_nothing_is_found(kept: Kept) -> None:
    await kept.ask()
    await kept.serve(route(cache=CacheRecord(60, epoch=1)))
    assert [await kept.mark(), await kept.mark()] == ["miss", "hit"]


async def test_a_changed_route_or_setting_makes_answers_anew(kept: Kept, fake: Fake) -> None:
    await kept.ask()
    await kept.serve(route(steps=(RouteStepRecord("openai", "gpt-4o", request_params={"temperature": 0.5}),)))
    assert [await kept.mark(), await kept.mark()] == ["miss", "hit"]
    kept.doors.settings = {"setting-1": openai_setting(fake.url, allowed_models=frozenset({"gpt-4o-mini"}))}
    await kept.refresh()
    assert (await kept.ask()).status == 403


async def test_a_key_that_lost_its_settings_gets_nothing(kept: Kept) -> None:
    await kept.ask()
    settings: dict[str, ProviderRecord] = {}
    kept.doors.settings = settings
    await kept.refresh()
    assert (await kept.ask()).status == 403


async def test_scopes_that_are_known_are_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SCOPES_KEPT", 2)
    paths = [f"/kept/{number}" for number in range(5)]
    kept.doors.routes = {path: route(id=path, path=path) for path in paths}
    await kept.refresh()
    for path in paths:
        await kept.called.call(f"/api/routes{path}", body=b'{"messages":[{"role":"user","content":"hi"}]}')
        assert 1 <= len(kept.called.proxy._answers._scopes) <= 2


async def test_a_request_that_found_its_route_before_a_purge_does_not_undo_it() -> None:
    """A request finds its route first and takes the snapshot a moment later."""
    store = MemoryAnswers(10_000)
    answers = cache.AnswerCache(store, max_answer_bytes=1000)
    visit, before, purged = visit_of(), route(), route(cache=CacheRecord(60, epoch=1))
    after_purge = Snapshot(version=2, routes={"/kept": purged})

    def key_with(found: RouteRecord) -> str:
        call = msgspec.structs.replace(call_of(), route=found)
        wanted = answers.wanted(msgspec.structs.replace(visit, call=call), after_purge)
        assert wanted is not None
        return wanted.key

    late, new = key_with(before), key_with(purged)
    assert late != new
    assert (key_with(before), key_with(purged)) == (late, new)


@pytest.mark.parametrize("operation", ["text_completion", "embeddings", "responses"])
async def test_every_operation_is_kept(kept: Kept, operation: str) -> None:
    await kept.serve(route(operation))
    asked: dict[str, Any] = {"prompt": "hi"} if operation == "text_completion" else {"input": "hi"}
    first, second = await kept.ask(**asked), await kept.ask(**asked)
    assert (mark_of(first), mark_of(second)) == ("miss", "hit")
    assert first.body == second.body


# Identical misses at the same time.


async def test_of_identical_misses_one_asks(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True))
    fake.options(pause_ms=5)
    sent = await asyncio.gather(*(kept.ask(stream=number % 2 == 0) for number in range(20)))
    assert sorted(mark_of(each) for each in sent) == ["hit"] * 19 + ["miss"]
    assert fake.count() == 1
    assert len({json.loads(each.body)["id"] for each in sent[1::2]}) == 1
    assert kept.called.proxy._answers.flights == 0
    assert kept.reserved == 0


async def test_without_single_flight_each_asks(kept: Kept, fake: Fake) -> None:
    fake.fail("slow-first-byte=100", times=3)
    assert await asyncio.gather(*(kept.mark() for _ in range(3))) == ["miss"] * 3
    assert fake.count() == 3


async def test_different_requests_do_not_wait_for_each_other(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True))
    fake.fail("hang")
    leaves = asyncio.Event()
    hanging = asyncio.ensure_future(kept.ask(leaves=leaves))
    await until(lambda: fake.count() == 1)
    assert await kept.mark(seed=7) == "miss"
    leaves.set()
    await hanging


async def test_when_the_one_who_asks_fails_the_next_asks(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True))
    fake.fail("slow-first-byte=200,503")
    sent = await asyncio.gather(*(kept.ask() for _ in range(5)))
    assert sorted((each.status, mark_of(each)) for each in sent) == [
        (200, "hit"), (200, "hit"), (200, "hit"), (200, "miss"), (503, "miss"),
    ]  # fmt: skip
    assert fake.count() == 2


async def test_when_the_one_who_asks_leaves_the_next_asks(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True))
    fake.fail("hang")
    leaves = asyncio.Event()
    leading = asyncio.ensure_future(kept.ask(leaves=leaves))
    await until(lambda: fake.count() == 1)
    waiting = [asyncio.ensure_future(kept.ask()) for _ in range(3)]
    await asyncio.sleep(0.05)
    leaves.set()
    assert sorted([mark_of(await each) for each in waiting]) == ["hit", "hit", "miss"]
    await leading
    assert fake.count() == 2
    assert kept.reserved == 0


async def test_one_that_waits_and_leaves_is_booked_and_does_not_disturb(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True))
    fake.fail("slow-first-byte=1000")
    leading = asyncio.ensure_future(kept.ask())
    await until(lambda: kept.called.proxy._answers.flights == 1)
    leaves = asyncio.Event()
    waiting = asyncio.ensure_future(kept.ask(leaves=leaves))
    await asyncio.sleep(0.05)
    leaves.set()
    assert (await waiting).messages == []
    assert mark_of(await leading) == "miss"
    left, led = kept.events()
    assert (left.ending, left.status, left.cost_nano, left.requests) == ("client_left", 499, 0, 0)
    assert led.ending == "completed"


async def test_one_that_waits_keeps_to_its_own_time(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True))
    fake.fail("hang")
    leaves = asyncio.Event()
    leading = asyncio.ensure_future(kept.ask(leaves=leaves))
    await until(lambda: kept.called.proxy._answers.flights == 1)
    body = b'{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 20}'
    sent = await kept.called.call("/api/routes/kept", body=body, headers=((b"x-request-timeout", b"300ms"),))
    assert (sent.status, json.loads(sent.body)["error"]["code"]) == (504, "upstream_timed_out")
    leaves.set()
    await leading
    assert {event.ending for event in kept.events()} == {"upstream_failed", "client_left"}


async def test_an_answer_that_is_not_kept_lets_all_ask_at_once(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True))
    fake.fail("slow-first-byte=100,tokens=9000", times=6)
    sent = await asyncio.gather(*(kept.ask(max_tokens=10_000) for _ in range(6)))
    assert [mark_of(each) for each in sent] == ["miss"] * 6
    assert fake.count() == 6
    assert kept.called.proxy._answers.flights == 0


async def test_no_cache_does_not_wait_for_others(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True))
    fake.fail("hang")
    leaves = asyncio.Event()
    hanging = asyncio.ensure_future(kept.ask(leaves=leaves))
    await until(lambda: fake.count() == 1)
    assert await kept.mark(said="no-cache") == "miss"
    leaves.set()
    await hanging


async def test_one_that_a_limit_refuses_makes_nobody_wait(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True))
    kept.doors.put_key(key(cost_limit_nano=1))
    await kept.refresh()
    sent = await asyncio.gather(*(kept.ask() for _ in range(10)))
    assert {each.status for each in sent} == {402}
    assert (fake.count(), kept.called.proxy._answers.flights, kept.reserved) == (0, 0, 0)


async def test_whoever_fails_or_leaves_nobody_waits_for_ever(kept: Kept, fake: Fake) -> None:
    await kept.serve(route(single_flight=True, deadline_s=1.5))
    chosen = random.Random(7)
    for fault in ("503", "hang", "drop", "cut=2", "slow=20", "slow-first-byte=150"):
        fake.fail(fault, times=2)

    async def one(number: int) -> None:
        leaves = asyncio.Event()
        if number % 3:
            asyncio.get_running_loop().call_later(chosen.uniform(0.05, 1.5), leaves.set)
        await asyncio.sleep(chosen.uniform(0, 1))
        await kept.ask(leaves=leaves, seed=number % 4, stream=bool(number % 2))

    async with asyncio.timeout(30):
        await asyncio.gather(*(one(number) for number in range(60)))
    events = kept.events()
    assert len(events) == len({event.id for event in events}) == 60
    assert (kept.called.proxy._answers.flights, kept.reserved) == (0, 0)
    assert {event.ending for event in events} <= {"completed", "client_left", "upstream_failed"}
    assert all(event.cost_nano == 0 for event in events if event.usage_source == "cache")
    fake.reset()
    assert [await kept.mark(seed=9), await kept.mark(seed=9)] == ["miss", "hit"]
