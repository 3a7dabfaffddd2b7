"""What only counters in Redis must do; the rules they share with the others are in test_counters.py."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator

import pytest
import redis

from gateway_project.shared.counters import Admitted, Balance, BalanceNeeded, CountersUnavailable, Refused
from gateway_project.shared.redis_counters import RedisCounters
from tests.gateway_project.shared.counting import SUBJECT, TOTAL, admit, limit, load, requests, usage
from tests.services import RedisServer

DAY_S = 86_400


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url, decode_responses=True)


@pytest.fixture
async def counters(redis_url: str) -> AsyncIterator[RedisCounters]:
    store = RedisCounters(redis_url)
    yield store
    await store.close()


@pytest.fixture
async def own_counters(own_redis_server: RedisServer) -> AsyncIterator[RedisCounters]:
    store = RedisCounters(own_redis_server.url, read_timeout_s=0.4, write_timeout_s=0.2)
    yield store
    await store.close()


async def test_it_shares_its_counts_with_others(counters: RedisCounters, redis_url: str) -> None:
    other = RedisCounters(redis_url)
    await load(counters, {requests(): 0})
    one = limit(requests(), maximum=50, amount=1)
    admissions = await asyncio.gather(
        *[admit(counters if number % 2 else other, str(number), one) for number in range(200)]
    )
    assert sum(isinstance(admission, Admitted) for admission in admissions) == 50
    await other.close()


async def test_it_lets_two_processes_pass_exactly_the_limit(counters: RedisCounters, redis_url: str) -> None:
    await load(counters, {requests(): 0})
    command = (sys.executable, "-m", "tests.gateway_project.shared.admit_many", redis_url)
    processes = [
        await asyncio.create_subprocess_exec(*command, name, "100", "50", stdout=asyncio.subprocess.PIPE)
        for name in ("one", "two")
    ]
    printed = [await process.communicate() for process in processes]
    assert sum(json.loads(output) for output, _ in printed) == 50
    assert await usage(counters, requests()) == ((0, 50),)


async def test_it_loads_its_scripts_again_when_they_were_flushed(counters: RedisCounters, client: redis.Redis) -> None:
    await load(counters, {TOTAL: 0})
    client.script_flush()
    assert isinstance(await admit(counters, "a"), Admitted)
    client.script_flush()
    assert await counters.settle(SUBJECT, "a", {TOTAL: 7})
    assert await usage(counters) == ((7, 0),)


async def test_it_keeps_a_subject_on_one_node_of_a_cluster(counters: RedisCounters, client: redis.Redis) -> None:
    await load(counters, {TOTAL: 0})
    await admit(counters, "a")
    await counters.settle(SUBJECT, "a", {TOTAL: 7})
    keys: list[str] = client.keys()  # type: ignore[assignment]  # the client decodes
    assert len(keys) == 2
    assert {key[key.index("{") : key.index("}") + 1] for key in keys} == {"{key:one}"}


async def test_it_never_stores_a_number_in_scientific_notation(counters: RedisCounters, client: redis.Redis) -> None:
    await load(counters, {TOTAL: 10**15})
    await admit(counters, "a", limit(TOTAL, maximum=2**53, amount=10**15), lease_s=10**7)
    await counters.settle(SUBJECT, "a", {TOTAL: 10**15})
    (key,) = client.keys("*}")
    stored = client.hgetall(key)
    assert stored["u:cost/total"] == "2000000000000000"
    assert not [value for value in stored.values() if "e+" in value]


class TestIdleSubjects:
    async def test_it_forgets_them_after_a_day(self, counters: RedisCounters, client: redis.Redis) -> None:
        await load(counters, {TOTAL: 0})
        (key,) = client.keys("*}")
        assert DAY_S - 5 < client.ttl(key) <= DAY_S

    async def test_it_counts_the_day_from_the_end_of_the_last_lease(
        self, counters: RedisCounters, client: redis.Redis
    ) -> None:
        await load(counters, {TOTAL: 0})
        (key,) = client.keys("*}")
        client.expire(key, 10)
        await admit(counters, "a", lease_s=2 * DAY_S)
        assert 3 * DAY_S - 5 < client.ttl(key) <= 3 * DAY_S

    async def test_it_keeps_them_while_something_is_reserved(
        self, counters: RedisCounters, client: redis.Redis
    ) -> None:
        await load(counters, {TOTAL: 0})
        await admit(counters, "a")
        (key,) = client.keys("*}")
        client.expire(key, 10)
        await counters.renew([(SUBJECT, "a")], 3 * DAY_S)
        assert client.ttl(key) > 3 * DAY_S

    async def test_it_forgets_what_ended_a_day_ago(self, counters: RedisCounters, client: redis.Redis) -> None:
        await load(counters, {TOTAL: 0})
        await admit(counters, "a", lease_s=0)
        await load(counters, {TOTAL: 0})
        (key,) = client.keys("*}")
        yesterday = int(time.time() * 1000) - DAY_S * 1000 - 1
        client.hset(key, mapping={"r:a": f"-{yesterday} cost/total 0:0 0", "next": "1"})
        assert (await counters.begin_rebuild(SUBJECT)).live == ()

    async def test_it_remembers_for_minutes_what_was_settled(
        self, counters: RedisCounters, client: redis.Redis
    ) -> None:
        await load(counters, {TOTAL: 0})
        await admit(counters, "a")
        await counters.settle(SUBJECT, "a", {TOTAL: 7})
        (key,) = client.keys("*}:a")
        assert 200 < client.ttl(key) <= 300


class TestRedisGone:
    async def test_it_asks_for_balances_when_redis_comes_back_empty(
        self, own_counters: RedisCounters, own_redis_server: RedisServer
    ) -> None:
        await load(own_counters, {TOTAL: 0})
        assert isinstance(await admit(own_counters, "a"), Admitted)
        own_redis_server.kill()
        with pytest.raises(CountersUnavailable):
            await admit(own_counters, "b")
        own_redis_server.start()
        assert await self._first_answer(own_counters) == BalanceNeeded()
        assert await own_counters.settle(SUBJECT, "a", {TOTAL: 7})
        await load(own_counters, {TOTAL: 7})
        assert isinstance(await admit(own_counters, "c"), Admitted)

    @staticmethod
    async def _first_answer(counters: RedisCounters) -> object:
        for _ in range(300):
            try:
                return await admit(counters, "b")
            except CountersUnavailable:
                await asyncio.sleep(0.01)
        raise TimeoutError

    async def test_it_refuses_a_ticket_from_before(
        self, own_counters: RedisCounters, own_redis_server: RedisServer
    ) -> None:
        ticket = await own_counters.begin_rebuild(SUBJECT)
        own_redis_server.kill()
        own_redis_server.start()
        await self._first_answer(own_counters)
        assert not await own_counters.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 0}))

    async def test_it_gives_up_in_time_when_redis_hangs(
        self, own_counters: RedisCounters, own_redis_server: RedisServer
    ) -> None:
        await load(own_counters, {TOTAL: 0})
        own_redis_server.pause()
        began = time.monotonic()
        outcomes = await asyncio.gather(*[admit(own_counters, str(n)) for n in range(20)], return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {CountersUnavailable}
        assert 0.3 < time.monotonic() - began < 2
        began = time.monotonic()
        with pytest.raises(CountersUnavailable):
            await admit(own_counters, "later")
        assert time.monotonic() - began < 0.2
        own_redis_server.resume()
        assert await self._first_answer(own_counters) is not None


class TestCancelled:
    async def test_it_gives_back_what_nobody_waits_for(self, counters: RedisCounters) -> None:
        await load(counters, {TOTAL: 0})
        admission = asyncio.ensure_future(admit(counters, "a", limit(amount=60)))
        await asyncio.sleep(0)
        admission.cancel()
        with pytest.raises(asyncio.CancelledError):
            await admission
        assert await usage(counters) == ((0, 0),)

    async def test_it_leaves_the_subject_in_peace_when_it_was_refused(self, counters: RedisCounters) -> None:
        await load(counters, {TOTAL: 100})
        admission = asyncio.ensure_future(admit(counters, "a"))
        await asyncio.sleep(0)
        admission.cancel()
        await asyncio.gather(admission, return_exceptions=True)
        assert isinstance(await admit(counters, "b"), Refused)

    async def test_it_keeps_the_replies_of_others_in_order(self, counters: RedisCounters) -> None:
        await load(counters, {TOTAL: 0})
        admissions = [asyncio.ensure_future(admit(counters, str(n), limit(amount=1))) for n in range(20)]
        await asyncio.sleep(0)
        for admission in admissions[::2]:
            admission.cancel()
        await asyncio.gather(*admissions, return_exceptions=True)
        assert [task.result() for task in admissions[1::2]] == [Admitted(((0, held),)) for held in range(2, 21, 2)]
        assert await usage(counters) == ((0, 10),)


async def test_it_says_what_redis_refused(counters: RedisCounters, client: redis.Redis) -> None:
    await load(counters, {TOTAL: 0})
    (key,) = client.keys("*}")
    client.delete(key)
    client.set(key, "not a hash")
    with pytest.raises(CountersUnavailable, match="WRONGTYPE"):
        await admit(counters, "a")


async def test_it_puts_back_what_it_holds_when_redis_comes_back_empty(
    own_counters: RedisCounters, own_redis_server: RedisServer
) -> None:
    await load(own_counters, {TOTAL: 80})
    await admit(own_counters, "held")
    await own_counters.extend(SUBJECT, "held", [limit(amount=5)])
    await admit(own_counters, "settled", limit(amount=1))
    await own_counters.settle(SUBJECT, "settled", {TOTAL: 1})
    own_redis_server.kill()
    own_redis_server.start()
    await answering(own_counters)
    await load(own_counters, {TOTAL: 81})
    assert isinstance(await admit(own_counters, "late", limit(amount=5)), Refused)
    assert await usage(own_counters) == ((81, 15),)
    assert await own_counters.settle(SUBJECT, "held", {TOTAL: 3})
    assert await usage(own_counters) == ((84, 0),)


async def test_it_puts_nothing_back_that_redis_still_knows(
    own_counters: RedisCounters, own_redis_server: RedisServer
) -> None:
    await load(own_counters, {TOTAL: 0})
    await admit(own_counters, "a")
    cut_connections(own_redis_server)
    await answering(own_counters)
    assert await usage(own_counters) == ((0, 10),)


async def test_a_balance_is_read_again_when_something_is_put_back_meanwhile(
    own_counters: RedisCounters, own_redis_server: RedisServer
) -> None:
    await load(own_counters, {TOTAL: 0})
    await admit(own_counters, "held")
    other = RedisCounters(own_redis_server.url)
    with redis.Redis.from_url(own_redis_server.url) as client:
        client.flushall()
    ticket = await other.begin_rebuild(SUBJECT)
    cut_connections(own_redis_server)
    await answering(own_counters)
    await answering(other)
    assert not await other.finish_rebuild(SUBJECT, ticket, Balance({TOTAL: 0}))
    assert await admit(other, "late") == BalanceNeeded()
    await load(other, {TOTAL: 0})
    assert await usage(other) == ((0, 10),)
    await other.close()


async def test_no_rebuild_begins_before_everybody_could_come_back(own_redis_server: RedisServer) -> None:
    store = RedisCounters(own_redis_server.url, regroup_s=1.5)
    began = time.monotonic()
    await load(store, {TOTAL: 0})
    assert 0.4 < time.monotonic() - began < 3
    began = time.monotonic()
    await load(store, {TOTAL: 0}, subject="key:two")
    assert time.monotonic() - began < 0.4
    await store.close()


async def test_who_stops_waiting_for_more_keeps_what_it_has(
    own_counters: RedisCounters, own_redis_server: RedisServer
) -> None:
    await load(own_counters, {TOTAL: 0})
    await admit(own_counters, "a")
    own_redis_server.pause()
    asking = asyncio.create_task(own_counters.extend(SUBJECT, "a", [limit(amount=5)]))
    await asyncio.sleep(0.05)
    asking.cancel()
    own_redis_server.resume()
    await asyncio.wait([asking])
    assert await own_counters.settle(SUBJECT, "a", {TOTAL: 7})
    assert await usage(own_counters) == ((7, 0),)


def cut_connections(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.client_kill_filter(_type="normal", skipme=True)


async def answering(counters: RedisCounters) -> None:
    """Until the counters have found their server again."""
    for _ in range(100):
        try:
            await counters.renew([(SUBJECT, "nobody")], 60)
        except CountersUnavailable:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("Redis did not answer again")
