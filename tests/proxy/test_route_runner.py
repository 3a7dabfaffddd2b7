"""Tests of running routes, through the whole pipeline without a server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from proxy import route_runner
from proxy.breaker import Breakers
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
