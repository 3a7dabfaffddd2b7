"""Tests of limits under concurrency, with counters in memory and with Redis and two proxies."""

import asyncio
import functools
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway_project.shared import clock
from gateway_project.shared.redis_counters import RedisCounters
from keys.records import KeyRecord
from providers.records import PriceRecord
from tests.proxy_gateway import PlainDoors, RunningProxy, key, openai_setting, proxy_in_thread, waited_for
from tests.upstream import Upstream

CALLERS = 200
SECRET = "a shared secret"


@dataclass(frozen=True)
class Fleet:
    """Proxies that share counters, and one key."""

    gateways: Sequence[RunningProxy]
    doors: PlainDoors

    def give(self, **limits: Any) -> None:
        """Replace the key."""
        for gateway in self.gateways:
            gateway.doors.put_key(key(**limits), SECRET)

    def call(self, count: int, **members: Any) -> list[httpx.Response]:
        """So many chats at once, taking turns among the proxies."""
        return asyncio.run(self._call(count, members))

    async def _call(self, count: int, members: dict[str, Any]) -> list[httpx.Response]:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 16, **members}
        limits = httpx.Limits(max_connections=None)
        headers = {"authorization": f"Bearer {SECRET}"}
        async with httpx.AsyncClient(limits=limits, headers=headers, timeout=30) as client:
            urls = [self.gateways[i % len(self.gateways)].openai_url for i in range(count)]
            return await asyncio.gather(*(client.post(f"{url}/chat/completions", json=body) for url in urls))


@pytest.fixture(params=["memory", "redis"])
def fleet(
    request: pytest.FixtureRequest, upstream: Upstream, prices: dict[tuple[str, str], PriceRecord]
) -> Iterator[Fleet]:
    with ExitStack() as stack:
        if request.param == "memory":
            makes: list[Any] = [None]
        else:
            url = request.getfixturevalue("redis_url")
            makes = [functools.partial(RedisCounters, url, read_timeout_s=10, write_timeout_s=10)] * 2
        gateways = []
        for make in makes:
            doors = PlainDoors(settings={"setting-1": openai_setting(upstream.url)}, prices=prices)
            options = {"make_counters": make} if make else {}
            gateways.append(stack.enter_context(proxy_in_thread(doors, **options)))
        yield Fleet(gateways, gateways[0].doors)


def usage_nano(answer: httpx.Response) -> int:
    """What an answer costs by its own usage, at 1 and 2 nano-dollars a token."""
    usage = answer.json()["usage"]
    return int(usage["prompt_tokens"] + 2 * usage["completion_tokens"])


def test_exactly_as_many_requests_pass_as_the_limit_says(fleet: Fleet, upstream: Upstream) -> None:
    fleet.give(request_limit=50, request_window_unit="d")
    answers = fleet.call(CALLERS)
    assert Counter(answer.status_code for answer in answers) == {200: 50, 429: 150}
    assert upstream.count() == 50
    remaining = [int(a.headers["x-ratelimit-remaining-requests"]) for a in answers if a.status_code == 200]
    assert sorted(remaining) == list(range(50))
    events = [event for gateway in fleet.gateways for event in gateway.events()]
    assert Counter((event.status, event.requests) for event in events) == {(200, 1): 50, (429, 0): 150}


def test_spend_never_exceeds_the_limit(fleet: Fleet, upstream: Upstream) -> None:
    limit = 3_000
    fleet.give(cost_limit_nano=limit)
    answers = fleet.call(CALLERS)
    for _ in range(40):  # refused for what was in flight: with that settled, more fit
        answers += fleet.call(20)
        if any(answer.status_code == 402 for answer in answers):
            break
    spent = sum(usage_nano(answer) for answer in answers if answer.status_code == 200)
    assert limit - 250 < spent <= limit
    assert {answer.status_code for answer in answers} == {200, 402, 429}
    for answer in answers:
        if answer.status_code == 429:
            assert (answer.json()["error"]["code"], answer.headers["retry-after"]) == ("cost_limit_held", "1")
        elif answer.status_code == 402:
            assert answer.headers["x-should-retry"] == "false"
            assert "retry-after" not in answer.headers
    booked = sum(event.cost_nano for gateway in fleet.gateways for event in gateway.events())
    assert booked == spent
    assert upstream.count() == sum(answer.status_code == 200 for answer in answers)


