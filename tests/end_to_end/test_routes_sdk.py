"""Routes with the official OpenAI SDK: only base URL and key are other ones. The provider's failures are not seen."""

import dataclasses
import uuid
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessage

from keys.records import PathRule
from routes.records import RouteOperation, RouteRecord, RouteStepRecord
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, key, openai_setting, price, proxy_in_thread
from tests.upstream import Upstream

HI: Any = [{"role": "user", "content": "hi"}]
TEXT = "The quick brown fox jumps over the lazy dog and then it rests under a tall"
WEATHER: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
OWNER = key(id=str(uuid.uuid4()), setting_ids=("setting-1", "azure"), cost_limit_nano=10**12)
TAILS: dict[str, RouteOperation] = {
    "/chat/completions": "chat", "/completions": "text_completion", "/embeddings": "embeddings",
    "/responses": "responses",
}  # fmt: skip
AZURE = RouteStepRecord("azure", "gpt-4o-mini", {"deploymentId": "prod", "apiVersion": "2024-10-21"})


def doors(upstream: Upstream) -> PlainDoors:
    """/team/<an SDK's path> for each dialect; the first step is OpenAI's, the second Azure's where that serves it."""
    azure = openai_setting(upstream.url, id="azure", provider="azure", base_url=upstream.url)
    made = PlainDoors(
        settings={"setting-1": openai_setting(upstream.url), "azure": azure},
        prices={(name, model): price(provider=name, model=model)
                for name in ("openai", "azure") for model in ("gpt-4o", "gpt-4o-mini", "text-embedding-3-small")},
    )  # fmt: skip
    for tail, operation in TAILS.items():
        model = "text-embedding-3-small" if operation == "embeddings" else "gpt-4o"
        second = AZURE if operation == "chat" else RouteStepRecord("openai", model)
        steps = (RouteStepRecord("openai", model), second)
        path = f"/team{tail}"
        made.routes[path] = RouteRecord(path, path, path, operation, steps, frozenset({OWNER.id}))
    return made


@pytest.fixture(scope="module")
def routed(running_upstream: Upstream) -> Iterator[RunningProxy]:
    with proxy_in_thread(doors(running_upstream)) as gateway:
        yield gateway


@pytest.fixture
def gateway(routed: RunningProxy, upstream: Upstream) -> RunningProxy:
    del upstream  # forgets what it was asked before
    routed.proxy._breakers._circuits.clear()
    return routed


@pytest.fixture(params=["routes", "route"])
def sdk(gateway: RunningProxy, request: pytest.FixtureRequest) -> OpenAI:
    """At our spelling of the path and at the seed's."""
    caller = Caller(gateway, OWNER, "secret of the owner")
    gateway.doors.put_key(OWNER, caller.secret)
    return sdk_at(caller, request.param)


def sdk_at(caller: Caller, spelling: str) -> OpenAI:
    return caller.sdk().with_options(base_url=f"{caller.gateway.url}/api/{spelling}/team")


@pytest.fixture(params=["", "503", "drop"], ids=["healthy", "refusing", "dropping"])
def fault(request: pytest.FixtureRequest, upstream: Upstream) -> str:
    """What the first step meets."""
    if request.param:
        upstream.fail(request.param)
    return str(request.param)


def test_chat(sdk: OpenAI, fault: str) -> None:
    raw = sdk.chat.completions.with_raw_response.create(model="anything", messages=HI)
    assert raw.parse().choices[0].message.content == TEXT
    told = {name: raw.headers[f"x-gateway-{name}"] for name in ("attempts", "provider", "model")}
    assert told == (
        {"attempts": "2", "provider": "azure", "model": "gpt-4o-mini"} if fault
        else {"attempts": "1", "provider": "openai", "model": "gpt-4o"}
    )  # fmt: skip


def test_a_stream(sdk: OpenAI, fault: str, upstream: Upstream) -> None:
    every = list(sdk.chat.completions.create(model="anything", messages=HI, stream=True))
    chunks = [chunk for chunk in every if chunk.choices]  # Azure begins with one about its filters
    assert len(every) - len(chunks) == bool(fault)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in every), "nobody asked for usage"
    assert upstream.last().path.startswith("/openai/deployments/prod/" if fault else "/v1/")


def test_a_stream_with_usage(sdk: OpenAI, fault: str) -> None:
    options: Any = {"include_usage": True}
    chunks = list(sdk.chat.completions.create(model="x", messages=HI, stream=True, stream_options=options))
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, chunks[-1].choices) == (8, 16, [])


