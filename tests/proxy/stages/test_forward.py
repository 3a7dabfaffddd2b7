"""Tests of asking the provider, once or once more."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.config import ProxyConfig
from proxy.flow import Plan
from proxy.snapshot import Snapshot
from proxy.stages.forward import forward, problem_of
from proxy.stages.plan import SettingChooser
from proxy.upstream import ConnectFailed, Upstream, UpstreamBroken, UpstreamTimeout
from proxy.visit import Visit
from tests.proxy.builders import body_of, call_of, incoming, visit_of
from tests.proxy_gateway import PEPPER, key, openai_setting
from tests.upstream import Upstream as Fake
from tests.upstream import upstream_in_thread

STREAM = b'{"model":"gpt-4o@%b","stream":true,"messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with upstream_in_thread() as running:
        yield running


class Asking:
    """forward() with what it needs, against the fake upstream."""

    def __init__(self, fake: Fake, upstream: Upstream) -> None:
        fake.reset()
        self.fake = fake
        self.upstream = upstream
        self.chooser = SettingChooser(ProxyConfig(peppers=(PEPPER,), spool_root=Path()))

    async def ask(self, content: bytes, url: str = "", **changes: Any) -> tuple[int, Visit, Plan]:
        body = body_of(content)
        shot = Snapshot(1, {"setting-1": openai_setting(url or self.fake.url, **changes)})
        json = [(b"content-type", b"application/json")]
        plan = self.chooser.plan(incoming(headers=json), key(), call_of(), body, shot)
        visit = visit_of(content=content, plan=plan)
        visit.meter.sent, visit.meter.attempts = False, 0
        answer = await forward(visit, plan, body, (self.upstream, self.chooser))
        await answer.read()
        answer.close()
        return answer.status, visit, plan


@pytest.fixture
async def asking(fake: Fake) -> AsyncIterator[Asking]:
    upstream = Upstream(connect_timeout_s=0.5)
    await upstream.start()
    yield Asking(fake, upstream)
    await upstream.close()


async def test_it_notes_what_was_sent_and_what_came(asking: Asking) -> None:
    status, visit, _ = await asking.ask(STREAM % b"tokens=1")
    meter = visit.meter
    assert (status, meter.status, meter.attempts, meter.sent) == (200, 200, 1, True)
    assert meter.upstream_request_id.startswith("req_")
    assert meter.upstream_started is not None


@pytest.mark.parametrize("fault", [b"reject-stream-options", b"reject-stream-options=422"])
async def test_a_server_that_refuses_the_added_member_is_asked_again_without(asking: Asking, fault: bytes) -> None:
    status, visit, plan = await asking.ask(STREAM % fault)
    assert plan.usage_forced
    assert (status, visit.meter.attempts) == (200, 2)
    assert [b"stream_options" in request.body for request in asking.fake.requests()] == [True, False]
    status, visit, plan = await asking.ask(STREAM % fault)
    assert (status, visit.meter.attempts, plan.usage_forced) == (200, 1, False)


async def test_any_other_error_is_the_answer(asking: Asking) -> None:
    for fault, expected in ((b"bad-status=400", 400), (b"bad-status=422", 422), (b"503", 503), (b"429", 429)):
        status, visit, _ = await asking.ask(STREAM % fault)
        assert (status, visit.meter.attempts) == (expected, 1)
    assert (await asking.ask(STREAM % b"tokens=1"))[2].usage_forced


async def test_the_clients_own_member_is_never_taken_away(asking: Asking) -> None:
    content = STREAM % b"reject-stream-options"
    status, visit, _ = await asking.ask(content[:-1] + b',"stream_options":{"include_usage":true}}')
    assert (status, visit.meter.attempts) == (400, 1)


async def test_what_could_not_be_sent_was_not_sent(asking: Asking) -> None:
    with pytest.raises(ConnectFailed):
        await asking.ask(STREAM % b"tokens=1", "http://nobody.invalid")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UpstreamTimeout("x"), 504, "upstream_timed_out"),
        (ConnectFailed("x"), 502, "upstream_unreachable"),
        (UpstreamBroken("x"), 502, "upstream_failed"),
    ],
)
def test_each_failure_means_something_to_the_client(error: Any, status: int, code: str) -> None:
    problem = problem_of(error, "openai")
    assert (problem.status, problem.code) == (status, code)
    assert "openai" in problem.detail


async def test_a_setting_that_is_refused_rests_as_long_as_its_provider_says(asking: Asking) -> None:
    status, _, plan = await asking.ask(STREAM % b"429=30")
    assert (status, asking.chooser.rotation.is_resting(plan.setting.id)) == (429, True)


async def breaks_in_its_refusal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\nno stream_options")
    await writer.drain()
    writer.close()


async def test_a_refusal_that_breaks_is_no_longer_outstanding(asking: Asking) -> None:
    """Or its address would be thought busy for good."""
    server = await asyncio.start_server(breaks_in_its_refusal, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        with pytest.raises(UpstreamBroken):
            await asking.ask(STREAM % b"", url, base_urls=(url, f"{url}2"))
        picked = asking.chooser.replicas.pick(openai_setting(url, base_urls=(url, f"{url}2")))
    assert picked.base_url == url


async def test_an_address_that_is_asked_again_is_outstanding_once(asking: Asking) -> None:
    urls = (f"{asking.fake.url}/v1", "http://nobody.invalid/v1")
    await asking.ask(STREAM % b"reject-stream-options", base_urls=urls)
    assert asking.fake.count() == 2
    assert asking.chooser.replicas.pick(openai_setting(urls[0], base_urls=urls)).base_url == urls[0]
