"""Tests of the proxy with Anthropic's official SDK: what it calls works unchanged, and is in the books."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic, AsyncAnthropic

from tests.end_to_end import claude
from tests.end_to_end.claude import ASKED, HI, INPUT_TOKENS, OPUS, OUTPUT_TOKENS, TEXT, WEATHER, fault
from tests.proxy_gateway import Caller, RunningProxy
from tests.upstream import Upstream

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PLAIN_COST = INPUT_TOKENS * claude.OPUS_INPUT + OUTPUT_TOKENS * claude.OPUS_OUTPUT


@pytest.fixture(scope="module")
def served(running_upstream: Upstream) -> Iterator[RunningProxy]:
    with claude.claude_gateway(running_upstream.url) as gateway:
        yield gateway


@pytest.fixture
def caller(served: RunningProxy, upstream: Upstream) -> Caller:
    """A key without limits, before an upstream that takes the setting's credential only."""
    upstream.options(require_key="upstream-anthropic-apikey")
    return served.caller()


@pytest.fixture
def client(caller: Caller) -> Anthropic:
    return claude.sdk(caller)


def test_a_message(client: Anthropic, caller: Caller, upstream: Upstream) -> None:
    message = client.messages.create(**ASKED, metadata={"user_id": "user-7"})
    assert message.content[0].type == "text"
    assert (message.content[0].text, message.stop_reason) == (TEXT, "end_turn")
    assert (message._request_id or "").startswith("req_")
    event = caller.event()
    assert (event.provider, event.operation, event.request_model, event.user_id) == (
        "anthropic", "chat", OPUS, "user-7",
    )  # fmt: skip
    assert (event.input_tokens, event.output_tokens, event.usage_source) == (INPUT_TOKENS, OUTPUT_TOKENS, "upstream")
    assert (event.cost_nano, event.price_status) == (PLAIN_COST, "priced")
    assert event.upstream_request_id == message._request_id


def test_what_goes_to_the_upstream(client: Anthropic, caller: Caller, upstream: Upstream) -> None:
    betas = {"anthropic-beta": "context-1m-2025-08-07,prompt-caching-2024-07-31", "anthropic-version": "2023-01-01"}
    client.messages.create(**ASKED, extra_headers=betas, extra_query={"beta": "true"}, extra_body={"new": [1.50, None]})
    seen = upstream.last()
    assert (seen.method, seen.path, seen.query) == ("POST", "/v1/messages", "beta=true")
    assert {name: seen.header(name) for name in betas} == betas
    assert seen.header("x-api-key") == "upstream-anthropic-apikey"
    assert seen.header("authorization") is None
    assert caller.secret not in str(seen.headers)
    assert seen.json() == {**ASKED, "new": [1.5, None]}


def test_a_version_is_named_where_the_client_names_none(caller: Caller, upstream: Upstream) -> None:
    url = f"{caller.gateway.url}{claude.PREFIX}/v1/messages"
    answer = httpx.post(url, json=ASKED, headers={"x-api-key": caller.secret})
    assert (answer.status_code, answer.json()["type"]) == (200, "message")
    assert upstream.last().header("anthropic-version") == "2023-06-01"


def test_bytes_pass_as_they_were_sent(caller: Caller, upstream: Upstream) -> None:
    url = f"{caller.gateway.url}{claude.PREFIX}/v1/messages"
    body = (
        b'{"max_tokens":1e1, "model" :"%b","messages":[{"role":"user","content":"\\u00e4\\/ \xc3\xa4"}] }'
        % OPUS.encode()
    )
    headers = {"x-api-key": caller.secret, "content-type": "application/json"}
    assert httpx.post(url, content=body, headers=headers).status_code == 200
    assert upstream.last().body == body


def test_tokens_of_caches_have_prices_of_their_own(client: Anthropic, caller: Caller) -> None:
    message = client.messages.create(**ASKED, extra_headers=fault("cached=1000,cache-write=200,cache-write-1h=30"))
    assert message.usage.cache_creation_input_tokens == 230
    event = caller.event()
    assert (event.input_tokens, event.cache_read_tokens) == (INPUT_TOKENS, 1000)
    assert (event.cache_write_tokens, event.cache_write_1h_tokens) == (200, 30)
    # 1000 x 500 + 200 x 6250 + 30 x 10000
    assert event.cost_nano == PLAIN_COST + 500_000 + 1_250_000 + 300_000


def test_a_stream_of_text(client: Anthropic, caller: Caller) -> None:
    with client.messages.stream(
        **ASKED, extra_headers=fault("cached=1000,cache-write=200,cache-write-1h=30")
    ) as stream:
        said = list(stream.text_stream)
        final = stream.get_final_message()
    assert ("".join(said), len(said)) == (TEXT, 16)
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 16)
    event = caller.event()
    assert (event.ending, event.usage_source, event.stream) == ("completed", "upstream", True)
    assert (event.input_tokens, event.output_tokens, event.cache_read_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS, 1000)
    assert (event.cache_write_tokens, event.cache_write_1h_tokens) == (200, 30)
    assert event.cost_nano == PLAIN_COST + 500_000 + 1_250_000 + 300_000


def test_a_stream_of_events_comes_as_it_was_sent(caller: Caller, client: Anthropic, upstream: Upstream) -> None:
    kinds = [event.type for event in client.messages.create(**ASKED, stream=True, extra_headers=fault("reasoning=2"))]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_delta") == 2 + 1 + 16
    event = caller.event()
    assert (event.output_tokens, event.reasoning_tokens) == (18, 2)
    url, headers = f"{caller.gateway.url}{claude.PREFIX}/v1/messages", {"x-api-key": caller.secret}
    relayed = httpx.post(url, json={**ASKED, "stream": True}, headers=headers).text
    assert relayed.startswith('event: message_start\ndata: {"type":"message_start"')
    assert "event: ping\n" in relayed
    assert relayed.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')


