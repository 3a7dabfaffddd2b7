"""Tests of what a hit costs, counts and leaves in the books."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway_project.shared.counters import Balance, CounterId
from keys.records import KeyRecord
from proxy.cache_entry import Entry
from routes.records import RouteStepRecord
from tests.proxy.asgi import called_proxy
from tests.proxy.caching import Kept, mark_of, route
from tests.proxy_gateway import PlainDoors, key, openai_setting, price
from tests.upstream import Upstream as Fake
from tests.upstream import upstream_in_thread

TOTAL = CounterId("cost", "total", 0, 0)


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
    doors.put_key(key())
    async with called_proxy(doors) as called:
        yield Kept(called, doors)


async def become(kept: Kept, record: KeyRecord) -> None:
    """From now on the key is this."""
    kept.doors.put_key(record)
    await kept.refresh()


def used(kept: Kept, kind: str, unit: str) -> int:
    counter = kept.called.counters._subjects[f"key:{key().id}"].counters[kind, unit]
    assert counter.reserved == 0
    return counter.used


async def test_a_hit_counts_as_a_request_and_costs_nothing(kept: Kept) -> None:
    await become(kept, key(cost_limit_nano=10**9, request_limit=100, request_window_unit="d"))
    for _ in range(3):
        sent = await kept.ask()
    assert sent.headers[b"x-ratelimit-remaining-requests"] == b"97"
    missed, *hits = kept.events()
    assert missed.cost_nano > 0
    assert used(kept, "cost", "total") == missed.cost_nano
    assert used(kept, "requests", "d") == 3
    assert [(hit.requests, hit.cost_nano, hit.price_status) for hit in hits] == [(1, 0, "free")] * 2


async def test_a_hit_says_so_in_the_books(kept: Kept) -> None:
    await kept.ask()
    await kept.ask(stream=True)
    hit = kept.events()[-1]
    assert (hit.provider, hit.usage_source, hit.route_id, hit.attempts, hit.setting_id) == (
        "cached", "cache", "route-1", 0, "",
    )  # fmt: skip
    assert (hit.status, hit.ending, hit.operation, hit.stream) == (200, "completed", "chat", True)
    assert (hit.input_tokens, hit.output_tokens, hit.response_model) == (0, 0, "gpt-4o")
    assert hit.time_to_first_chunk_ms is not None
    assert hit.upstream_latency_ms is None


async def test_a_hit_says_where_it_comes_from(kept: Kept) -> None:
    missed = await kept.ask()
    assert b"age" not in missed.headers
    hit = await kept.ask()
    told = {name: hit.headers[b"x-gateway-" + name] for name in (b"cache", b"attempts", b"provider", b"model")}
    assert told == {b"cache": b"hit", b"attempts": b"0", b"provider": b"openai", b"model": b"gpt-4o"}
    assert int(hit.headers[b"age"]) in range(60)
    assert b"x-upstream-request-id" not in hit.headers


@pytest.mark.parametrize("spent", [10**9, 10**9 + 5])
async def test_a_hit_needs_no_room_for_cost(kept: Kept, spent: int) -> None:
    await kept.ask()
    kept.doors.balance = Balance({TOTAL: spent})
    await become(kept, key(cost_limit_nano=10**9))
    assert mark_of(await kept.ask()) == "hit"
    refused = await kept.ask(seed=1)
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (402, "cost_limit_reached")
    assert mark_of(await kept.ask()) == "hit"
    assert used(kept, "cost", "total") == spent


async def test_a_hit_needs_room_for_a_request(kept: Kept) -> None:
    await become(kept, key(request_limit=2, request_window_unit="d"))
    assert [(await kept.ask()).status for _ in range(3)] == [200, 200, 429]
    refused = kept.events()[-1]
    assert (refused.ending, refused.requests, refused.error_code) == ("refused", 0, "rate_limit_reached")


async def test_a_miss_needs_room_for_its_cost(kept: Kept) -> None:
    await become(kept, key(cost_limit_nano=10))
    sent = await kept.ask()
    assert sent.status in (402, 429)
    assert kept.reserved == 0


async def test_a_model_without_a_price_can_be_given_again_under_a_cost_limit(kept: Kept) -> None:
    await kept.ask()
    kept.doors.prices.clear()
    await become(kept, key(cost_limit_nano=10**9))
    assert mark_of(await kept.ask()) == "hit"
    assert (await kept.ask(seed=1)).status == 403


async def test_a_hit_is_logged_for_keys_that_ask_for_it(kept: Kept) -> None:
    await become(kept, key(should_log_request=True, should_log_response=True))
    await kept.ask()
    sent = await kept.ask()
    hit = kept.events()[-1]
    assert (hit.response_body, hit.usage_source) == (sent.body.decode(), "cache")
    assert '"hi"' in (hit.request_body or "")


async def test_what_a_model_is_called_cannot_break_a_header(kept: Kept) -> None:
    await kept.ask()
    store = kept.called.proxy._answers._store
    [name] = store._kept  # type: ignore[attr-defined]
    store.put(name, Entry("chat", False, b"{}", 0, "openai", "m\r\nx-evil: 1 é"), 60)
    sent = await kept.ask()
    assert sent.headers[b"x-gateway-model"] == b"mx-evil: 1 ?"


async def test_what_a_later_step_answered_is_kept_as_its_own(kept: Kept, fake: Fake) -> None:
    kept.doors.prices["openai", "gpt-4o-mini"] = price(model="gpt-4o-mini")
    steps = (RouteStepRecord("openai", "gpt-4o"), RouteStepRecord("openai", "gpt-4o-mini"))
    await kept.serve(route(steps=steps))
    fake.fail("503")
    missed, hit = await kept.ask(), await kept.ask(stream=True)
    assert (mark_of(missed), missed.headers[b"x-gateway-attempts"]) == ("miss", b"2")
    assert (mark_of(hit), hit.headers[b"x-gateway-attempts"]) == ("hit", b"0")
    assert hit.headers[b"x-gateway-model"] == b"gpt-4o-mini"
    first, second = kept.events()
    assert (first.attempts, second.attempts, second.cost_nano, second.attempt_details) == (2, 0, 0, None)
    assert fake.count() == 2
