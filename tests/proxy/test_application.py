"""Tests of the proxy as a whole: readiness, start and stop."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from keys.records import ConfigChanges
from proxy.doors import DoorClosed
from tests.proxy.asgi import Called, called_proxy
from tests.proxy_gateway import PlainDoors, key, openai_setting
from tests.upstream import Upstream as Fake
from tests.upstream import upstream_in_thread

CHAT = b'{"model":"gpt-4o@%b","messages":[{"role":"user","content":"hi"}]%b}'


class Closing(PlainDoors):
    closed = False

    async def changes_since(self, version: int) -> ConfigChanges:
        if self.closed:
            raise DoorClosed("no database")
        return await super().changes_since(version)


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture
def doors(fake: Fake) -> Closing:
    fake.reset()
    made = Closing(settings={"setting-1": openai_setting(fake.url)})
    made.put_key(key(request_limit=100, request_window_unit="d"))
    return made


@pytest.fixture
async def called(doors: Closing) -> AsyncIterator[Called]:
    async with called_proxy(doors) as made:
        yield made


async def ready(called: Called) -> tuple[int, Any]:
    sent = await called.call("/ready", method="GET")
    return sent.status, json.loads(sent.body)


async def test_it_is_healthy_and_ready(called: Called, doors: Closing) -> None:
    health = await called.call("/api/health", method="GET")
    assert (health.status, health.body) == (200, b"")
    status, body = await ready(called)
    assert (status, body["ready"], body["reason"], body["config_version"]) == (200, True, "", doors.version)
    assert (body["requests_in_flight"], body["unsettled"]) == (0, 0)


async def test_without_a_database_it_is_not_ready(called: Called, doors: Closing) -> None:
    doors.closed = True
    called.proxy._directory._confirmed -= 61
    status, body = await ready(called)
    assert (status, body["reason"]) == (503, "the database does not answer")
    assert (await called.call()).status == 503
    doors.closed = False
    await called.proxy._refresher.poll()
    assert (await ready(called))[0] == 200


async def test_without_a_database_it_does_not_start(doors: Closing) -> None:
    doors.closed = True
    with pytest.raises(DoorClosed):
        async with called_proxy(doors):
            pass


async def test_without_room_for_records_it_is_not_ready(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.recorder.ROOM_BYTES", 1 << 60)
    called.proxy._recorder.probe()
    status, body = await ready(called)
    assert (status, body["reason"]) == (503, "the disk does not take records")
    refused = await called.call()
    assert (refused.status, refused.headers[b"retry-after"]) == (503, b"5")


async def test_it_says_what_is_in_flight(called: Called, fake: Fake) -> None:
    calling = asyncio.ensure_future(called.call(body=CHAT % (b"slow-first-byte=200", b"")))
    await asyncio.sleep(0.1)
    assert called.proxy.requests_in_flight == 1
    assert (await ready(called))[1]["requests_in_flight"] == 1
    assert (await calling).status == 200
    assert called.proxy.requests_in_flight == 0


async def test_stopping_waits_for_what_runs(called: Called) -> None:
    calling = asyncio.ensure_future(called.call(body=CHAT % (b"slow-first-byte=200", b"")))
    await asyncio.sleep(0.1)
    called.proxy.begin_stopping()
    assert (await ready(called))[1]["reason"] == "stopping"
    await called.proxy.stop(grace_s=5)
    assert (await calling).status == 200
    assert [event.ending for event in called.events()] == ["completed"]


async def test_what_runs_longer_is_ended_and_booked(called: Called, fake: Fake) -> None:
    calling = asyncio.ensure_future(called.call(body=CHAT % (b"slow=50,tokens=200", b',"stream":true')))
    await asyncio.sleep(0.3)
    await called.proxy.stop(grace_s=0.1)
    with pytest.raises(asyncio.CancelledError):
        await calling
    [event] = called.events()
    assert (event.ending, event.error_code) == ("upstream_failed", "gateway_stopping")
    assert 0 < event.output_tokens < 200
    assert await asyncio.to_thread(fake.wait_for_ending, "client-left", 1.0)