def test_streams_stay_within_the_limit_too(fleet: Fleet) -> None:
    limit = 2_000
    fleet.give(cost_limit_nano=limit)
    answers = fleet.call(60, stream=True, stream_options={"include_usage": True})
    spent = 0
    for answer in answers:
        if answer.status_code == 200:
            usage = json.loads(answer.text.split("\n\n")[-3].removeprefix("data: "))["usage"]
            spent += usage["prompt_tokens"] + 2 * usage["completion_tokens"]
    assert 0 < spent <= limit
    assert sum(event.cost_nano for gateway in fleet.gateways for event in gateway.events()) == spent


def test_nothing_stays_reserved(fleet: Fleet) -> None:
    """After a crowd of which many were refused, the whole rest of the limit can be spent."""
    fleet.give(cost_limit_nano=100_000, request_limit=300, request_window_unit="d")
    fleet.call(100)
    last = fleet.call(1)[0]
    assert last.headers["x-ratelimit-remaining-requests"] == "199"
    used = sum(event.cost_nano for gateway in fleet.gateways for event in gateway.events())
    body_bound = 100_000 - used
    refused = fleet.call(1, max_tokens=body_bound // 2)[0]
    assert refused.status_code == 402
    limit = refused.json()["error"]["metadata"]["limit"]
    assert (limit["used"], limit["reserved"]) == (used / 1e9, 0)


def test_a_new_limit_counts_what_is_spent(fleet: Fleet) -> None:
    fleet.give(cost_limit_nano=10_000)
    assert fleet.call(1)[0].status_code == 200
    fleet.give(cost_limit_nano=100)
    assert waited_for(lambda: fleet.call(1)[0].status_code == 402)


@pytest.fixture
def early_in_the_minute() -> None:
    if clock.now() % 60 > 54:
        time.sleep(60 - clock.now() % 60 + 0.1)


def test_a_window_of_cost_says_when_it_ends(fleet: Fleet, early_in_the_minute: None) -> None:
    fleet.give(cost_window_limit_nano=250, cost_window_unit="m")
    answers = [fleet.call(1)[0] for _ in range(4)]
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "cost_limit_reached")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    # What never fits into a window is not to be tried again.
    too_large = fleet.call(1, max_tokens=1000)[0]
    assert (too_large.status_code, too_large.headers["x-should-retry"]) == (402, "false")


def test_a_new_window_begins_anew(fleet: Fleet) -> None:
    fleet.give(request_limit=2, request_window_unit="s")

    def passed() -> int:
        return sum(answer.status_code == 200 for answer in fleet.call(4))

    # Four at once may fall into two windows; each lets two pass.
    assert 2 <= passed() <= 4
    time.sleep(1.05)
    assert 2 <= passed() <= 4


@pytest.mark.parametrize("changes", [{"revoked": True}, {"expires_at": 1}, {"setting_ids": ()}])
def test_a_changed_key_is_refused_within_a_second(fleet: Fleet, changes: dict[str, Any]) -> None:
    fleet.give()
    assert {answer.status_code for answer in fleet.call(4)} == {200}
    fleet.give(**changes)
    changed_at = time.monotonic()
    expected = 403 if "setting_ids" in changes else 401
    waited_for(lambda: {answer.status_code for answer in fleet.call(4)} == {expected}, 1.0)
    assert time.monotonic() - changed_at < 1
    assert {answer.status_code for answer in fleet.call(10)} == {expected}


def test_a_key_that_did_not_exist_is_known_soon_after_it_does(fleet: Fleet) -> None:
    record: KeyRecord = key(id="00000000-0000-4000-8000-00000000000a")
    assert {answer.status_code for answer in fleet.call(4)} == {401}
    for gateway in fleet.gateways:
        gateway.doors.put_key(record, SECRET)
    waited_for(lambda: {answer.status_code for answer in fleet.call(4)} == {200}, 1.0)
