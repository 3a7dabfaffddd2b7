"""Tests of the OpenAI adapter: where a request goes, what an answer says, how a stream ends."""

import json
from typing import Any

import pytest
from openai._streaming import SSEDecoder

from providers.adapters.base import CutContext
from providers.adapters.openai import OpenAIAdapter
from providers.records import ProviderRecord, TokenUsage

ADAPTER = OpenAIAdapter()
CHAT = ADAPTER.operation("POST", "/chat/completions")
TEXT = ADAPTER.operation("POST", "/completions")
RESPONSES = ADAPTER.operation("POST", "/responses")
SPEECH = ADAPTER.operation("POST", "/audio/speech")
TRANSCRIPTION = ADAPTER.operation("POST", "/audio/transcriptions")


def decoded(events: bytes) -> list[tuple[str | None, Any]]:
    """As the SDK reads them."""
    found = SSEDecoder().iter_bytes(iter([events]))
    return [(event.event, event.data if event.data == "[DONE]" else json.loads(event.data)) for event in found]


def test_what_follows_v1_is_appended_as_the_client_sent_it() -> None:
    setting = ProviderRecord(id="s", provider="openai", base_url="https://host/prefix/v1", secrets={"apikey": "sk-1"})
    assert ADAPTER.url(setting, "/models/a%2Fb", "") == "https://host/prefix/v1/models/a%2Fb"
    assert ADAPTER.url(setting, "/files", "a=b&c=%20+&&=") == "https://host/prefix/v1/files?a=b&c=%20+&&="
    assert ADAPTER.credentials(setting) == (("authorization", "Bearer sk-1"),)


def test_an_older_spelling_of_translations_is_sent_as_the_provider_has_it() -> None:
    setting = ProviderRecord(id="s", provider="openai", base_url="https://host/v1")
    assert ADAPTER.url(setting, "/audios/translations", "") == "https://host/v1/audio/translations"
    assert ADAPTER.url(setting, "/audios/translations", "a=b") == "https://host/v1/audio/translations?a=b"


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"choices": [{"delta": {"role": "assistant", "content": ""}}]}, ""),
        ({"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}, "ab"),
        ({"choices": [{"delta": {"refusal": "no"}}]}, "no"),
        ({"choices": [{"delta": {"reasoning_content": "hm"}}]}, "hm"),
        ({"choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]}, "f{}"),
        ({"choices": [{"delta": {"tool_calls": [{"custom": {"name": "f", "input": "x"}}]}}]}, "fx"),
        ({"choices": [{"delta": {"function_call": {"name": "f", "arguments": "1"}}}]}, "f1"),
        ({"choices": [{"text": "abc"}]}, "abc"),
        ({"choices": []}, ""),
        ({"choices": None}, ""),
        ({"choices": [None, 1, {"delta": 5}, {"delta": {"tool_calls": [1, {"function": "x"}]}}]}, ""),
        ({"error": {}}, ""),
    ],
)
def test_the_text_of_a_chat_event_counts(payload: dict[str, Any], text: str) -> None:
    assert ADAPTER.text_of(CHAT, payload, streamed=True) == text


def test_the_text_of_a_whole_answer_counts() -> None:
    chat = {"choices": [{"message": {"content": "a", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]}
    assert ADAPTER.text_of(CHAT, chat, streamed=False) == "af{}"
    message = {"type": "message", "content": [{"type": "output_text", "text": "x"}, {"type": "refusal"}]}
    called = {"type": "function_call", "name": "f", "arguments": "{}"}
    response = {"output": [message, called, None, {"content": None}]}
    assert ADAPTER.text_of(RESPONSES, response, streamed=False) == "xf{}"
    assert ADAPTER.text_of(RESPONSES, {"output": None}, streamed=False) == ""
    assert ADAPTER.text_of(RESPONSES, {"type": "response.output_text.delta", "delta": "y"}, streamed=True) == "y"
    assert ADAPTER.text_of(RESPONSES, {"type": "response.created", "delta": {}}, streamed=True) == ""


def test_usage_is_read_wherever_it_is() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    plain = ADAPTER.read_usage(CHAT, {"model": "gpt-4o-2024-08-06", "usage": usage, "service_tier": "default"})
    assert (plain.usage, plain.model) == (TokenUsage(input_tokens=1, output_tokens=2), "gpt-4o-2024-08-06")
    inner = {"response": {"model": "m", "usage": {"input_tokens": 3, "output_tokens": 4}, "service_tier": "flex"}}
    assert ADAPTER.read_usage(RESPONSES, inner).usage == TokenUsage(
        input_tokens=3, output_tokens=4, service_tier="flex"
    )
    spoken = {"type": "speech.audio.done", "usage": {"input_tokens": 1, "output_tokens": 9}}
    assert ADAPTER.read_usage(SPEECH, spoken).usage == TokenUsage(input_tokens=1, audio_output_tokens=9)
    assert ADAPTER.read_usage(TRANSCRIPTION, {"duration": 2.5}).usage == TokenUsage(seconds=2.5)
    assert ADAPTER.read_usage(TRANSCRIPTION, {"duration": "2.5"}).usage == TokenUsage(seconds=2.5)


@pytest.mark.parametrize(
    "payload", [{}, {"usage": None}, {"usage": []}, {"usage": {}}, {"response": 1}, {"model": 5, "usage": "x"}]
)
def test_no_usage_is_none(payload: dict[str, Any]) -> None:
    assert ADAPTER.read_usage(CHAT, payload)[:2] == (None, "")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"error": {"message": "x", "code": "server_error"}}, "server_error"),
        ({"error": {"message": "x", "code": None}}, "upstream_error"),
        ({"type": "error", "code": "rate_limit", "message": "x"}, "rate_limit"),
        ({"type": "error", "error": {"type": "y"}}, "upstream_error"),
        ({"type": "response.failed", "response": {"error": {"code": "server_error"}}}, "server_error"),
        ({"type": "response.completed", "response": {"error": None}}, None),
        ({"error": None, "choices": []}, None),
        ({"choices": []}, None),
    ],
)
def test_an_error_in_a_stream_is_seen(payload: dict[str, Any], code: str | None) -> None:
    assert ADAPTER.error_in(CHAT, payload) == code


