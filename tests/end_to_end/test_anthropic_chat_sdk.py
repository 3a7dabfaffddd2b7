"""Tests of Anthropic behind clients of OpenAI's dialect: with their own SDK, and as a step of a route."""

import uuid
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from routes.records import RouteRecord, RouteStepRecord
from tests.end_to_end import claude
from tests.end_to_end.claude import HI, INPUT_TOKENS, OPUS, OPUS_INPUT, OPUS_OUTPUT, OUTPUT_TOKENS, TEXT
from tests.providers.price_records import bundled_prices
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, key, openai_setting, price, proxy_in_thread
from tests.upstream import Upstream

OWNER = key(id=str(uuid.uuid4()), setting_ids=("setting-1", "openai"), cost_limit_nano=10**12)
COST = INPUT_TOKENS * OPUS_INPUT + OUTPUT_TOKENS * OPUS_OUTPUT
STEPS = (RouteStepRecord("openai", "gpt-4o"), RouteStepRecord("anthropic", OPUS))


@pytest.fixture(scope="module")
def served(running_upstream: Upstream) -> Iterator[RunningProxy]:
    url = running_upstream.url
    settings = {"setting-1": claude.setting(url), "openai": openai_setting(url, id="openai")}
    doors = PlainDoors(settings=settings, prices={**bundled_prices(), ("openai", "gpt-4o"): price()})
    path = "/team/chat/completions"
    doors.routes[path] = RouteRecord(path, path, path, "chat", STEPS, frozenset({OWNER.id}))
    with proxy_in_thread(doors) as gateway:
        yield gateway


@pytest.fixture
def gateway(served: RunningProxy, upstream: Upstream) -> RunningProxy:
    del upstream  # forgets what it was asked before
    return served


def sdk(caller: Caller, path: str) -> OpenAI:
    made = OpenAI(api_key=caller.secret, base_url=caller.gateway.url + path, max_retries=0)
    return caller.gateway.clients.enter_context(made)


@pytest.mark.parametrize("streamed", [False, True])
def test_its_own_endpoint(gateway: RunningProxy, upstream: Upstream, streamed: bool) -> None:
    caller = gateway.caller(cost_limit_nano=10**12)
    client = sdk(caller, "/api/providers/anthropic/v1")
    answer: Any = client.chat.completions.create(model=OPUS, messages=HI, max_tokens=64, stream=streamed)
    said = (
        "".join(part.choices[0].delta.content or "" for part in answer)
        if streamed
        else answer.choices[0].message.content
    )
    assert said == TEXT
    seen = upstream.last()
    assert (seen.path, seen.header("authorization")) == ("/v1/chat/completions", "Bearer upstream-anthropic-apikey")
    assert seen.header("anthropic-version") is None
    event = caller.event()
    assert (event.provider, event.operation, event.usage_source) == ("anthropic", "chat", "upstream")
    assert event.cost_nano == COST


def test_its_refusals_are_in_the_clients_dialect(gateway: RunningProxy) -> None:
    client = sdk(gateway.caller(revoked=True), "/api/providers/anthropic/v1")
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model=OPUS, messages=HI)
    assert caught.value.code == "key_revoked"


@pytest.mark.parametrize("streamed", [False, True])
def test_a_route_goes_on_to_it(gateway: RunningProxy, upstream: Upstream, streamed: bool) -> None:
    secret = f"secret {uuid.uuid4()}"
    gateway.doors.put_key(OWNER, secret)
    gateway.proxy._breakers._circuits.clear()
    upstream.fail("503", times=1)
    client = sdk(Caller(gateway, OWNER, secret), "/api/routes/team")
    answer: Any = client.chat.completions.with_raw_response.create(
        model="ignored", messages=HI, max_tokens=64, stream=streamed
    )
    assert answer.headers["x-gateway-provider"] == "anthropic"
    assert answer.headers["x-gateway-attempts"] == "2"
    parsed = answer.parse()
    said = (
        "".join(part.choices[0].delta.content or "" for part in parsed)
        if streamed
        else parsed.choices[0].message.content
    )
    assert said == TEXT
    assert upstream.last().json()["model"] == OPUS
