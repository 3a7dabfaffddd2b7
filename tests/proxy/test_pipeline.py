"""Tests of the way through the stages: whatever happens, a request is booked once and nothing stays reserved."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from tests.proxy.asgi import Called, called_proxy
from tests.proxy_gateway import PlainDoors, key, openai_setting, price
from tests.upstream import Upstream as Fake
from tests.upstream import upstream_in_thread

CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]%b}'


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture
async def called(fake: Fake) -> AsyncIterator[Called]:
    fake.reset()
    doors = PlainDoors(settings={"setting-1": openai_setting(fake.url)}, prices={("openai", "gpt-4o"): price()})
    doors.put_key(key(cost_limit_nano=10**9, request_limit=100, request_window_unit="d"))
    async with called_proxy(doors) as made:
        yield made


def reserved(called: Called) -> int:
    subject = called.counters._subjects[f"key:{key().id}"]
    return len(subject.reservations) + sum(counter.reserved for counter in subject.counters.values())


async def test_an_answer_is_booked_once(called: Called) -> None:
    sent = await called.call(body=CHAT % b"")
    assert (sent.status, sent.complete) == (200, True)
    [event] = called.events()
    assert event.id.encode() == sent.headers[b"x-request-id"]
    assert reserved(called) == 0


async def test_a_refusal_is_booked_once(called: Called) -> None:
    for body in (b"{", b'{"model":"unpriced"}'):
        await called.call(body=body)
    assert [(event.status, event.ending, event.error_code) for event in called.events()] == [
        (400, "refused", "invalid_json"), (403, "refused", "model_unpriced"),
    ]  # fmt: skip


async def test_a_bug_is_booked_too_and_gives_back_what_it_held(called: Called) -> None:
    await called.proxy._upstream.close()  # from now on it raises what nobody expects
    with structlog.testing.capture_logs() as logs:
        sent = await called.call(body=CHAT % b"")
    assert [(line["event"], line["request_id"].encode()) for line in logs] == [
        ("request_failed", sent.headers[b"x-request-id"])
    ]
    assert (sent.status, sent.complete) == (500, True)
    error = json.loads(sent.body)["error"]
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    [event] = called.events()
    assert (event.ending, event.error_code, event.status) == ("upstream_failed", "answer_broken", 500)
    assert reserved(called) == 0


@pytest.mark.parametrize("stream", [b"", b',"stream":true'])
async def test_a_client_that_leaves_is_booked_once(called: Called, fake: Fake, stream: bytes) -> None:
    leaves = asyncio.Event()
    headers = ((b"x-fake-fault", b"slow-first-byte=5000"),)
    calling = asyncio.ensure_future(called.call(body=CHAT % stream, headers=headers, leaves=leaves))
    await asyncio.to_thread(fake.wait_for, lambda request: True)
    leaves.set()
    sent = await calling
    assert sent.messages == []
    [event] = called.events()
    assert (event.ending, event.status, event.input_tokens) == ("client_left", 499, 8)
    assert reserved(called) == 0


async def test_a_client_that_leaves_the_moment_its_answer_ends_is_booked_once(called: Called, fake: Fake) -> None:
    """Whichever of the two comes first."""
    headers = ((b"x-fake-fault", b"slow=10,tokens=27"),)
    for pause_s in (0.24, 0.26, 0.28, 0.3, 0.32, 0.34):
        leaves = asyncio.Event()
        asyncio.get_running_loop().call_later(pause_s, leaves.set)
        await called.call(body=CHAT % b',"stream":true', headers=headers, leaves=leaves)
    events = called.events()
    assert len(events) == len({event.id for event in events}) == 6
    assert reserved(called) == 0
    used = called.counters._subjects[f"key:{key().id}"].counters["cost", "total"].used
    assert used == sum(event.cost_nano for event in events)


async def test_a_request_that_is_cancelled_by_its_server_is_booked(called: Called, fake: Fake) -> None:
    calling = asyncio.ensure_future(called.call(body=CHAT % b"", headers=((b"x-fake-fault", b"hang"),)))
    await asyncio.to_thread(fake.wait_for, lambda request: True)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    [event] = called.events()
    assert (event.ending, event.error_code, event.input_tokens) == ("upstream_failed", "gateway_stopping", 8)
    assert reserved(called) == 0


async def test_many_that_leave_at_random_leave_nothing_behind(called: Called, fake: Fake) -> None:
    async def one(number: int) -> None:
        leaves = asyncio.Event()
        if number % 5:
            asyncio.get_running_loop().call_later(0.02 * (number % 25), leaves.set)
        headers = ((b"x-fake-fault", b"slow=15,tokens=60"),)
        await called.call(body=CHAT % b',"stream":true', headers=headers, leaves=leaves)

    await asyncio.gather(*(one(number) for number in range(50)))
    events = called.events()
    assert len(events) == len({event.id for event in events}) == 50
    assert {event.ending for event in events} == {"completed", "client_left"}
    assert all(event.output_tokens == 60 for event in events if event.ending == "completed")
    assert reserved(called) == 0
    assert called.proxy._ledger.running == 0
    assert not called.proxy._sweeper._watched
