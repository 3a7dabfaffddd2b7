"""Tests of what OpenAI's paths mean, and of what its bodies say."""

from typing import Any

import pytest

from providers.adapters.base import BodyFacts
from providers.adapters.openai_operations import facts_of, operation_of


@pytest.mark.parametrize(
    ("method", "tail", "name", "metering"),
    [
        ("POST", "/chat/completions", "chat", "estimated"),
        ("POST", "/chat/completions/", "chat", "estimated"),
        ("POST", "/chat/%63ompletions", "chat", "estimated"),
        ("POST", "/chat%2Fcompletions", "chat", "estimated"),
        ("POST", "/completions", "text_completion", "estimated"),
        ("POST", "/responses", "responses", "estimated"),
        ("POST", "/embeddings", "embeddings", "estimated"),
        ("POST", "/images/generations", "image_generation", "estimated"),
        ("POST", "/images/edits", "image_generation", "estimated"),
        ("POST", "/images/variations", "image_generation", "estimated"),
        ("POST", "/audio/speech", "speech", "estimated"),
        ("POST", "/audio/transcriptions", "transcription", "estimated"),
        ("POST", "/audio/translations", "transcription", "estimated"),
        ("POST", "/audios/translations", "transcription", "estimated"),
        ("POST", "/moderations", "moderation", "free"),
        ("POST", "/responses/input_tokens", "count_tokens", "free"),
        ("POST", "/responses/r1/cancel", "read", "free"),
        ("POST", "/files", "files", "free"),
        ("POST", "/files/f1", "files", "free"),
        ("POST", "/uploads/u1/parts", "files", "free"),
        ("GET", "/files/f1/content", "read", "free"),
        ("GET", "/chat/completions", "read", "free"),
        ("DELETE", "/responses/r1", "read", "free"),
        ("HEAD", "/models", "read", "free"),
        ("PUT", "/chat/completions", "chat", "unmetered"),
        ("PATCH", "/moderations", "moderations", "unmetered"),
        ("POST", "/batches", "batches", "unmetered"),
        ("POST", "/fine_tuning/jobs", "fine_tuning", "unmetered"),
        ("POST", "/vector_stores", "vector_stores", "unmetered"),
        ("POST", "/threads/t/runs", "threads", "unmetered"),
        ("POST", "/threads/t/runs/r", "threads", "free"),
        ("POST", "/threads/t/runs/r/submit_tool_outputs", "threads", "unmetered"),
        ("POST", "/responses/r1/other", "responses", "unmetered"),
        ("POST", "/Chat/Completions", "Chat", "unmetered"),
        ("POST", "", "unknown", "unmetered"),
    ],
)
def test_a_path_means_an_operation(method: str, tail: str, name: str, metering: str) -> None:
    operation = operation_of(method, tail)
    assert (operation.name, operation.metering) == (name, metering)


def test_a_file_is_deleted_by_a_post_without_a_body() -> None:
    methods = {
        (method, tail): operation_of(method, tail).bodiless_method
        for method in ("POST", "GET", "PUT")
        for tail in ("/files/f1", "/files", "/files/f1/content", "/uploads/u1", "/assistants/a1")
    }
    assert {place for place, method in methods.items() if method} == {("POST", "/files/f1")}
    assert methods["POST", "/files/f1"] == "DELETE"


def test_a_path_names_a_model() -> None:
    assert operation_of("GET", "/models/gpt-4o").model_in_path == "gpt-4o"
    assert operation_of("DELETE", "/models/a%2Fb:c").model_in_path == "a/b:c"
    assert operation_of("GET", "/models/").model_in_path == ""


def facts(tail: str, **members: Any) -> BodyFacts:
    return facts_of(operation_of("POST", tail), members)


@pytest.mark.parametrize(
    ("members", "most"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "max_completion_tokens": 7, "max_output_tokens": 6}, 7),
        ({"max_tokens": 5.0}, 5),
        ({"max_tokens": "5"}, 5),
        ({"max_tokens": 0}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": None}, None),
    ],
)
def test_the_largest_maximum_counts_and_none_is_none(members: dict[str, Any], most: int | None) -> None:
    assert facts("/chat/completions", **members).max_output_tokens == most