@pytest.mark.parametrize("stream", [False, True])
def test_tools(sdk: OpenAI, fault: str, stream: bool) -> None:
    if stream:
        with sdk.chat.completions.stream(model="x", messages=HI, tools=[WEATHER]) as events:
            message: ChatCompletionMessage = events.get_final_completion().choices[0].message
    else:
        message = sdk.chat.completions.create(model="x", messages=HI, tools=[WEATHER]).choices[0].message
    assert message.tool_calls is not None
    [called] = message.tool_calls
    assert called.type == "function"
    assert (called.function.name, called.function.arguments[:8]) == ("weather", '{"city":')


def test_a_json_schema(sdk: OpenAI, fault: str, upstream: Upstream) -> None:
    """What the seed's typed bodies lost."""
    form: Any = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {}}}}
    answer = sdk.chat.completions.create(
        model="x", messages=HI, response_format=form, temperature=0, extra_body={"unheard": {"of": None}}
    )
    assert answer.choices[0].message.content == "{}"
    sent = upstream.last().json()
    assert (sent["response_format"], sent["temperature"], sent["unheard"]) == (form, 0, {"of": None})


def test_responses(sdk: OpenAI, fault: str) -> None:
    assert sdk.responses.create(model="x", input="hi").output_text == TEXT
    if fault:
        return
    with sdk.responses.stream(model="gpt-4o", input="hi") as events:
        assert events.get_final_response().output_text == TEXT


def test_a_stream_of_responses_fails_over(sdk: OpenAI, upstream: Upstream) -> None:
    upstream.fail("error-event=0")
    with sdk.responses.stream(model="gpt-4o", input="hi") as events:
        assert events.get_final_response().output_text == TEXT
    assert upstream.count() == 2


def test_completions_and_embeddings(sdk: OpenAI, fault: str) -> None:
    if fault:
        assert len(sdk.embeddings.create(model="x", input="hi").data) == 1
        return
    assert sdk.completions.create(model="x", prompt="hi").choices[0].text.strip()
    assert len(sdk.embeddings.create(model="x", input=["a", "b"]).data) == 2


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("bad-status=400", openai.BadRequestError),
        ("bad-status=401", openai.AuthenticationError),
        ("bad-status=404", openai.NotFoundError),
        ("bad-status=422", openai.UnprocessableEntityError),
        ("429=0", openai.RateLimitError),
        ("503", openai.InternalServerError),
        ("drop", openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_the_sdks_own(
    sdk: OpenAI, upstream: Upstream, fault: str, raised: type[openai.APIStatusError], stream: bool
) -> None:
    upstream.fail(fault, times=2)
    with pytest.raises(raised) as caught:
        sdk.chat.completions.create(model="x", messages=HI, stream=stream)
    assert caught.value.response.headers["x-gateway-attempts"] == "2"
    if fault == "drop":
        assert caught.value.code == "upstream_failed"


def test_a_key_the_route_does_not_name(gateway: RunningProxy, upstream: Upstream) -> None:
    other = sdk_at(gateway.caller(), "routes")
    with pytest.raises(openai.PermissionDeniedError) as caught:
        other.chat.completions.create(model="x", messages=HI)
    assert caught.value.code == "route_not_allowed"
    assert upstream.count() == 0


def test_an_error_inside_a_stream_is_raised_by_the_sdk(sdk: OpenAI, upstream: Upstream) -> None:
    upstream.fail("cut=3")
    seen = []
    with pytest.raises(openai.APIError, match="broke off"):
        seen += [chunk.id for chunk in sdk.chat.completions.create(model="x", messages=HI, stream=True)]
    assert upstream.count() == 1, "content had been sent: no other step is asked"


def test_allowed_paths_hold_the_path_as_it_was_sent(gateway: RunningProxy, upstream: Upstream) -> None:
    """Not the provider's."""
    rules = (PathRule("POST", "/api/routes/team/embeddings"), PathRule("POST", "/api/providers/openai/v1/*"))
    limited = Caller(gateway, dataclasses.replace(OWNER, allowed_paths=rules), "a limited secret")
    gateway.doors.put_key(limited.key, limited.secret)
    client = sdk_at(limited, "routes")
    client.embeddings.create(model="x", input="hi")
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(model="x", messages=HI)
    assert caught.value.code == "path_not_allowed"
    assert upstream.count() == 1
