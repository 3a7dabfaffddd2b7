"""Tests of Claude on Bedrock with Anthropic's SDKs: its own one on the seed's paths, and the one for Bedrock."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import anthropic
import httpx
import pytest
from anthropic import Anthropic, AnthropicBedrock
from anthropic._constants import ANTHROPIC_API_VERSION

from tests.end_to_end.test_bedrock_sdk import CLAUDE, PIXEL, PROFILE, TEMPORARY, TEXT
from tests.provider_settings import setting_at
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, price, proxy_in_thread
from tests.upstream import Upstream

HI: Any = [{"role": "user", "content": "hi"}]
WEATHER: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
LEGACY = "anthropic.claude-v2:1"


@pytest.fixture(scope="module")
def running_bedrock(running_upstream: Upstream) -> Iterator[RunningProxy]:
    setting = setting_at(running_upstream.url, "bedrock", secrets=TEMPORARY)
    prices = (
        price(provider="bedrock", model=CLAUDE, cache_read_pico=100, cache_write_pico=1_250, cache_write_1h_pico=2_000,
              max_output_tokens=64_000, max_input_tokens=200_000),
        price(provider="bedrock", model=LEGACY, max_output_tokens=8_000, max_input_tokens=100_000),
    )  # fmt: skip
    doors = PlainDoors(settings={setting.id: setting}, prices={("bedrock", each.model): each for each in prices})
    with proxy_in_thread(doors) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_bedrock: RunningProxy, upstream: Upstream) -> RunningProxy:
    """The proxy, before an upstream that remembers nothing."""
    return running_bedrock


@pytest.fixture
def caller(gateway: RunningProxy) -> Caller:
    return gateway.caller(setting_ids=("setting-bedrock",))


@pytest.fixture
def plain(caller: Caller) -> Iterator[Anthropic]:
    """Anthropic's SDK on the seed's paths, which are the ones of its own API."""
    with Anthropic(
        api_key=caller.secret, base_url=f"{caller.gateway.url}/api/providers/bedrock/anthropic", max_retries=0
    ) as client:
        yield client


@pytest.fixture
def native(caller: Caller) -> Iterator[AnthropicBedrock]:
    """The SDK for Bedrock, which signs and calls Bedrock's own paths."""
    with AnthropicBedrock(
        aws_access_key=caller.secret,
        aws_secret_key="made up",
        aws_region="eu-west-1",
        base_url=f"{caller.gateway.url}/api/providers/bedrock",
        max_retries=0,
    ) as client:
        yield client


@pytest.fixture(params=["plain", "native"])
def client(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_a_message_is_answered_and_booked(caller: Caller, client: Any, upstream: Upstream) -> None:
    message = client.messages.create(model=PROFILE, max_tokens=100, messages=HI, system="Be brief")
    assert message.content[0].text == TEXT
    seen = upstream.last()
    assert unquote(seen.path) == f"/model/{PROFILE}/invoke"
    assert "%2F" in seen.path
    assert seen.json()["anthropic_version"] == ANTHROPIC_API_VERSION
    assert not {"model", "stream"} & seen.json().keys()
    assert seen.json()["system"] == "Be brief"
    assert not {"x-api-key", "anthropic-version"} & {name.lower() for name, _ in seen.headers}
    event = caller.event()
    assert (event.operation, event.input_tokens, event.output_tokens, event.cost_nano) == ("chat", 10, 16, 42)
    assert (event.request_model, event.provider, event.usage_source) == (PROFILE, "bedrock", "upstream")


def test_a_message_streams(caller: Caller, client: Any, upstream: Upstream) -> None:
    upstream.fail("cached=1000,cache-write=200,cache-write-1h=50")
    with client.messages.stream(model=CLAUDE, max_tokens=100, messages=HI) as stream:
        assert "".join(stream.text_stream) == TEXT
        message = stream.get_final_message()
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 16)
    assert upstream.last().path.endswith("/invoke-with-response-stream")
    event = caller.event()
    assert (event.ending, event.stream, event.usage_source) == ("completed", True, "upstream")
    assert event.cost_nano == 8 + 32 + 100 + 250 + 100


