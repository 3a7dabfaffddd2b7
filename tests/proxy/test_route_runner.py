"""Tests of running routes, through the whole pipeline without a server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from reporting.records import UsageEventRecord
from routes.records import RouteRecord, RouteStepRecord
from tests.proxy.asgi import Called, called_proxy
from tests.proxy.builders import Sent
from tests.proxy_gateway import PlainDoors, key, openai_setting, price
from tests.upstream import Upstream as Fake
from tests.upstream import upstream_in_thread

PATH = "/api/routes/test"
CHAT = b'{"messages":[{"role":"user","content":"hi"}],"max_tokens":20%b}'
# What the fake upstream says it was: 3 for the request, 4 for the message, a word; 16 tokens of answer at 2.
PROMPT, ANSWER = 8, 32


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with upstream_in_thread() as running:
        yield running


def step(model: str = "gpt-4o", **changes: Any) -> RouteStepRecord:
    return RouteStepRecord(**{"provider": "openai", "model": model, "retry_interval_s": 0.01, **changes})


def route(*steps: RouteStepRecord, **changes: Any) -> RouteRecord:
    values = {"id": "route-1", "name": "test", "path": "/test", "operation": "chat", "key_ids": frozenset({key().id})}
    return RouteRecord(**{**values, "steps": steps, **changes})


class Routed:
    """A proxy with one key and one route."""

    def __init__(self, called: Called, doors: PlainDoors, fake: Fake) -> None:
        self.called = called
        self.doors = doors
        self.fake = fake

    async def serve(self, made: RouteRecord) -> None:
        """From now on this is the route."""
        self.doors.routes = {made.path: made}
        self.doors.version += 1
        while self.called.proxy._snapshots.current.version != self.doors.version:
            await asyncio.sleep(0.01)

    async def call(self, body: bytes = CHAT % b"", **options: Any) -> Sent:
        return await self.called.call(PATH, body=body, **options)

    def event(self) -> UsageEventRecord:
        [event] = self.called.events()
        return event

    def used(self) -> tuple[int, int]:
        """(spent, reserved) of the key's cost limit."""
        subject = self.called.counters._subjects[f"key:{key().id}"]
        assert not subject.reservations
        counter = subject.counters["cost", "total"]
        return counter.used, counter.reserved


@pytest.fixture
async def routed(fake: Fake) -> AsyncIterator[Routed]:
    fake.reset()
    doors = PlainDoors(
        settings={
            "setting-1": openai_setting(fake.url),
            "setting-down": openai_setting("http://127.0.0.1:9", id="setting-down", provider="deepinfra"),
        },
        prices={("openai", name): price(model=name) for name in ("gpt-4o", "gpt-4o-mini")},
    )
    doors.put_key(key(cost_limit_nano=10**9, request_limit=100, request_window_unit="d"))
    async with called_proxy(doors) as made:
        yield Routed(made, doors, fake)


async def test_the_first_step_answers(routed: Routed) -> None:
    await routed.serve(route(step(request_params={"temperature": 0}), step("gpt-4o-mini")))
    sent = await routed.call(CHAT % b',"odd":1.0')
    assert (sent.status, sent.complete) == (200, True)
    assert routed.fake.last().body == (
        b'{"temperature":0,"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"max_tokens":20,"odd":1.0}'
    )
    assert sent.headers[b"x-gateway-attempts"] == b"1"
    assert sent.headers[b"x-gateway-provider"] == b"openai"
    assert sent.headers[b"x-gateway-model"] == b"gpt-4o"
    event = routed.event()
    assert (event.route_id, event.attempts, event.request_model) == ("route-1", 1, "gpt-4o")
    assert (event.cost_nano, event.usage_source) == (PROMPT + ANSWER, "upstream")
    assert routed.used() == (PROMPT + ANSWER, 0)


async def test_the_next_step_answers_when_the_first_fails(routed: Routed) -> None:
    await routed.serve(route(step(retries=1), step("gpt-4o-mini")))
    routed.fake.fail("503", times=2)
    sent = await routed.call()
    assert (sent.status, sent.headers[b"x-gateway-attempts"]) == (200, b"3")
    assert json.loads(sent.body)["model"] == "gpt-4o-mini"
    event = routed.event()
    assert event.attempt_details is not None
    assert [(each.model, each.status, each.cost_nano) for each in event.attempt_details] == [
        ("gpt-4o", 503, 0), ("gpt-4o", 503, 0), ("gpt-4o-mini", 200, PROMPT + ANSWER),
    ]  # fmt: skip
    assert event.cost_nano == PROMPT + ANSWER
    assert routed.used() == (PROMPT + ANSWER, 0)


def details(event: UsageEventRecord) -> list[tuple[str, int, str]]:
    return [(each.model, each.status, each.error_code) for each in event.attempt_details or ()]


