"""Tests of ASGI in and out."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.proxy.asgi import Called, called_proxy
from tests.proxy_gateway import PlainDoors, key, openai_setting
from tests.upstream import Upstream as Fake
from tests.upstream import upstream_in_thread


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture
async def called(fake: Fake) -> AsyncIterator[Called]:
    fake.reset()
    doors = PlainDoors(settings={"setting-1": openai_setting(fake.url)})
    doors.put_key(key())
    async with called_proxy(doors, cors_allowed_origins=frozenset({"https://app.example"})) as made:
        yield made


@pytest.mark.parametrize("path", ["/api/providers/openai/v1", "/api/providers/openai/v1x/models", "/api/nothing"])
async def test_other_paths_are_not_found(called: Called, path: str) -> None:
    sent = await called.call(path, method="GET")
    assert (sent.status, json.loads(sent.body)["error"]["code"]) == (404, "path_not_found")
    assert sent.headers[b"x-gateway-error"] == b"true"
    assert called.events() == []


async def test_a_refusal_has_an_id_and_may_be_read_by_its_page(called: Called) -> None:
    sent = await called.call("/../x", headers=((b"origin", b"https://app.example"),))
    assert (sent.status, json.loads(sent.body)["error"]["code"]) == (400, "bad_path")
    assert len(sent.headers[b"x-request-id"]) == 36
    assert sent.headers[b"access-control-allow-origin"] == b"https://app.example"


async def test_a_preflight_needs_no_key_and_reaches_nobody(called: Called, fake: Fake) -> None:
    sent = await called.call("/anything", method="OPTIONS", headers=((b"origin", b"https://app.example"),))
    assert (sent.status, sent.body) == (204, b"")
    assert sent.headers[b"access-control-max-age"] == b"3600"
    assert fake.count() == 0


async def test_paths_come_as_they_were_sent(called: Called, fake: Fake) -> None:
    await called.call("/models/a%2Fb%3Ac", method="GET")
    assert fake.last().target == "/v1/models/a%2Fb%3Ac"
    assert called.events()[0].path == "/api/providers/openai/v1/models/a%2Fb%3Ac"
