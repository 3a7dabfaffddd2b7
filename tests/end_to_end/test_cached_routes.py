"""Routes that keep their answers, called with the official SDK: whatever was kept serves whatever is asked."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.test import override_settings
from openai import OpenAI

from gateway_project.shared.redis_counters import RedisCounters
from proxy.cache_store_redis import ALIAS, RedisAnswers
from routes.records import CacheRecord, RouteOperation, RouteRecord, RouteStepRecord
from tests.proxy_gateway import (
    SECRET,
    PlainDoors,
    RunningProxy,
    key,
    openai_setting,
    price,
    proxy_in_thread,
    waited_for,
)
from tests.services import RedisServer, start_redis
from tests.upstream import Upstream, upstream_in_thread

OPERATIONS: dict[str, RouteOperation] = {
    "/kept/chat/completions": "chat",
    "/kept/completions": "text_completion",
    "/kept/embeddings": "embeddings",
    "/kept/responses": "responses",
}
MESSAGES: list[Any] = [{"role": "user", "content": "Tell me about foxes."}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOLS: list[Any] = [{"type": "function", "function": {"name": "forecast", "parameters": PARAMETERS}}]
FUNCTIONS: list[Any] = [{"type": "function", "name": "forecast", "parameters": PARAMETERS, "strict": False}]


def doors_to(upstream: Upstream) -> PlainDoors:
    record = key(cost_limit_nano=10**12, request_limit=1_000_000, request_window_unit="d")
    routes = {
        path: RouteRecord(
            f"route-{operation}",
            operation,
            path,
            operation,
            (RouteStepRecord("openai", "gpt-4o"),),
            frozenset({record.id}),
            cache=CacheRecord(600),
        )
        for path, operation in OPERATIONS.items()
    }
    doors = PlainDoors(
        settings={"setting-1": openai_setting(upstream.url)}, prices={("openai", "gpt-4o"): price()}, routes=routes
    )
    doors.put_key(record)
    return doors


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[RunningProxy]:
    with proxy_in_thread(doors_to(upstream)) as running:
        yield running


@pytest.fixture
def sdk(gateway: RunningProxy) -> Iterator[OpenAI]:
    with OpenAI(api_key=SECRET, base_url=f"{gateway.url}/api/routes/kept", max_retries=0) as client:
        yield client


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Makes each test's requests its own."""
    return zlib.crc32(request.node.nodeid.encode()) % 2**31


def chat_plain(sdk: OpenAI, **asked: Any) -> Any:
    raw = sdk.chat.completions.with_raw_response.create(model="any", messages=MESSAGES, **asked)
    return raw.headers["x-gateway-cache"], raw.parse()


def chat_streamed(sdk: OpenAI, **asked: Any) -> Any:
    raw = sdk.chat.completions.with_raw_response.create(model="any", messages=MESSAGES, stream=True, **asked)
    return raw.headers["x-gateway-cache"], list(raw.parse())


