"""Tests of the Anthropic adapter: where a request goes, what an answer says, how a stream ends."""

import json
from typing import Any

import pytest
from anthropic._streaming import SSEDecoder

from providers.adapters.anthropic import AnthropicAdapter
from providers.adapters.base import CutContext, UpstreamRequest
from providers.records import ProviderRecord, TokenUsage

ADAPTER = AnthropicAdapter()
MESSAGES = ADAPTER.operation("POST", "/messages")
COMPLETE = ADAPTER.operation("POST", "/complete")
SETTING = ProviderRecord(id="s", provider="anthropic", base_url="https://host/prefix/v1", secrets={"apikey": "sk-1"})


def decoded(events: bytes) -> list[tuple[str | None, Any]]:
    """As the SDK reads them."""
    return [(event.event, json.loads(event.data)) for event in SSEDecoder().iter_bytes(iter([events]))]


def test_what_follows_v1_is_appended_as_the_client_sent_it() -> None:
    assert ADAPTER.url(SETTING, "/messages", "") == "https://host/prefix/v1/messages"
    assert ADAPTER.url(SETTING, "/models", "limit=5&&=") == "https://host/prefix/v1/models?limit=5&&="
    assert ADAPTER.credentials(SETTING) == (("x-api-key", "sk-1"),)


def test_a_version_is_added_only_where_there_is_none() -> None:
    def prepared(*headers: tuple[str, str]) -> list[tuple[str, str]]:
        request = UpstreamRequest("POST", "https://host", headers, b"{}")
        return list(ADAPTER.prepare(SETTING, MESSAGES, request).headers)

    assert prepared(("a", "b")) == [("a", "b"), ("anthropic-version", "2023-06-01")]
    assert prepared(("anthropic-version", "2024-01-01")) == [("anthropic-version", "2024-01-01")]
    assert prepared(("anthropic-version", "")) == [("anthropic-version", "")]


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}, "a"),
        ({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "b"}}, "b"),
        ({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{"}}, "{"),
        ({"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "c2ln"}}, ""),
        ({"type": "content_block_delta", "delta": {"type": "citations_delta", "citation": {"text": "x"}}}, ""),
        ({"type": "content_block_start", "content_block": {"type": "tool_use", "name": "f", "input": {}}}, "f"),
        ({"type": "content_block_start", "content_block": {"type": "text", "text": "t"}}, "t"),
        ({"type": "content_block_start", "content_block": {"type": "web_search_tool_result", "content": []}}, ""),
        ({"type": "message_start", "message": {"content": []}}, ""),
        ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}, ""),
        ({"type": "completion", "completion": " hello"}, " hello"),
        ({"delta": "counted"}, "counted"),
        ({"type": "ping"}, ""),
        ({"delta": None, "content_block": 5}, ""),
    ],
)
def test_the_text_of_an_event_counts(payload: dict[str, Any], text: str) -> None:
    assert ADAPTER.text_of(MESSAGES, payload, streamed=True) == text


def test_the_text_of_a_whole_answer_counts() -> None:
    blocks = [
        {"type": "thinking", "thinking": "a", "signature": "zzz"},
        {"type": "text", "text": "b"},
        {"type": "tool_use", "name": "f", "input": {"c": 1}},
        {"type": "web_search_tool_result", "content": [{"title": "x"}], "text": "y"},
        None,
    ]
    assert ADAPTER.text_of(MESSAGES, {"content": blocks}, streamed=False) == 'abf{"c":1}'
    assert ADAPTER.text_of(MESSAGES, {"content": "x"}, streamed=False) == ""
    assert ADAPTER.text_of(COMPLETE, {"completion": "d"}, streamed=False) == "d"


def test_usage_of_events_is_merged() -> None:
    begun = ADAPTER.read_event(
        MESSAGES,
        {"type": "message_start", "message": {"model": "x", "usage": {"input_tokens": 5, "output_tokens": 1}}},
        None,
    )
    assert (begun.usage, begun.model, begun.final) == (TokenUsage(input_tokens=5, output_tokens=1), "x", False)
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    assert ADAPTER.read_event(MESSAGES, last, begun.usage).usage == TokenUsage(input_tokens=5, output_tokens=9)
    assert ADAPTER.read_usage(MESSAGES, last).usage == TokenUsage(output_tokens=9)


def test_only_messages_are_read_the_quick_way() -> None:
    content = b'{"model":"x","usage":{"input_tokens":5,"output_tokens":1}}'
    assert ADAPTER.read_answer(MESSAGES, content) == (TokenUsage(input_tokens=5, output_tokens=1), "x", True)
    assert ADAPTER.read_answer(COMPLETE, content) is None


def test_a_messages_stream_always_ends_with_an_event() -> None:
    assert ADAPTER.stream(MESSAGES).always_ends
    assert "message_stop" in ADAPTER.stream(MESSAGES).last_types
    assert not ADAPTER.stream(COMPLETE).always_ends


START: Any = {"type": "message_start", "message": {"id": "msg_1"}}
BLOCK: Any = {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}}
DELTA: Any = {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "a"}}
STOP: Any = {"type": "content_block_stop", "index": 2}
ENDED: Any = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
PING: Any = {"type": "ping"}


