"""Tests of usage and text in the shapes of Bedrock's documentation, one family after the other."""

from typing import Any

import pytest

from providers.adapters.bedrock_usage import METRICS, head_usage_of, metrics_of, text_in, usage_in
from providers.records import TokenUsage

CONVERSE = {
    "metrics": {"latencyMs": 1175},
    "output": {
        "message": {
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm. ", "signature": "x"}}},
                {"text": "Here you are. "},
                {"toolUse": {"toolUseId": "t", "name": "weather", "input": {"city": "Rome"}}},
            ],
            "role": "assistant",
        }
    },
    "stopReason": "end_turn",
    "usage": {"inputTokens": 30, "outputTokens": 628, "totalTokens": 658},
}
NOVA = {
    "output": {"message": {"content": [{"text": "Hello"}], "role": "assistant"}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 26, "outputTokens": 73, "totalTokens": 149, "cacheReadInputTokenCount": 40,
              "cacheWriteInputTokenCount": 10},
}  # fmt: skip
TITAN = {
    "inputTextTokenCount": 7,
    "results": [{"tokenCount": 4, "outputText": "Hi ", "completionReason": "FINISH"},
                {"tokenCount": 3, "outputText": "there", "completionReason": "FINISH"}],
}  # fmt: skip
LLAMA = {"generation": "Hi", "prompt_token_count": 12, "generation_token_count": 5, "stop_reason": "stop"}
CLAUDE = {
    "id": "msg_bdrk_1", "type": "message", "role": "assistant", "model": "claude-3-5-sonnet-20241022",
    "content": [{"type": "thinking", "thinking": "Hm. "}, {"type": "text", "text": "Hi"},
                {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Rome"}}],
    "usage": {"input_tokens": 10, "output_tokens": 4, "cache_read_input_tokens": 6, "cache_creation_input_tokens": 8,
              "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 5}},
}  # fmt: skip
JAMBA = {
    "id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 107, "completion_tokens": 121, "total_tokens": 228},
}  # fmt: skip
MISTRAL = {"outputs": [{"text": "Hi", "stop_reason": "stop"}]}
COHERE = {"generations": [{"id": "g", "text": "Hi", "finish_reason": "COMPLETE"}], "prompt": "p"}
COMMAND_R = {"text": "Hi", "response_id": "r", "finish_reason": "COMPLETE"}
JURASSIC = {"prompt": {"text": "p"}, "completions": [{"data": {"text": "Hi"}, "finishReason": {"reason": "endoftext"}}]}
CLAUDE_2 = {"type": "completion", "completion": "Hi", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"}
TITAN_EMBED = {"embedding": [0.1], "inputTextTokenCount": 9}


@pytest.mark.parametrize(
    ("answer", "usage", "text"),
    [
        (CONVERSE, TokenUsage(input_tokens=30, output_tokens=628), 'Hm. Here you are. weather{"city":"Rome"}'),
        (NOVA, TokenUsage(input_tokens=26, output_tokens=73, cache_read_tokens=40, cache_write_tokens=10), "Hello"),
        (TITAN, TokenUsage(input_tokens=7, output_tokens=7), "Hi there"),
        (LLAMA, TokenUsage(input_tokens=12, output_tokens=5), "Hi"),
        (
            CLAUDE,
            TokenUsage(10, cache_read_tokens=6, cache_write_tokens=3, cache_write_1h_tokens=5, output_tokens=4),
            'Hm. Hiweather{"city":"Rome"}',
        ),
        (JAMBA, TokenUsage(input_tokens=107, output_tokens=121), "Hi"),
        (MISTRAL, None, "Hi"),
        (COHERE, None, "Hi"),
        (COMMAND_R, None, "Hi"),
        (JURASSIC, None, "Hi"),
        (CLAUDE_2, None, "Hi"),
        (TITAN_EMBED, TokenUsage(input_tokens=9), ""),
    ],
)
def test_every_family_tells_it_in_its_own_way(answer: dict[str, Any], usage: TokenUsage | None, text: str) -> None:
    assert usage_in(answer) == usage
    assert text_in(answer, streamed=False) == text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"contentBlockStart": {"start": {"toolUse": {"name": "weather"}}, "contentBlockIndex": 0}}, "weather"),
        ({"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}}, "Hi"),
        ({"contentBlockDelta": {"delta": {"toolUse": {"input": '{"a'}}, "contentBlockIndex": 1}}, '{"a'),
        ({"contentBlockDelta": {"delta": {"reasoningContent": {"text": "Hm"}}, "contentBlockIndex": 1}}, "Hm"),
        ({"type": "content_block_start", "content_block": {"type": "tool_use", "name": "w", "input": {}}}, "w"),
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}}, "Hi"),
        ({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": '{"a'}}, '{"a'),
        ({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "Hm"}}, "Hm"),
        ({"generation": "Hi", "prompt_token_count": None, "generation_token_count": 1}, "Hi"),
        ({"outputText": "Hi", "index": 0}, "Hi"),
        ({"outputs": [{"text": "Hi"}]}, "Hi"),
        ({"choices": [{"delta": {"content": "Hi"}}]}, "Hi"),
        ({"choices": [{"delta": {"tool_calls": [{"function": {"name": "w", "arguments": "{"}}]}}]}, "w{"),
        ({"is_finished": False, "event_type": "text-generation", "text": "Hi"}, "Hi"),
        ({"messageStop": {"stopReason": "end_turn"}}, ""),
        ({"metadata": {"usage": {"inputTokens": 1, "outputTokens": 1}}}, ""),
    ],
)  # fmt: skip
def test_events_have_their_text(event: dict[str, Any], text: str) -> None:
    assert text_in(event, streamed=True) == text


def test_a_conversations_stream_tells_it_at_its_end_with_what_was_cached() -> None:
    usage = {"inputTokens": 5, "outputTokens": 6, "totalTokens": 411, "cacheReadInputTokens": 100,
             "cacheWriteInputTokens": 300, "cacheDetails": [{"ttl": "1h", "inputTokens": 200},
                                                            {"ttl": "5m", "inputTokens": 100}]}  # fmt: skip
    found = usage_in({"metadata": {"usage": usage, "metrics": {"latencyMs": 1}, "serviceTier": {"type": "priority"}}})
    assert found == TokenUsage(
        5, cache_read_tokens=100, cache_write_tokens=100, cache_write_1h_tokens=200, output_tokens=6,
        service_tier="priority",
    )  # fmt: skip


def test_the_standard_tier_is_none() -> None:
    assert usage_in(CONVERSE | {"serviceTier": {"type": "default"}}) == usage_in(CONVERSE)


METRICS_TOLD = {"inputTokenCount": 9, "outputTokenCount": 8, "invocationLatency": 1, "firstByteLatency": 1}


def test_metrics_are_what_amazon_bills() -> None:
    cached = METRICS_TOLD | {"cacheReadInputTokenCount": 100, "cacheWriteInputTokenCount": 50}
    before = TokenUsage(9, cache_read_tokens=100, cache_write_tokens=20, cache_write_1h_tokens=30, output_tokens=1)
    assert metrics_of({METRICS: METRICS_TOLD}) == TokenUsage(input_tokens=9, output_tokens=8)
    assert metrics_of({METRICS: cached}) == TokenUsage(9, cache_read_tokens=100, cache_write_tokens=50, output_tokens=8)
    # The events tell for how long, and what older metrics leave out.
    for told in (METRICS_TOLD, cached):
        assert metrics_of({METRICS: told}, before) == TokenUsage(
            9, cache_read_tokens=100, cache_write_tokens=20, cache_write_1h_tokens=30, output_tokens=8
        )
    assert metrics_of({"type": "message_stop"}, before) is None


def test_headers_tell_it_where_the_body_does_not() -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"x-amzn-bedrock-input-token-count", b"12"),
        (b"x-amzn-bedrock-output-token-count", b"34"),
        (b"x-amzn-bedrock-cache-read-input-token-count", b"5"),
        (b"x-amzn-bedrock-cache-write-input-token-count", b"6"),
    ]
    assert head_usage_of(headers) == TokenUsage(12, cache_read_tokens=5, cache_write_tokens=6, output_tokens=34)
    assert head_usage_of(headers[:1]) is None
    assert head_usage_of([(b"x-amzn-bedrock-input-token-count", b"-1")]) is None


@pytest.mark.parametrize(
    "nonsense",
    [
        {"usage": {"inputTokens": -5, "outputTokens": "7"}},
        {"usage": {"inputTokens": True, "outputTokens": None}},
        {"prompt_token_count": -1, "generation_token_count": 1.5},
        {METRICS: {"inputTokenCount": -9}},
        {"inputTextTokenCount": -3},
    ],
)
def test_nonsense_is_never_a_negative_charge(nonsense: dict[str, Any]) -> None:
    found = usage_in(nonsense)
    assert found is not None
    assert (found.prompt_tokens, found.completion_tokens) == (0, 0)


@pytest.mark.parametrize("payload", [{"usage": 1}, {METRICS: []}, {"output": {"message": "x"}}, {"choices": [1]}, {}])
def test_other_shapes_tell_nothing(payload: dict[str, Any]) -> None:
    assert usage_in(payload) is None
    assert text_in(payload, streamed=True) == text_in(payload, streamed=False) == ""
