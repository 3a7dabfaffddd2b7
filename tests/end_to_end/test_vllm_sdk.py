"""Tests of the proxy with the official SDK against servers of its dialect: vLLM, DeepInfra, and those without a key."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from providers.records import CostMap, ProviderRecord
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, price, proxy_in_thread
from tests.upstream import Upstream

HI: Any = [{"role": "user", "content": "hi"}]
TEXT = "The quick brown fox jumps over the lazy dog and then it rests under a tall"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
OWN_PRICES = CostMap(input_pico={LLAMA.lower(): 1_000}, output_pico={LLAMA.lower(): 2_000})
PREFIXES = {"vllm": "/v1", "deepinfra": "/v1/openai"}


def setting(url: str, provider: str, **changes: Any) -> ProviderRecord:
    values = {
        "id": provider,
        "provider": provider,
        "base_url": url + PREFIXES.get(provider, "/v1"),
        "secrets": {"apikey": "server-secret"},
        "cost_map": OWN_PRICES if provider == "vllm" else None,
    }
    return ProviderRecord(**{**values, **changes})


@pytest.fixture(scope="module")
def served(running_upstream: Upstream) -> Iterator[RunningProxy]:
    url = running_upstream.url
    settings = {name: setting(url, name) for name in PREFIXES}
    settings["open"] = setting(url, "vllm", id="open", secrets={})
    settings["narrow"] = setting(url, "vllm", id="narrow", allowed_models=frozenset({LLAMA}))
    prices = {("deepinfra", LLAMA.lower()): price(provider="deepinfra", model=LLAMA.lower())}
    with proxy_in_thread(PlainDoors(settings=settings, prices=prices)) as gateway:
        yield gateway


@pytest.fixture
def gateway(served: RunningProxy, upstream: Upstream) -> RunningProxy:
    upstream.options(require_key="server-secret")
    return served


@pytest.fixture(params=PREFIXES)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def caller(gateway: RunningProxy, provider: str) -> Caller:
    return gateway.caller(setting_ids=(provider,))


@pytest.fixture
def client(caller: Caller, provider: str) -> Iterator[OpenAI]:
    with sdk(caller, provider) as client:
        yield client


def sdk(caller: Caller, provider: str) -> OpenAI:
    return OpenAI(api_key=caller.secret, base_url=f"{caller.gateway.url}/api/providers/{provider}/v1", max_retries=0)


def test_a_chat_is_answered_and_booked(caller: Caller, client: OpenAI, provider: str, upstream: Upstream) -> None:
    answer = client.chat.completions.create(model=LLAMA, messages=HI)
    assert answer.choices[0].message.content == TEXT
    seen = upstream.last()
    assert (seen.target, seen.header("authorization")) == (
        f"{PREFIXES[provider]}/chat/completions",
        "Bearer server-secret",
    )
    event = caller.event()
    assert (event.provider, event.request_model, event.price_status, event.cost_nano) == (provider, LLAMA, "priced", 40)


def test_a_chat_streams(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    chunks = list(client.chat.completions.create(model=LLAMA, messages=HI, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert all(chunk.usage is None for chunk in chunks)
    assert upstream.last().json()["stream_options"] == {"include_usage": True}
    event = caller.event()
    assert (event.stream, event.usage_source, event.cost_nano) == (True, "upstream", 40)


def test_a_tool_is_called_plain_and_streaming(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=LLAMA, messages=HI, tools=[WEATHER])
    calls: Any = answer.choices[0].message.tool_calls
    assert json.loads(calls[0].function.arguments) == {"city": "fox"}
    with client.chat.completions.stream(model=LLAMA, messages=HI, tools=[WEATHER]) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(calls[0].function.arguments) == {"city": "fox"}


def test_a_picture_part_arrives(client: OpenAI, upstream: Upstream) -> None:
    url = "data:image/png;base64," + base64.b64encode(bytes(range(256))).decode()
    parts: Any = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    client.chat.completions.create(model=LLAMA, messages=[{"role": "user", "content": parts}])
    assert upstream.last().json()["messages"][0]["content"] == parts


def test_completions_and_embeddings(caller: Caller, client: OpenAI) -> None:
    assert client.completions.create(model=LLAMA, prompt="say it").choices[0].text
    assert client.embeddings.create(model="BAAI/bge-m3", input="three small words").data
    assert [event.operation for event in caller.events()] == ["text_completion", "embeddings"]


async def test_the_asynchronous_client(caller: Caller, provider: str) -> None:
    base_url = f"{caller.gateway.url}/api/providers/{provider}/v1"
    async with AsyncOpenAI(api_key=caller.secret, base_url=base_url, max_retries=0) as client:
        stream = await client.chat.completions.create(model=LLAMA, messages=HI, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == TEXT


def test_errors_pass_as_they_are(caller: Caller, client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="does-not-exist", messages=HI)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=LLAMA, messages=HI, extra_headers={"x-fake-fault": "429=7"})
    fault = {"x-fake-fault": "error-event=3"}
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model=LLAMA, messages=HI, stream=True, extra_headers=fault))
    # The SDK raises at the error, before the end of the answer has come.
    assert caller.event(number=3).ending == "upstream_failed"


def test_a_key_has_to_have_a_setting_of_the_provider(gateway: RunningProxy, upstream: Upstream) -> None:
    with (
        sdk(gateway.caller(setting_ids=("deepinfra",)), "vllm") as client,
        pytest.raises(openai.PermissionDeniedError) as caught,
    ):
        client.chat.completions.create(model=LLAMA, messages=HI)
    assert caught.value.code == "no_setting"
    assert upstream.count() == 0


def test_a_server_without_a_key_gets_none(gateway: RunningProxy, upstream: Upstream) -> None:
    upstream.options(require_key="")
    with sdk(gateway.caller(setting_ids=("open",)), "vllm") as client:
        assert client.chat.completions.create(model=LLAMA, messages=HI).choices
    assert upstream.last().header("authorization") is None


@pytest.mark.parametrize(
    ("tail", "target", "metering"),
    [
        ("/tokenize", "/tokenize", "free"),
        ("/detokenize", "/detokenize", "free"),
        ("/pooling", "/pooling", "priced"),
        ("/score", "/v1/score", "priced"),
        ("/rerank", "/v1/rerank", "priced"),
    ],
)
def test_paths_of_the_servers_own_are_served(
    gateway: RunningProxy, upstream: Upstream, tail: str, target: str, metering: str
) -> None:
    caller = gateway.caller(setting_ids=("vllm",), cost_limit_nano=10**12)
    with sdk(caller, "vllm") as client:
        client.post(tail, body={"model": LLAMA, "prompt": "hi"}, cast_to=object)
    assert upstream.last().target == target
    event = caller.event()
    assert (event.operation, event.price_status) == (tail.strip("/"), metering)


def test_a_request_that_names_no_model_does_not_slip_through_allowed_models(
    gateway: RunningProxy, upstream: Upstream
) -> None:
    caller = gateway.caller(setting_ids=("narrow",))
    with sdk(caller, "vllm") as client:
        assert client.chat.completions.create(model=LLAMA, messages=HI).choices
        for body in ({"messages": HI}, {"messages": HI, "model": "another"}):
            with pytest.raises(openai.PermissionDeniedError) as caught:
                client.post("/chat/completions", body=body, cast_to=object)
            assert caught.value.code == "model_not_allowed"
    assert upstream.count() == 1
