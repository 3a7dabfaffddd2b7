"""kill -9 of each part under load: what a client saw completed is in the books once, and everything agrees."""

import asyncio
import secrets
from dataclasses import dataclass

import httpx
import pytest

from tests.end_to_end.books import counters_in_redis, twice, wait_until
from tests.end_to_end.callers import CHAT_PATH, Load, Seen, call, client_for
from tests.end_to_end.gateways import Whole
from tests.services import RedisServer

pytestmark = pytest.mark.end_to_end

CALLERS = 30
# Reached under every load, and not before something is killed.
FEW = 45
LEASE_S = 2


@dataclass(frozen=True)
class Keys:
    """Fresh keys, each limited in its own way: ids by secret."""

    many: str
    costly: str
    few: str
    ids: dict[str, str]

    @staticmethod
    def made_for(whole: Whole) -> "Keys":
        many, costly, few = (f"{name} {secrets.token_hex(4)}" for name in ("many", "costly", "few"))
        ids = {
            many: whole.new_key(many, rateLimitOverTime=1_000_000, rateLimitUnit="d"),
            costly: whole.new_key(costly, costLimitInUsd=5),
            few: whole.new_key(few, rateLimitOverTime=FEW, rateLimitUnit="d"),
        }
        return Keys(many, costly, few, ids)


def check_books(whole: Whole, keys: Keys, seen: list[Seen], in_flight: int) -> None:
    """in_flight: how many requests the kill may have cut short."""
    whole.books.wait_until_all_is_stored()
    assert "Traceback" not in whole.process.output
    complete = [one for one in seen if one.complete]
    extra = 0
    for secret, key_id in keys.ids.items():
        told = {one.request_id for one in complete if one.secret == secret}
        events = whole.books.events(key_id)
        booked = {event.id for event in events}
        assert not twice(event.id for event in events)
        assert told - booked == set(), f"{len(told - booked)} of {len(told)} completed requests have no event"
        extra += len(booked - told)
        requests, cost_nano = whole.books.total(key_id)
        assert requests == sum(event.admitted for event in events)
        assert cost_nano == sum(event.cost_nano for event in events)
    assert extra <= in_flight
    # What dies half-way with its proxy was no success; another request may have its place.
    assert sum(1 for one in complete if one.secret == keys.few and one.status == 200) <= FEW
    assert sum(event.admitted for event in whole.books.events(keys.ids[keys.few])) <= FEW


def ask(whole: Whole, secret: str) -> httpx.Response:
    body = {"model": "gpt-4o-mini", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.post(f"{whole.url}{CHAT_PATH}", json=body, headers=headers, trust_env=False, timeout=20)


def check_counters_in_memory(whole: Whole, keys: Keys) -> None:
    """The proxy's own counter, as the next answer tells it, is what the ledger says."""
    for secret in (keys.many, keys.few):
        used, _ = whole.books.total(keys.ids[secret])
        answer = ask(whole, secret)
        if answer.status_code == 200:
            limit = int(answer.headers["x-ratelimit-limit-requests"])
            assert limit - int(answer.headers["x-ratelimit-remaining-requests"]) == used + 1
        else:
            assert (answer.status_code, used) == (429, FEW)


def check_counters_in_redis(whole: Whole, keys: Keys) -> None:
    """Once what died has lost its leases, the next request finds counters that agree with the ledger."""
    assert whole.redis is not None
    url = whole.redis.url
    for secret, counter in ((keys.many, "requests/d"), (keys.few, "requests/d"), (keys.costly, "cost/total")):
        key_id = keys.ids[secret]

        def agrees(secret: str = secret, key_id: str = key_id, counter: str = counter) -> bool:
            ask(whole, secret)
            whole.books.wait_until_all_is_stored()
            state = counters_in_redis(url, key_id)
            ledger = whole.books.total(key_id)[counter.startswith("cost")]
            return state.held(counter) == 0 and state.used(counter) == ledger

        wait_until(agrees, LEASE_S + 10, f"{secret}: the counters do not agree with the ledger")


@pytest.mark.parametrize("role", ["worker", "proxy"])
def test_embedded_nothing_is_lost_when_a_process_is_killed(embedded: Whole, role: str) -> None:
    keys = Keys.made_for(embedded)
    with Load([embedded.url], list(keys.ids), callers=CALLERS) as load:
        load.wait_for(60)
        in_flight = load.in_flight
        killed = embedded.kill(role)
        embedded.wait_until_replaced(role, killed)
        load.wait_for(30)
        load.wait_for(1, status=429)
    check_books(embedded, keys, load.seen, in_flight if role == "proxy" else 0)
    check_counters_in_memory(embedded, keys)


@pytest.mark.parametrize("role", ["worker", "proxy"])
def test_on_services_nothing_is_lost_when_a_process_is_killed(on_services: Whole, role: str) -> None:
    keys = Keys.made_for(on_services)
    with Load([on_services.url], list(keys.ids), callers=CALLERS) as load:
        load.wait_for(60)
        in_flight = load.in_flight
        killed = on_services.kill(role)
        on_services.wait_until_replaced(role, killed, count=2 if role == "proxy" else 1)
        load.wait_for(30)
        load.wait_for(1, status=429)
    check_books(on_services, keys, load.seen, in_flight if role == "proxy" else 0)
    check_counters_in_redis(on_services, keys)


def test_nothing_is_lost_when_redis_is_killed_and_comes_back_empty(on_services: Whole) -> None:
    assert on_services.redis is not None
    keys = Keys.made_for(on_services)
    with Load([on_services.url], list(keys.ids), callers=CALLERS) as load:
        load.wait_for(60)
        on_services.redis.kill()
        load.wait_for(10, status=503)
        on_services.redis.start()
        load.wait_for(60)
        load.wait_for(1, status=429)
    check_books(on_services, keys, load.seen, 0)
    check_counters_in_redis(on_services, keys)


def test_what_runs_while_redis_is_lost_still_counts_when_it_is_back(on_services: Whole) -> None:
    assert on_services.redis is not None
    secret = f"held {secrets.token_hex(4)}"
    key_id = on_services.new_key(secret, rateLimitOverTime=10, rateLimitUnit="d")
    long, late = asyncio.run(call_around_a_loss(on_services, on_services.redis, secret))
    assert all(one.status == 200 and one.complete for one in long)
    assert sum(one.status == 200 for one in late) == 4
    assert {one.status for one in late} == {200, 429}
    on_services.books.wait_until_all_is_stored()
    assert on_services.books.total(key_id)[0] == 10


async def call_around_a_loss(whole: Whole, redis: RedisServer, secret: str) -> tuple[list[Seen], list[Seen]]:
    """Six streams that begin before Redis is lost and end after ten more requests were made."""
    async with client_for(whole.url) as client:
        long = [asyncio.create_task(call(client, secret, stream=True, fault="slow=500,tokens=16")) for _ in range(6)]
        await asyncio.sleep(0.5)
        redis.kill()
        redis.start()
        late = await asyncio.gather(*(answered(client, secret) for _ in range(10)))
        assert not any(task.done() for task in long)
        return await asyncio.gather(*long), late


async def answered(client: httpx.AsyncClient, secret: str) -> Seen:
    """Tried again, as 503 asks for, until the counters answer."""
    while (seen := await call(client, secret)).status == 503:
        await asyncio.sleep(0.2)
    return seen