def test_tools_pictures_and_betas_pass(caller: Caller, client: Any, upstream: Upstream) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PIXEL).decode()}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "where?"}]
    asked: Any = {"model": CLAUDE, "max_tokens": 100, "messages": [{"role": "user", "content": content}]}
    message = client.beta.messages.create(**asked, tools=[WEATHER], betas=["one-2025-01-01", "two-2025-01-01"])
    assert (message.stop_reason, message.content[0].input) == ("tool_use", {"city": "fox"})
    sent = upstream.last().json()
    assert sent["messages"][0]["content"] == content
    assert sent["anthropic_beta"] == ["one-2025-01-01", "two-2025-01-01"]
    with client.messages.stream(**asked, tools=[WEATHER]) as stream:
        assert stream.get_final_message().content[0].input == {"city": "fox"}
    assert caller.event(number=2).ending == "completed"


def test_old_completions_are_answered_and_metered_by_headers_and_metrics(caller: Caller, upstream: Upstream) -> None:
    asked: Any = {"model": LEGACY, "max_tokens_to_sample": 100, "prompt": "\n\nHuman: hi\n\nAssistant:"}
    url = f"{caller.gateway.url}/api/providers/bedrock/anthropic/v1/complete"
    answer = httpx.post(url, headers=caller.headers | {"anthropic-version": "2023-06-01"}, json=asked)
    assert answer.json()["completion"] == TEXT
    assert upstream.last().json() == {
        "anthropic_version": "bedrock-2023-05-31", "max_tokens_to_sample": 100, "prompt": asked["prompt"],
    }  # fmt: skip
    event = caller.event()
    assert (event.operation, event.input_tokens, event.output_tokens) == ("text_completion", 11, 16)
    streamed = httpx.post(url, headers=caller.headers, json=asked | {"stream": True})
    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert streamed.text.startswith("event: completion\ndata: ")
    pieces = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: ")]
    assert "".join(piece["completion"] for piece in pieces) == TEXT
    assert pieces[-1]["stop_reason"] == "stop_sequence"
    event = caller.event(number=2)
    assert (event.input_tokens, event.output_tokens, event.usage_source) == (11, 16, "upstream")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("429", (anthropic.RateLimitError, "rate_limit_error")),
        ("503", (anthropic.OverloadedError, "overloaded_error")),
        ("bad-status=400", (anthropic.BadRequestError, "invalid_request_error")),
        ("bad-status=403", (anthropic.PermissionDeniedError, "permission_error")),
        ("bad-status=404", (anthropic.NotFoundError, "not_found_error")),
        ("bad-status=424", (anthropic.InternalServerError, "api_error")),
        ("bad-status=408", (anthropic.DeadlineExceededError, "timeout_error")),
    ],
)
def test_bedrocks_errors_are_told_as_anthropics(
    caller: Caller, plain: Anthropic, upstream: Upstream, fault: str, told: tuple[type[anthropic.APIStatusError], str]
) -> None:
    raised, kind = told
    upstream.fail(fault)
    with pytest.raises(raised) as caught:
        plain.messages.create(model=CLAUDE, max_tokens=100, messages=HI)
    error: Any = caught.value.body
    assert (error["type"], error["error"]["type"]) == ("error", kind)
    event = caller.event()
    assert (event.status, event.cost_nano) == (caught.value.status_code, 0)