def error_of(sent: Sent) -> str:
    code: str = json.loads(sent.body)["error"]["code"]
    return code


async def test_who_is_not_named_is_refused_before_anything_is_asked(routed: Routed) -> None:
    await routed.serve(route(step(), key_ids=frozenset({"somebody else"})))
    sent = await routed.call()
    assert (sent.status, error_of(sent)) == (403, "route_not_allowed")
    assert routed.fake.count() == 0
    event = routed.event()
    assert (event.route_id, event.requests, event.attempts, event.ending) == ("route-1", 0, 0, "refused")


async def test_a_step_the_key_may_not_take_is_left_out(routed: Routed) -> None:
    """No setting for its provider, or no price under a cost limit."""
    await routed.serve(route(step(provider="deepinfra"), step("unpriced"), step()))
    sent = await routed.call()
    assert (sent.status, sent.headers[b"x-gateway-attempts"]) == (200, b"1")
    await routed.serve(route(step("unpriced"), step(provider="deepinfra")))
    sent = await routed.call()
    assert (sent.status, error_of(sent)) == (403, "model_unpriced")
    await routed.serve(route(step(provider="nobody")))
    sent = await routed.call()
    assert (sent.status, error_of(sent)) == (503, "route_unusable")
    assert routed.fake.count() == 1


async def test_bodies_are_checked_for_every_step_before_the_first(routed: Routed) -> None:
    await routed.serve(route(step(), step(request_params={"seed": 7})))
    sent = await routed.call(CHAT % b',"seed":1,"seed":2')
    assert (sent.status, error_of(sent)) == (400, "duplicate_member")
    sent = await routed.call(CHAT % b',"n":"many"')
    assert (sent.status, error_of(sent)) == (400, "invalid_member")
    assert routed.fake.count() == 0


async def test_the_same_step_is_asked_again_only_where_that_helps(routed: Routed) -> None:
    await routed.serve(route(step(retries=3)))
    routed.fake.fail("bad-status=422")
    sent = await routed.call()
    assert (sent.status, sent.headers[b"x-gateway-attempts"]) == (422, b"1")
    routed.fake.fail("bad-status=409")
    sent = await routed.call()
    assert (sent.status, sent.headers[b"x-gateway-attempts"]) == (200, b"2")


