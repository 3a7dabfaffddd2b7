"""Tests of Anthropic's messages and completions, as the official SDK sees them."""

from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic

from tests.upstream import Upstream

ASKED: Any = {"model": "claude-opus-4-8", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]}
WEATHER: Any = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def test_it_answers_with_usage(claude: Anthropic) -> None:
    message = claude.messages.create(**ASKED, extra_headers={"x-fake-fault": "cached=5,cache-write=3,cache-write-1h=2"})
    assert (message.type, message.stop_reason, message.content[0].type) == ("message", "end_turn", "text")
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (8, 16, 5)
    assert usage.cache_creation_input_tokens == 5
    assert usage.cache_creation is not None
    assert usage.cache_creation.ephemeral_1h_input_tokens == 2


def test_it_streams_the_same(claude: Anthropic) -> None:
    with claude.messages.stream(**ASKED, extra_headers={"x-fake-fault": "reasoning=3"}) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert (final.usage.output_tokens, final.stop_reason) == (19, "end_turn")


def test_it_calls_a_tool_and_takes_its_result(claude: Anthropic) -> None:
    with claude.messages.stream(**ASKED, tools=[WEATHER]) as stream:
        final = stream.get_final_message()
    call = final.content[0]
    assert call.type == "tool_use"
    assert (call.name, call.input, final.stop_reason) == ("weather", {"city": "fox"}, "tool_use")
    result: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]}
    after = claude.messages.create(**{**ASKED, "messages": [*ASKED["messages"], result]}, tools=[WEATHER])
    assert after.stop_reason == "end_turn"


def test_it_keeps_to_the_maximum(claude: Anthropic) -> None:
    message = claude.messages.create(**{**ASKED, "max_tokens": 5})
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 5)


def test_it_counts_tokens(claude: Anthropic) -> None:
    counted = claude.messages.count_tokens(model="claude-opus-4-8", system="be brief", messages=ASKED["messages"])
    assert counted.input_tokens == 10


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
def test_it_refuses_what_is_not_whole(claude: Anthropic, missing: str) -> None:
    body = {name: value for name, value in ASKED.items() if name != missing}
    with pytest.raises(anthropic.BadRequestError, match=missing):
        claude.post("/v1/messages", body=body, cast_to=object)


def test_it_completes_as_it_used_to(upstream: Upstream) -> None:
    headers = {"anthropic-version": "2023-06-01"}
    body = {"model": "claude-2.1", "max_tokens_to_sample": 3, "prompt": "\n\nHuman: hi\n\nAssistant:"}
    plain = httpx.post(f"{upstream.base_url}/complete", json=body, headers=headers).json()
    assert (plain["completion"], plain["stop_reason"]) == ("The quick brown", "max_tokens")
    streamed = httpx.post(f"{upstream.base_url}/complete", json={**body, "stream": True}, headers=headers).text
    assert streamed.count("event: completion") == 4