@pytest.mark.parametrize("streamed", [False, True])
def test_tools(client: Anthropic, caller: Caller, streamed: bool) -> None:
    choice: Any = {"type": "tool", "name": "weather"}
    if streamed:
        with client.messages.stream(**ASKED, tools=[WEATHER], tool_choice=choice) as stream:
            message: Any = stream.get_final_message()
    else:
        message = client.messages.create(**ASKED, tools=[WEATHER], tool_choice=choice)
    called = message.content[0]
    assert (called.type, called.name, called.input) == ("tool_use", "weather", {"city": "fox"})
    result = {"type": "tool_result", "tool_use_id": called.id, "content": [{"type": "text", "text": "sunny"}]}
    turns: Any = [*HI, {"role": "assistant", "content": [called.model_dump()]}, {"role": "user", "content": [result]}]
    after = client.messages.create(**{**ASKED, "messages": turns}, tools=[WEATHER])
    assert after.stop_reason == "end_turn"
    assert caller.event(number=2).output_tokens == 16


def test_pictures_and_documents(client: Anthropic, caller: Caller, upstream: Upstream) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    parts = [
        {"type": "image", "source": source},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a b c"}},
        {"type": "text", "text": "What is it?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    asked: Any = {**ASKED, "messages": [{"role": "user", "content": parts}]}
    assert client.messages.create(**asked).stop_reason == "end_turn"
    assert upstream.last().json()["messages"][0]["content"] == parts
    assert caller.event().input_tokens == 7 + 2 * 85 + 3


def test_tokens_are_counted_for_nothing(client: Anthropic, caller: Caller) -> None:
    assert client.messages.count_tokens(model=OPUS, messages=HI).input_tokens == INPUT_TOKENS
    event = caller.event()
    assert (event.operation, event.cost_nano, event.price_status) == ("count_tokens", 0, "free")


def test_models_and_files(client: Anthropic, caller: Caller) -> None:
    assert [model.id for model in client.models.list(limit=1)] == [
        "claude-haiku-4-5-20251001", "claude-opus-4-8", "claude-sonnet-5",
    ]  # fmt: skip
    assert client.models.retrieve(OPUS).type == "model"
    made = client.files.upload(file=("notes.txt", b"some notes"))
    assert client.files.retrieve_metadata(made.id).size_bytes == 10
    assert client.files.download(made.id).read() == b"some notes"
    assert client.files.delete(made.id).id == made.id
    assert {(event.cost_nano, event.price_status) for event in caller.events()} == {(0, "free")}


def test_a_batch_and_its_results(client: Anthropic, caller: Caller, upstream: Upstream) -> None:
    made = client.messages.batches.create(requests=[{"custom_id": "one", "params": ASKED}])
    ended = client.messages.batches.retrieve(made.id)
    assert ended.processing_status == "ended"
    # The SDK goes where the batch says its results are: through the gateway too, and never elsewhere with its key.
    assert ended.results_url == f"/v1/messages/batches/{made.id}/results"
    (result,) = client.messages.batches.results(made.id)
    assert result.result.type == "succeeded"
    assert result.result.message.usage.output_tokens == 16
    assert [batch.results_url for batch in client.messages.batches.list()] == [ended.results_url]
    client.messages.batches.cancel(made.id)
    client.messages.batches.delete(made.id)
    created = next(event for event in caller.events() if event.operation == "batches")
    assert (created.price_status, created.cost_nano, created.request_model) == ("unpriced", 0, OPUS)


@pytest.mark.parametrize("streamed", [False, True])
def test_the_older_completions(caller: Caller, streamed: bool) -> None:
    body = {"model": "claude-2.1", "max_tokens_to_sample": 50, "prompt": "\n\nHuman: hi\n\nAssistant:"}
    url, headers = f"{caller.gateway.url}{claude.PREFIX}/v1/complete", {"x-api-key": caller.secret}
    answer = httpx.post(url, json={**body, "stream": streamed}, headers=headers)
    assert answer.status_code == 200
    if streamed:
        assert answer.text.count("event: completion\n") == 17
    else:
        assert answer.json()["completion"] == TEXT
    event = caller.event()
    # It tells no usage: what went in and out is counted.
    assert (event.operation, event.usage_source, event.output_tokens) == ("text_completion", "counted", 16)
    assert 0 < event.input_tokens < 12
    assert event.cost_nano == 8_000 * event.input_tokens + 24_000 * 16


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("how", "times"),
    [({"speed": "fast"}, 2.0), ({"inference_geo": "us"}, 1.1), ({"speed": "fast", "inference_geo": "us"}, 2.2)],
)
def test_speed_and_place_have_prices_of_their_own(
    client: Anthropic, caller: Caller, how: dict[str, Any], times: float, streamed: bool
) -> None:
    answer: Any = client.messages.create(**ASKED, **how, stream=streamed)
    if streamed:
        list(answer)
    assert caller.event().cost_nano == round(PLAIN_COST * times)


def test_several_at_once_without_waiting(caller: Caller) -> None:
    async def ask() -> list[str]:
        url = caller.gateway.url + claude.PREFIX
        async with AsyncAnthropic(api_key=caller.secret, base_url=url, max_retries=0) as client:

            async def one() -> str:
                async with client.messages.stream(**ASKED) as stream:
                    return await stream.get_final_text()

            plain = await client.messages.create(**ASKED)
            assert plain.usage.output_tokens == 16
            return await asyncio.gather(*(one() for _ in range(5)))

    assert asyncio.run(ask()) == [TEXT] * 5
    assert caller.event(number=6).cost_nano == PLAIN_COST