def test_a_chat_that_is_cut_ends_as_at_its_length_limit() -> None:
    usage = TokenUsage(input_tokens=5, cache_read_tokens=2, output_tokens=3)
    context = CutContext({"id": "c1", "model": "m", "created": 7}, usage, usage_asked=True)
    (_, last), (_, told), (_, done) = decoded(ADAPTER.cut_events(CHAT, context))
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    assert (last["id"], last["model"], last["created"], last["object"]) == ("c1", "m", 7, "chat.completion.chunk")
    assert (told["choices"], told["usage"]) == ([], {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10})
    assert done == "[DONE]"
    assert len(decoded(ADAPTER.cut_events(CHAT, CutContext()))) == 2


def test_a_text_completion_that_is_cut_has_text() -> None:
    (_, last), _ = decoded(ADAPTER.cut_events(TEXT, CutContext({"object": "text_completion"})))
    assert last["choices"] == [{"index": 0, "text": "", "finish_reason": "length"}]


def test_a_response_that_is_cut_is_incomplete() -> None:
    begun = {"type": "response.created", "response": {"id": "r1", "model": "m", "created_at": 7}}
    context = CutContext(begun, TokenUsage(input_tokens=1, output_tokens=2))
    [(name, event)] = decoded(ADAPTER.cut_events(RESPONSES, context))
    assert (name, event["type"], event["response"]["status"]) == ("response.incomplete",) * 2 + ("incomplete",)
    response = event["response"]
    assert (response["id"], response["model"], response["created_at"]) == ("r1", "m", 7)
    assert response["usage"]["total_tokens"] == 3


def test_an_error_is_told_in_the_stream() -> None:
    error = {"message": "broken", "type": "server_error", "param": None, "code": "x"}
    assert decoded(ADAPTER.error_event(CHAT, error)) == [(None, {"error": error})]
    [(name, event)] = decoded(ADAPTER.error_event(RESPONSES, error))
    assert (name, event["type"], event["message"], event["error"]) == ("error", "error", "broken", error)


def test_only_chats_have_to_be_asked_for_usage() -> None:
    forced = [op.name for op in (CHAT, TEXT, RESPONSES, SPEECH) if ADAPTER.stream(op).forces_usage]
    assert forced == ["chat", "text_completion"]
    assert [ADAPTER.stream(op).always_ends for op in (CHAT, TEXT, RESPONSES, SPEECH)] == [True, True, True, False]
