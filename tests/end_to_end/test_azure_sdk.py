"""Tests of the proxy with the official SDK for Azure: only the endpoint and the key are other ones."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncAzureOpenAI, AzureOpenAI, OpenAI

from providers.records import ProviderRecord
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, price, proxy_in_thread
from tests.upstream import Upstream

HI: Any = [{"role": "user", "content": "hi"}]
TEXT = "The quick brown fox jumps over the lazy dog and then it rests under a tall"
VERSION = "2024-10-21"
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def azure_setting(url: str, **changes: Any) -> ProviderRecord:
    values = {"id": "azure", "provider": "azure", "base_url": url, "secrets": {"apikey": "azure-secret"}}
    return ProviderRecord(**{**values, **changes})


SETTINGS: dict[str, dict[str, Any]] = {
    "azure": {},
    "mapped": {
        "parameters": {"deploymentModels": '{"Prod": "gpt-4o", "my-whisper-1": "whisper-1", "my-dall-e-3": "dall-e-3"}'}
    },
    "entra": {"secrets": {"entraToken": "eyJ.token", "apikey": "azure-secret"}},
    "narrow": {"allowed_models": frozenset({"gpt-4o"}), "parameters": {"deploymentModels": '{"prod": "gpt-4o"}'}},
}
PRICES = (
    price(provider="azure", model="gpt-4o", max_output_tokens=16_384, max_input_tokens=128_000),
    price(provider="azure", model="gpt-35-turbo", input_pico=500, output_pico=1_500),
    price(provider="azure", model="text-embedding-3-small", input_pico=20_000, output_pico=0),
    price(provider="azure", model="whisper-1", input_pico=None, output_pico=None, second_pico=100_000_000),
    price(provider="azure", model="dall-e-3", input_pico=None, output_pico=None,
          image_prices={"standard/1024x1024": 40_000_000_000}),
)  # fmt: skip


@pytest.fixture(scope="module")
def azure_gateway(running_upstream: Upstream) -> Iterator[RunningProxy]:
    settings = {name: azure_setting(running_upstream.url, id=name, **more) for name, more in SETTINGS.items()}
    prices = {("azure", record.model): record for record in PRICES}
    with proxy_in_thread(PlainDoors(settings=settings, prices=prices)) as gateway:
        yield gateway


@pytest.fixture
def gateway(azure_gateway: RunningProxy, upstream: Upstream) -> RunningProxy:
    upstream.options(require_key="azure-secret")
    return azure_gateway


@pytest.fixture
def caller(gateway: RunningProxy) -> Caller:
    return gateway.caller(setting_ids=("azure",))


def sdk(caller: Caller, **options: Any) -> AzureOpenAI:
    values: dict[str, Any] = {
        "azure_endpoint": f"{caller.gateway.url}/api/providers/azure",
        "api_version": VERSION,
        "max_retries": 0,
    }
    made = AzureOpenAI(**{**values, "api_key": caller.secret, **options})
    return caller.gateway.clients.enter_context(made)


@pytest.fixture
def client(caller: Caller) -> AzureOpenAI:
    return sdk(caller)


def test_a_chat_goes_to_its_deployment(caller: Caller, client: AzureOpenAI, upstream: Upstream) -> None:
    answer = client.chat.completions.create(model="my-gpt-4o", messages=HI)
    assert answer.choices[0].message.content == TEXT
    assert answer.model_extra is not None
    assert answer.model_extra["prompt_filter_results"][0]["prompt_index"] == 0
    seen = upstream.last()
    assert (seen.path, seen.query) == ("/openai/deployments/my-gpt-4o/chat/completions", f"api-version={VERSION}")
    assert (seen.header("api-key"), seen.header("authorization")) == ("azure-secret", None)
    event = caller.event()
    assert (event.provider, event.operation, event.request_model) == ("azure", "chat", "my-gpt-4o")
    # The deployment's name has no price; the model that the answer names has one.
    assert (event.response_model, event.price_status, event.cost_nano) == ("gpt-4o", "priced", 8 + 2 * 16)


def test_a_chat_streams(caller: Caller, client: AzureOpenAI, upstream: Upstream) -> None:
    chunks = list(client.chat.completions.create(model="my-gpt-4o", messages=HI, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert all(chunk.usage is None for chunk in chunks)
    event = caller.event()
    assert (event.response_model, event.usage_source, event.cost_nano) == ("gpt-4o", "upstream", 40)
    assert upstream.last().json()["stream_options"] == {"include_usage": True}


def test_a_stream_without_usage_is_counted_for_the_model_that_answers(caller: Caller, client: AzureOpenAI) -> None:
    fault = {"x-fake-fault": "no-usage"}
    list(client.chat.completions.create(model="my-gpt-4o", messages=HI, stream=True, extra_headers=fault))
    event = caller.event()
    assert (event.response_model, event.usage_source, event.price_status) == ("gpt-4o", "counted", "priced")
    assert event.output_tokens > 10


def test_an_old_api_version_refuses_stream_options(caller: Caller, client: AzureOpenAI, upstream: Upstream) -> None:
    fault = {"x-fake-fault": "reject-stream-options"}
    stream = client.chat.completions.create(model="my-gpt-4o", messages=HI, stream=True, extra_headers=fault)
    assert len(list(stream)) > 16
    assert (upstream.count(), caller.event().usage_source) == (2, "counted")


def test_a_tool_is_called(caller: Caller, client: AzureOpenAI) -> None:
    answer = client.chat.completions.create(model="my-gpt-4o", messages=HI, tools=[WEATHER])
    calls: Any = answer.choices[0].message.tool_calls
    assert (calls[0].function.name, json.loads(calls[0].function.arguments)) == ("weather", {"city": "fox"})
    with client.chat.completions.stream(model="my-gpt-4o", messages=HI, tools=[WEATHER]) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(calls[0].function.arguments) == {"city": "fox"}
    assert caller.event(number=2).ending == "completed"


def test_a_picture_part_arrives(client: AzureOpenAI, upstream: Upstream) -> None:
    url = "data:image/png;base64," + base64.b64encode(bytes(range(256))).decode()
    parts: Any = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    client.chat.completions.create(model="my-gpt-4o", messages=[{"role": "user", "content": parts}])
    assert upstream.last().json()["messages"][0]["content"] == parts


def test_embeddings_and_completions(caller: Caller, client: AzureOpenAI, upstream: Upstream) -> None:
    assert len(client.embeddings.create(model="my-text-embedding-3-small", input="three small words").data) == 1
    assert upstream.last().path == "/openai/deployments/my-text-embedding-3-small/embeddings"
    assert caller.event().cost_nano == 3 * 20
    assert client.completions.create(model="my-gpt-35-turbo", prompt="say it").choices[0].text
    event = caller.event(number=2)
    assert (event.operation, event.response_model, event.price_status) == ("text_completion", "gpt-35-turbo", "priced")


def test_the_spelling_without_a_dot_has_a_price(caller: Caller, client: AzureOpenAI) -> None:
    client.chat.completions.create(model="my-gpt-3.5-turbo", messages=HI)
    event = caller.event()
    assert (event.price_status, event.cost_nano) == ("priced", 8 // 2 + 16 * 3 // 2)


def test_the_v1_path_takes_the_plain_sdk(caller: Caller, upstream: Upstream) -> None:
    base_url = f"{caller.gateway.url}/api/providers/azure/openai/v1/"
    with OpenAI(api_key=caller.secret, base_url=base_url, max_retries=0) as client:
        answer = client.chat.completions.create(model="my-gpt-4o", messages=HI)
        assert answer.choices[0].message.content == TEXT
        assert upstream.last().target == "/openai/v1/chat/completions"
        assert upstream.last().header("api-key") == "azure-secret"
        list(client.chat.completions.create(model="my-gpt-4o", messages=HI, stream=True))
        assert client.responses.create(model="my-gpt-4o", input="hi there").output_text == TEXT
    events = caller.events()
    assert [event.operation for event in events] == ["chat", "chat", "responses"]
    assert {(event.request_model, event.response_model, event.price_status) for event in events} == {
        ("my-gpt-4o", "gpt-4o", "priced")
    }


def test_responses_have_an_unversioned_path_too(caller: Caller, upstream: Upstream) -> None:
    client = sdk(caller, api_version="2025-04-01-preview")
    assert client.responses.create(model="my-gpt-4o", input="hi there").output_text == TEXT
    assert upstream.last().target == "/openai/responses?api-version=2025-04-01-preview"
    assert caller.event().operation == "responses"


async def test_the_asynchronous_client(caller: Caller) -> None:
    async with AsyncAzureOpenAI(
        api_key=caller.secret,
        azure_endpoint=f"{caller.gateway.url}/api/providers/azure",
        api_version=VERSION,
        max_retries=0,
    ) as client:
        answer = await client.chat.completions.create(model="my-gpt-4o", messages=HI)
        assert answer.choices[0].message.content == TEXT
        stream = await client.chat.completions.create(model="my-gpt-4o", messages=HI, stream=True)
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    assert "".join(texts) == TEXT
    assert [event.cost_nano for event in caller.events()] == [40, 40]


def test_an_entra_token_is_sent_as_bearer(gateway: RunningProxy, upstream: Upstream) -> None:
    upstream.options(require_key="eyJ.token")
    caller = gateway.caller(setting_ids=("entra",))
    # The client's own token is the gateway's key.
    client = sdk(caller, api_key=None, azure_ad_token=caller.secret)
    assert client.chat.completions.create(model="my-gpt-4o", messages=HI).choices
    seen = upstream.last()
    assert (seen.header("authorization"), seen.header("api-key")) == ("Bearer eyJ.token", None)


def test_the_setting_says_which_model_a_deployment_is(gateway: RunningProxy, upstream: Upstream) -> None:
    caller = gateway.caller(setting_ids=("mapped",), cost_limit_nano=10**12)
    client = sdk(caller)
    heard = client.audio.transcriptions.create(model="my-whisper-1", file=("talk.wav", b"RIFF" + bytes(16_000)))
    assert heard.text
    assert upstream.last().path == "/openai/deployments/my-whisper-1/audio/transcriptions"
    drawn = client.images.generate(model="my-dall-e-3", prompt="a fox", size="1024x1024")
    assert drawn.data
    assert upstream.last().path == "/openai/deployments/my-dall-e-3/images/generations"
    first, second = caller.events()
    assert (first.request_model, first.price_status, first.cost_nano > 0) == ("my-whisper-1", "priced", True)
    assert (second.request_model, second.images, second.cost_nano) == ("my-dall-e-3", 1, 40_000_000)


def test_a_limit_on_cost_needs_to_know_the_model(gateway: RunningProxy) -> None:
    caller = gateway.caller(setting_ids=("mapped",), cost_limit_nano=10**12)
    assert sdk(caller).chat.completions.create(model="prod", messages=HI).choices
    with pytest.raises(openai.PermissionDeniedError) as caught:
        sdk(caller).chat.completions.create(model="unknown", messages=HI)
    assert caught.value.code == "model_unpriced"


def test_allowed_models_hold_for_deployments(gateway: RunningProxy, upstream: Upstream) -> None:
    caller = gateway.caller(setting_ids=("narrow",))
    client = sdk(caller)
    assert client.chat.completions.create(model="prod", messages=HI).choices
    assert client.chat.completions.create(model="gpt-4o", messages=HI).choices
    before = upstream.count()
    for path in ("other/chat/completions", "OTHER/Chat/Completions", "other%2Fchat/completions"):
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.post(f"/deployments/{path}", body={"messages": HI, "model": "gpt-4o"}, cast_to=object)
        assert caught.value.code == "model_not_allowed"
    with pytest.raises(openai.PermissionDeniedError):
        client.post("/Deployments/other/chat/completions", body={"messages": HI, "model": "gpt-4o"}, cast_to=object)
    assert upstream.count() == before


def test_errors_pass_as_they_are(caller: Caller, client: AzureOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as filtered:
        client.chat.completions.create(model="my-gpt-4o", messages=[{"role": "user", "content": "forbidden"}])
    body: Any = filtered.value.body
    assert body["innererror"]["content_filter_result"]["violence"]["filtered"]
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="my-does-not-exist", messages=HI)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="my-gpt-4o", messages=HI, extra_headers={"x-fake-fault": "429=7"})
    assert [(event.status, event.cost_nano) for event in caller.events()] == [(400, 0), (404, 0), (429, 0)]


def test_errors_of_the_gateway_raise_what_the_sdk_knows(gateway: RunningProxy, upstream: Upstream) -> None:
    stranger = Caller(gateway, gateway.caller().key, "wrong")
    with pytest.raises(openai.AuthenticationError) as unknown:
        sdk(stranger).chat.completions.create(model="my-gpt-4o", messages=HI)
    assert unknown.value.code == "invalid_api_key"
    with pytest.raises(openai.PermissionDeniedError) as foreign:
        sdk(gateway.caller(setting_ids=("nowhere",))).chat.completions.create(model="my-gpt-4o", messages=HI)
    assert foreign.value.code == "no_setting"
    assert upstream.count() == 0