def text_of(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_a_plain_answer_comes_again_and_as_a_stream(sdk: OpenAI, seed: int) -> None:
    missed, first = chat_plain(sdk, seed=seed)
    hit, second = chat_plain(sdk, seed=seed)
    streamed, chunks = chat_streamed(sdk, seed=seed)
    assert (missed, hit, streamed) == ("miss", "hit", "hit")
    assert second == first
    assert text_of(chunks) == first.choices[0].message.content
    assert {chunk.id for chunk in chunks} == {first.id}
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_comes_again_and_as_a_plain_answer(sdk: OpenAI, seed: int) -> None:
    missed, first = chat_streamed(sdk, seed=seed)
    hit, second = chat_streamed(sdk, seed=seed)
    plain, answer = chat_plain(sdk, seed=seed)
    assert (missed, hit, plain) == ("miss", "hit", "hit")
    assert second == first
    assert answer.choices[0].message.content == text_of(first)
    assert answer.usage.completion_tokens == 16
    assert answer.id == first[0].id


@pytest.mark.parametrize("first_as_stream", [False, True])
def test_usage_is_told_to_those_who_ask(sdk: OpenAI, seed: int, first_as_stream: bool) -> None:
    (chat_streamed if first_as_stream else chat_plain)(sdk, seed=seed)
    mark, chunks = chat_streamed(sdk, seed=seed, stream_options={"include_usage": True})
    assert mark == "hit"
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [chunks[-1].usage.total_tokens]
    assert chunks[-1].choices == []
    mark, chunks = chat_streamed(sdk, seed=seed)
    assert (mark, [chunk.usage for chunk in chunks if chunk.usage]) == ("hit", [])


@pytest.mark.parametrize("first_as_stream", [False, True])
def test_tool_calls_come_either_way(sdk: OpenAI, seed: int, first_as_stream: bool) -> None:
    def plain() -> Any:
        mark, answer = chat_plain(sdk, seed=seed, tools=TOOLS)
        return mark, answer.choices[0]

    def streamed() -> Any:
        with sdk.chat.completions.stream(model="any", messages=MESSAGES, seed=seed, tools=TOOLS) as stream:
            return stream._response.headers["x-gateway-cache"], stream.get_final_completion().choices[0]

    ways = [streamed, plain] if first_as_stream else [plain, streamed]
    (missed, one), (hit, other) = ways[0](), ways[1]()
    assert (missed, hit) == ("miss", "hit")
    for choice in (one, other):
        [call] = choice.message.tool_calls
        assert (call.function.name, choice.finish_reason, choice.message.content) == ("forecast", "tool_calls", None)
        assert set(json.loads(call.function.arguments)) <= {"city", "days"}
    assert one.message.tool_calls[0].id == other.message.tool_calls[0].id
    assert one.message.tool_calls[0].function.arguments == other.message.tool_calls[0].function.arguments


@pytest.mark.parametrize("first_as_stream", [False, True])
def test_several_choices_come_either_way(sdk: OpenAI, seed: int, first_as_stream: bool) -> None:
    asks = [chat_streamed, chat_plain] if first_as_stream else [chat_plain, chat_streamed]
    answers = {ask: ask(sdk, seed=seed, n=3)[1] for ask in asks}
    texts = [choice.message.content for choice in answers[chat_plain].choices]
    for index, text in enumerate(texts):
        pieces = [choice for chunk in answers[chat_streamed] for choice in chunk.choices if choice.index == index]
        assert "".join(choice.delta.content or "" for choice in pieces) == text


@pytest.mark.parametrize("first_as_stream", [False, True])
@pytest.mark.parametrize("tools", [[], FUNCTIONS])
def test_responses_come_either_way(sdk: OpenAI, seed: int, first_as_stream: bool, tools: list[Any]) -> None:
    given = f"Foxes {seed}"

    def plain() -> Any:
        raw = sdk.responses.with_raw_response.create(model="any", input=given, tools=tools)
        return raw.headers["x-gateway-cache"], raw.parse()

    def streamed() -> Any:
        with sdk.responses.stream(model="any", input=given, tools=tools) as stream:
            events = list(stream)
            if not tools:
                deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
                assert "".join(deltas) == stream.get_final_response().output_text
            return stream._response.headers["x-gateway-cache"], stream.get_final_response()

    ways = [streamed, plain] if first_as_stream else [plain, streamed]
    (missed, one), (hit, other) = ways[0](), ways[1]()
    assert (missed, hit) == ("miss", "hit")
    assert (one.id, one.output_text, one.usage) == (other.id, other.output_text, other.usage)
    if tools:
        assert one.output[0].name == other.output[0].name == "forecast"
        assert one.output[0].arguments == other.output[0].arguments


@pytest.mark.parametrize("first_as_stream", [False, True])
def test_text_completions_come_either_way(sdk: OpenAI, seed: int, first_as_stream: bool) -> None:
    def plain() -> tuple[str, str]:
        answer = sdk.completions.create(model="any", prompt=f"Foxes {seed}")
        return answer.id, answer.choices[0].text

    def streamed() -> tuple[str, str]:
        chunks = list(sdk.completions.create(model="any", prompt=f"Foxes {seed}", stream=True))
        return chunks[0].id, "".join(choice.text for chunk in chunks for choice in chunk.choices)

    ways = [streamed, plain] if first_as_stream else [plain, streamed]
    assert ways[0]() == ways[1]()


def test_embeddings_come_again(sdk: OpenAI, seed: int) -> None:
    asked: Any = {"model": "any", "input": [f"Foxes {seed}", "rivers"]}
    answers = [sdk.embeddings.with_raw_response.create(**asked) for _ in range(2)]
    assert [raw.headers["x-gateway-cache"] for raw in answers] == ["miss", "hit"]
    assert answers[0].parse() == answers[1].parse()
    other = sdk.embeddings.with_raw_response.create(**asked, dimensions=8)
    assert other.headers["x-gateway-cache"] == "miss"


def test_what_the_client_says_about_caches_is_kept_to(sdk: OpenAI, seed: int) -> None:
    said = [
        chat_plain(sdk, seed=seed, extra_headers={"cache-control": value} if value else None)[0]
        for value in ("no-store", "", "no-cache", "no-store", "")
    ]
    assert said == ["bypass", "miss", "miss", "bypass", "hit"]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = start_redis()
    yield server
    server.stop()


def test_proxies_share_answers_through_redis_and_go_on_without(redis: RedisServer, upstream: Upstream) -> None:
    described = {
        "BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis.url, "KEY_PREFIX": "gatehouse:answers",
        "OPTIONS": {
            "CONNECTION_FACTORY": "gateway_project.answer_cache.OwnConnections",
            "SERIALIZER": "gateway_project.answer_cache.AsBytes",
            "SOCKET_CONNECT_TIMEOUT": 0.25, "SOCKET_TIMEOUT": 0.25,
        },
    }  # fmt: skip

    def asking(gateway: RunningProxy, number: int) -> str:
        body = {"messages": MESSAGES, "seed": number}
        headers = {"authorization": f"Bearer {SECRET}"}
        answer = httpx.post(f"{gateway.url}/api/routes/kept/chat/completions", json=body, headers=headers)
        assert answer.status_code == 200
        mark: str = answer.headers["x-gateway-cache"]
        return mark

    counters = {"read_timeout_s": 1.0, "write_timeout_s": 1.0, "regroup_s": 0.0}
    with (
        override_settings(CACHES={"default": described, ALIAS: described}),
        proxy_in_thread(
            doors_to(upstream),
            make_counters=lambda: RedisCounters(redis.url, **counters),
            answers=RedisAnswers(redis.url, b"s" * 32, 1 << 40),
        ) as one,
        proxy_in_thread(doors_to(upstream), answers=RedisAnswers(redis.url, b"s" * 32, 1 << 40)) as other,
    ):
        assert asking(one, 1) == "miss"
        assert asking(one, 1) == "hit"
        assert waited_for(lambda: asking(other, 1) == "hit")
        assert [event.cost_nano for event in one.events()][1:] == [0]
        redis.kill()
        assert asking(other, 2) == "miss"
        assert asking(other, 2) in ("miss", "hit")