async def test_a_providers_retry_after_is_kept_to_when_it_fits(routed: Routed, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(routed.called.proxy._routes, "_pause", pause)
    await routed.serve(route(step(retries=1), step("gpt-4o-mini"), deadline_s=60.0))
    routed.fake.fail("429=7")
    sent = await routed.call()
    assert (json.loads(sent.body)["model"], waits) == ("gpt-4o", [7.0])
    routed.fake.fail("429=61")
    sent = await routed.call()
    assert (json.loads(sent.body)["model"], waits) == ("gpt-4o-mini", [7.0])


async def test_the_last_answer_of_a_provider_is_the_last_word(routed: Routed) -> None:
    await routed.serve(route(step(), step("gpt-4o-mini"), step(timeout_s=0.4)))
    for fault in ("bad-status=400", "bad-status=418", "hang"):
        routed.fake.fail(fault)
    sent = await routed.call()
    assert sent.status == 418
    assert sent.headers[b"x-gateway-model"] == b"gpt-4o-mini"
    assert sent.headers[b"x-gateway-attempts"] == b"3"
    event = routed.event()
    assert details(event) == [("gpt-4o", 400, ""), ("gpt-4o-mini", 418, ""), ("gpt-4o", 0, "upstream_timed_out")]
    assert (event.cost_nano, event.usage_source, event.input_tokens) == (PROMPT, "counted", PROMPT)
    assert routed.used() == (PROMPT, 0)


@pytest.mark.parametrize("told", [b"300ms", b""])
async def test_the_deadline_is_for_everything_together(routed: Routed, told: bytes) -> None:
    """The client's own, where it is shorter."""
    headers = ((b"x-request-timeout", told),) if told else ()
    await routed.serve(route(step(), step(), deadline_s=60.0 if told else 0.3))
    routed.fake.fail("hang", times=9)
    sent = await asyncio.wait_for(routed.call(headers=headers), 5)
    assert (sent.status, error_of(sent)) == (504, "upstream_timed_out")
    assert details(routed.event()) == [("gpt-4o", 0, "upstream_timed_out")]
    assert routed.used() == (PROMPT, 0)
    assert routed.called.proxy._breakers._circuits == {}, "who gives little time must not open circuits for others"


async def test_a_pause_longer_than_the_time_left_is_not_made(routed: Routed) -> None:
    await routed.serve(route(step(retries=5, retry_interval_s=30.0), deadline_s=20.0))
    routed.fake.fail("503", times=9)
    sent = await asyncio.wait_for(routed.call(), 5)
    assert (sent.status, sent.headers[b"x-gateway-attempts"]) == (503, b"1")


@pytest.mark.parametrize("stops", [False, True], ids=["the client leaves", "the gateway stops"])
async def test_a_pause_ends_at_once(routed: Routed, stops: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = asyncio.Event()

    async def pause(seconds: float) -> None:
        pauses.set()
        await asyncio.sleep(seconds)

    monkeypatch.setattr(routed.called.proxy._routes, "_pause", pause)
    await routed.serve(route(step(retries=5, retry_interval_s=30.0)))
    routed.fake.fail("503", times=9)
    leaves = asyncio.Event()
    calling = asyncio.ensure_future(routed.call(leaves=leaves))
    await pauses.wait()
    if stops:
        routed.called.proxy._sweeper.cancel_all()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(calling), 5)
    else:
        leaves.set()
        await asyncio.wait_for(calling, 5)
    event = routed.event()
    assert (event.ending, event.status) == ("upstream_failed" if stops else "client_left", 499)
    assert (event.error_code, event.cost_nano) == ("gateway_stopping" if stops else "client_left", 0)
    assert details(event) == [("gpt-4o", 503, "")]
    assert routed.used() == (0, 0)


@pytest.mark.parametrize("stream", [b"", b',"stream":true'], ids=["plain", "stream"])
async def test_a_client_that_leaves_in_an_attempt_pays_for_that_and_those_before(routed: Routed, stream: bytes) -> None:
    await routed.serve(route(step(timeout_s=0.4), step("gpt-4o-mini")))
    routed.fake.fail("hang")
    routed.fake.fail("slow-first-byte=60000")
    leaves = asyncio.Event()
    calling = asyncio.ensure_future(routed.call(CHAT % stream, leaves=leaves))
    await asyncio.to_thread(routed.fake.wait_for, lambda request: b"gpt-4o-mini" in request.body)
    leaves.set()
    await asyncio.wait_for(calling, 5)
    event = routed.event()
    assert details(event) == [("gpt-4o", 0, "upstream_timed_out"), ("gpt-4o-mini", 499, "client_left")]
    assert (event.ending, event.cost_nano, event.input_tokens) == ("client_left", 2 * PROMPT, 2 * PROMPT)
    assert routed.used() == (2 * PROMPT, 0)


async def test_circuits_that_are_open_are_stepped_over(routed: Routed) -> None:
    await routed.serve(route(step(retries=9), step("gpt-4o-mini")))
    routed.fake.fail("503", times=5)
    sent = await routed.call()
    assert sent.headers[b"x-gateway-attempts"] == b"6", "it opened at the fifth failure, in the middle of a step"
    sent = await routed.call()
    assert (sent.headers[b"x-gateway-attempts"], sent.headers[b"x-gateway-model"]) == (b"1", b"gpt-4o-mini")
    ready = await routed.called.call("/ready", method="GET")
    [open_one] = json.loads(ready.body)["breakers"]
    assert (open_one["setting_id"], open_one["model"], open_one["state"]) == ("setting-1", "gpt-4o", "open")


async def test_when_all_are_open_the_one_that_rested_longest_is_tried(routed: Routed) -> None:
    breakers = routed.called.proxy._breakers
    now = [100.0]
    breakers._clock = lambda: now[0]
    for model in ("gpt-4o-mini", "gpt-4o"):
        for _ in range(5):
            breakers.note(("setting-1", model), ok=False)
        now[0] += 1
    await routed.serve(route(step(), step("gpt-4o-mini")))
    sent = await routed.call()
    assert (sent.status, sent.headers[b"x-gateway-model"]) == (200, b"gpt-4o-mini")
    assert [each["model"] for each in breakers.states()] == ["gpt-4o"], "an answer closes it"
    routed.fake.fail("429", times=99)
    now[0] += 10
    for _ in range(8):
        await routed.call()
    assert [each["model"] for each in breakers.states()] == ["gpt-4o"], "a rate limit opens none"


async def test_each_further_attempt_needs_room_for_its_own_cost(routed: Routed) -> None:
    """The second step is dearer than what is left: a provider's answer comes before the limit's."""
    estimate = len(CHAT % b"") + len(b'"model":"gpt-4o",') + 64 + 2 * 20
    routed.doors.put_key(key(cost_limit_nano=estimate + 10))
    routed.doors.prices["openai", "dear"] = price(model="dear", input_pico=9_000, output_pico=9_000)
    await routed.serve(route(step(timeout_s=0.4), step("dear")))
    routed.fake.fail("hang")
    sent = await routed.call()
    assert (sent.status, error_of(sent)) == (402, "cost_limit_reached")
    event = routed.event()
    assert (event.cost_nano, event.ending, event.requests) == (PROMPT, "refused", 1)
    assert routed.used() == (PROMPT, 0)
    routed.fake.fail("503")
    routed.doors.put_key(key(cost_limit_nano=estimate + PROMPT + 10))
    await routed.serve(route(step(), step("dear")))
    sent = await routed.call()
    assert sent.status == 503
    assert routed.used() == (PROMPT, 0)


async def test_attempts_that_cost_nothing_need_no_more_room(routed: Routed) -> None:
    estimate = len(CHAT % b"") + len(b'"model":"gpt-4o",') + 64 + 2 * 20
    routed.doors.put_key(key(cost_limit_nano=estimate))
    await routed.serve(route(step(retries=3)))
    routed.fake.fail("503", times=3)
    sent = await routed.call()
    assert (sent.status, sent.headers[b"x-gateway-attempts"]) == (200, b"4")
    assert routed.used() == (PROMPT + ANSWER, 0)


async def test_a_stream_is_cut_at_the_limit_whatever_was_tried_before(routed: Routed) -> None:
    """What the first attempt cost is gone; the stream of the second may grow into what is left."""
    content = b'{"messages":[{"role":"user","content":"hi"}],"stream":true}'
    limit = len(content) + len(b'"model":"gpt-4o",') + 200 + 2 * 4096 + PROMPT + 500
    routed.doors.put_key(key(cost_limit_nano=limit))
    await routed.serve(route(step(retries=1)))
    routed.fake.fail("drop")
    routed.fake.fail("tokens=20000")
    sent = await asyncio.wait_for(routed.call(content), 30)
    assert sent.status == 200
    assert b'"finish_reason":"length"' in sent.body
    assert sent.body.endswith(b"data: [DONE]\n\n")
    event = routed.event()
    assert (event.ending, event.error_code) == ("cut", "cost_limit_reached")
    assert details(event) == [("gpt-4o", 0, "upstream_failed"), ("gpt-4o", 200, "cost_limit_reached")]
    assert event.cost_nano == PROMPT + PROMPT + 2 * event.output_tokens
    assert limit * 0.8 < event.cost_nano <= limit
    assert routed.used() == (event.cost_nano, 0)


async def test_settings_take_turns_within_a_step(routed: Routed) -> None:
    """Each attempt uses one setting as a whole; one that is rate-limited rests."""
    for number in (1, 2):
        name = f"turn-{number}"
        routed.doors.settings[name] = openai_setting(routed.fake.url, id=name, secrets={"apikey": f"sk-{number}"})
    routed.doors.put_key(key(setting_ids=("turn-1", "turn-2"), rotation_enabled=True, cost_limit_nano=10**9))
    await routed.serve(route(step(retries=1)))
    for _ in range(4):
        await routed.call()
    used = [request.header("authorization") or "" for request in routed.fake.requests()]
    assert sorted(used) == ["Bearer sk-1"] * 2 + ["Bearer sk-2"] * 2
    routed.fake.reset()
    routed.fake.fail("429=0")
    sent = await routed.call()
    assert (sent.status, sent.headers[b"x-gateway-attempts"]) == (200, b"2")


async def test_the_clients_body_is_what_is_logged(routed: Routed) -> None:
    routed.doors.put_key(key(should_log_request=True))
    await routed.serve(route(step(request_params={"temperature": 1})))
    await routed.call()
    assert routed.event().request_body == (CHAT % b"").decode()


@pytest.mark.parametrize("limit", [10**9, 2500])
async def test_many_at_once_leave_nothing_behind_and_keep_to_the_limit(routed: Routed, limit: int) -> None:
    routed.doors.put_key(key(cost_limit_nano=limit))
    await routed.serve(route(step(retries=1), step("gpt-4o-mini", retries=1)))

    async def one(number: int) -> None:
        leaves = asyncio.Event()
        if number % 3 == 0:
            asyncio.get_running_loop().call_later(0.02 * (number % 20), leaves.set)
        fault = ("503", "cut=0", "drop", "slow=10", "error-event=0")[number % 5]
        headers = ((b"x-fake-fault", fault.encode()),)
        await routed.call(CHAT % (b',"stream":true' if number % 2 else b""), headers=headers, leaves=leaves)

    await asyncio.gather(*(one(number) for number in range(60)))
    events = routed.called.events()
    assert len(events) == len({event.id for event in events}) == 60
    assert routed.used() == (sum(event.cost_nano for event in events), 0)
    assert routed.used()[0] <= limit
    assert ("refused" in {event.ending for event in events}) == (limit == 2500)
    assert all(event.cost_nano == sum(each.cost_nano for each in event.attempt_details or ()) for event in events)
    assert routed.called.proxy._ledger.running == 0
    assert not routed.called.proxy._sweeper._watched