def test_the_gateways_refusals_are_told_in_the_dialect_of_the_path(gateway: RunningProxy) -> None:
    caller = gateway.caller(setting_ids=("setting-bedrock",), revoked=True)
    url = f"{gateway.url}/api/providers/bedrock/anthropic"
    with Anthropic(api_key=caller.secret, base_url=url, max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError, match="revoked"):
            client.messages.create(model=CLAUDE, max_tokens=100, messages=HI)
        with pytest.raises(anthropic.NotFoundError):
            client.models.list()
    model_without = gateway.caller(setting_ids=("setting-bedrock",))
    answer = httpx.post(f"{url}/v1/messages", headers={"x-api-key": model_without.secret}, json={"model": "../x"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_an_error_within_a_stream_is_an_error_event(caller: Caller, client: Any, upstream: Upstream) -> None:
    upstream.fail("error-event=5")
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.create(model=CLAUDE, max_tokens=100, messages=HI, stream=True) as stream,
    ):
        list(stream)
    assert "Too many tokens" in str(caught.value)
    event = caller.event()
    assert (event.ending, event.output_tokens) == ("upstream_failed", 5)


@pytest.mark.parametrize("fault", ["cut=5", "cut-clean=5", "malformed=5"])
def test_a_stream_that_breaks_off_ends_with_an_error_event(
    caller: Caller, client: Any, upstream: Upstream, fault: str
) -> None:
    upstream.fail(fault)
    with (
        pytest.raises(anthropic.APIError),
        client.messages.create(model=CLAUDE, max_tokens=100, messages=HI, stream=True) as stream,
    ):
        list(stream)
    event = caller.event()
    assert (event.ending, event.error_code) == ("upstream_failed", "upstream_stream_broken")
    assert event.cost_nano > 0


def test_a_stream_is_cut_at_the_cost_limit_and_ends_as_the_sdk_knows_it(
    gateway: RunningProxy, upstream: Upstream
) -> None:
    caller = gateway.caller(setting_ids=("setting-bedrock",), cost_limit_nano=30_000)
    upstream.fail("huge=1")
    url = f"{gateway.url}/api/providers/bedrock"
    with (
        AnthropicBedrock(
            aws_access_key=caller.secret, aws_secret_key="x", aws_region="eu-west-1", base_url=url, max_retries=0
        ) as client,
        client.messages.stream(model=CLAUDE, max_tokens=100, messages=HI) as stream,
    ):
        message = stream.get_final_message()
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens > 0
    assert (caller.event().ending, caller.event().error_code) == ("cut", "cost_limit_reached")


def test_the_bearer_of_a_bedrock_key_is_the_gateway_key_too(caller: Caller) -> None:
    url = f"{caller.gateway.url}/api/providers/bedrock"
    with AnthropicBedrock(api_key=caller.secret, aws_region="us-east-1", base_url=url, max_retries=0) as client:
        content: Any = client.messages.create(model=CLAUDE, max_tokens=100, messages=HI).content
    assert content[0].text == TEXT
    assert caller.event().output_tokens == 16


def test_nothing_of_the_body_is_lost_but_what_stands_in_the_path(caller: Caller, upstream: Upstream) -> None:
    sent = (
        b'{ "stream" : false,"temperature":0.50,\n "messages":[{"role":"user","content":"a, {b} \\"c\\" \\u00e9"}],'
        b' "model":"' + CLAUDE.encode() + b'", "max_tokens":10, "unknown": {"model": [1.0, "stream"]}, "last": null}'
    )
    url = f"{caller.gateway.url}/api/providers/bedrock/anthropic/v1/messages"
    headers = {**caller.headers, "content-type": "application/json", "anthropic-beta": "a, b"}
    assert httpx.post(url, headers=headers, content=sent).status_code == 200
    assert upstream.last().body == (
        b'{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a","b"],"temperature":0.50,'
        b'\n "messages":[{"role":"user","content":"a, {b} \\"c\\" \\u00e9"}],'
        b' "max_tokens":10, "unknown": {"model": [1.0, "stream"]}, "last": null}'
    )
    assert json.loads(upstream.last().body)["unknown"] == {"model": [1.0, "stream"]}