@pytest.mark.parametrize(
    ("recent", "kinds"),
    [
        ([START, BLOCK, DELTA], ["content_block_stop", "message_delta", "message_stop"]),
        ([DELTA, DELTA, PING], ["content_block_stop", "message_delta", "message_stop"]),
        ([START, BLOCK], ["content_block_stop", "message_delta", "message_stop"]),
        ([START, PING], ["message_delta", "message_stop"]),
        ([BLOCK, DELTA, STOP], ["message_delta", "message_stop"]),
        ([], ["message_delta", "message_stop"]),
        ([STOP, ENDED, PING], ["message_stop"]),
    ],
)
def test_a_stream_that_is_cut_ends_what_has_begun(recent: list[Any], kinds: list[str]) -> None:
    usage = TokenUsage(
        input_tokens=3, cache_read_tokens=4, cache_write_tokens=5, cache_write_1h_tokens=6, output_tokens=7
    )
    events = decoded(ADAPTER.cut_events(MESSAGES, CutContext(envelope=START, usage=usage, recent=recent)))
    assert [name for name, _ in events] == [payload["type"] for _, payload in events] == kinds
    by_kind = {str(name): payload for name, payload in events}
    assert by_kind.get("content_block_stop", {"index": 2})["index"] == 2
    if "message_delta" in by_kind:
        assert by_kind["message_delta"]["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
        assert by_kind["message_delta"]["usage"] == {
            "input_tokens": 3, "cache_creation_input_tokens": 11, "cache_read_input_tokens": 4, "output_tokens": 7,
        }  # fmt: skip


def test_a_completion_that_is_cut_ends_as_at_its_maximum() -> None:
    envelope = {"type": "completion", "id": "c", "model": "m", "log_id": "c", "completion": "abc"}
    ((name, payload),) = decoded(ADAPTER.cut_events(COMPLETE, CutContext(envelope=envelope)))
    assert name == "completion"
    assert payload == {
        "type": "completion", "id": "c", "model": "m", "log_id": "c",
        "completion": "", "stop_reason": "max_tokens", "stop": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, "overloaded_error"),
        ({"type": "error"}, "upstream_error"),
        ({"error": {"message": "x"}}, "upstream_error"),
        ({"type": "content_block_delta", "error": None}, None),
        (DELTA, None),
    ],
)
def test_errors_in_a_stream_are_seen(payload: dict[str, Any], code: str | None) -> None:
    assert ADAPTER.error_in(MESSAGES, payload) == code


def test_an_error_in_a_stream_is_in_its_shape() -> None:
    ((name, payload),) = decoded(ADAPTER.error_event(MESSAGES, {"message": "broke", "code": "gateway_x"}))
    assert (name, payload["type"]) == ("error", "error")
    assert payload["error"] == {"type": "api_error", "message": "broke", "details": {"error_code": "gateway_x"}}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://api.anthropic.com/v1/messages/batches/b_1/results", "/v1/messages/batches/b_1/results"),
        ("http://proxy:80/some/where/v1/messages/batches/b_1/results", "/v1/messages/batches/b_1/results"),
        ("https://elsewhere/results", "https://elsewhere/results"),
    ],
)
def test_results_of_a_batch_are_fetched_through_the_gateway(url: str, path: str) -> None:
    content = b'{"id":"b_1", "results_url" : "%b", "data":[{"results_url":"%b"},{"results_url":null}]}'
    read = ADAPTER.operation("GET", "/messages/batches/b_1")
    assert ADAPTER.led_back(read, content % (url.encode(), url.encode())) == content % (path.encode(), path.encode())
    assert ADAPTER.led_back(MESSAGES, content) == content
    text = b'{"text":"\\"results_url\\":\\"https://a/v1/messages/batches/b/results\\""}'
    assert ADAPTER.led_back(read, text) == text