@pytest.mark.parametrize(
    ("tail", "members", "choices"),
    [
        ("/chat/completions", {}, 1),
        ("/chat/completions", {"n": 4}, 4),
        ("/chat/completions", {"n": 0}, 1),
        ("/chat/completions", {"prompt": ["a", "b"]}, 1),
        ("/completions", {"n": 2, "best_of": 5}, 5),
        ("/completions", {"prompt": ["a", "b", "c"], "n": 2}, 6),
        ("/completions", {"prompt": [[1, 2], [3]]}, 2),
        ("/completions", {"prompt": [1, 2, 3]}, 1),
        ("/completions", {"prompt": []}, 1),
        ("/completions", {"prompt": "a"}, 1),
    ],
)
def test_every_answer_asked_for_counts(tail: str, members: dict[str, Any], choices: int) -> None:
    assert facts(tail, **members).choices == choices


@pytest.mark.parametrize(
    ("tail", "members", "is_open"),
    [
        ("/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}, False),
        ("/chat/completions", {"messages": [{"content": [{"type": "text", "text": "x"}]}]}, False),
        ("/chat/completions", {"messages": [{"content": [{"type": "image_url", "image_url": {}}]}]}, True),
        ("/chat/completions", {"messages": [{"content": [{"type": "input_audio"}]}]}, True),
        ("/chat/completions", {"messages": [{"content": [{"type": "file"}]}]}, True),
        ("/chat/completions", {"web_search_options": {}}, True),
        ("/chat/completions", {"tools": [{"type": "function"}]}, False),
        ("/responses", {"input": "hi"}, False),
        ("/responses", {"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, False),
        ("/responses", {"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, True),
        ("/responses", {"input": [{"type": "function_call_output", "output": [{"type": "input_file"}]}]}, True),
        ("/responses", {"previous_response_id": "r"}, True),
        ("/responses", {"conversation": "c"}, True),
        ("/responses", {"prompt": {"id": "p"}}, True),
        ("/responses", {"tools": [{"type": "function"}, {"type": "custom"}]}, False),
        ("/responses", {"tools": [{"type": "web_search"}]}, True),
        ("/embeddings", {"input": "hi"}, False),
    ],
)
def test_input_the_body_does_not_hold_is_open(tail: str, members: dict[str, Any], is_open: bool) -> None:
    assert facts(tail, **members).open_input is is_open


def test_input_too_deep_to_look_at_is_open() -> None:
    content: Any = "x"
    for _ in range(20):
        content = [{"content": content}]
    assert facts("/chat/completions", messages=content).open_input


def test_a_picture_is_asked_for() -> None:
    found = facts("/images/generations", n=3, size="1024x1024", quality="hd", model="dall-e-3")
    assert (found.images, found.size, found.quality, found.model) == (3, "1024x1024", "hd", "dall-e-3")
    found = facts("/images/edits", n="2")
    assert (found.images, found.size, found.model) == (2, "", "dall-e-2")


def test_a_text_is_to_be_spoken() -> None:
    assert facts("/audio/speech", input="né", model="tts-1").characters == 2


def test_an_answer_that_comes_later_is_deferred() -> None:
    assert facts("/responses", background=True).deferred
    assert not facts("/responses", background=False).deferred
    assert not facts("/responses").deferred


@pytest.mark.parametrize(
    ("options", "asked", "there"),
    [
        (None, False, False),
        ({}, False, True),
        ({"include_usage": True}, True, True),
        ({"include_usage": False}, False, True),
    ],
)
def test_usage_may_be_asked_for(options: Any, asked: bool, there: bool) -> None:
    found = facts("/chat/completions", stream=True, stream_options=options)
    assert (found.usage_asked, found.has_stream_options) == (asked, there)


def test_a_form_says_it_in_strings() -> None:
    found = facts("/audio/transcriptions", model="gpt-4o-transcribe", stream="True")
    assert (found.model, found.stream) == ("gpt-4o-transcribe", True)
