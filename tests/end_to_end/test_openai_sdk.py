"""Tests of the proxy with the official SDK: what it calls works unchanged, and is in the books."""

import base64
import io
import json
import struct
import wave
from typing import Any

import pytest
from openai import OpenAI

from reporting.records import UsageEventRecord
from tests.proxy_gateway import Caller
from tests.upstream import Upstream

HI: Any = [{"role": "user", "content": "hi"}]
TEXT = "The quick brown fox jumps over the lazy dog and then it rests under a tall"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
PLAN: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "plan",
        "schema": {"type": "object", "properties": {"steps": {"type": "array", "items": {"type": "string"}}}},
    },
}

# The SDK warns of them; the API, and so the gateway, still has them.
SDK_DEPRECATED = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


def figures(event: UsageEventRecord) -> tuple[object, ...]:
    """What a test says of an event: what was called, tokens in and out, nano-dollars, how it ended."""
    tokens = (event.input_tokens, event.output_tokens)
    return (event.operation, *tokens, event.cost_nano, event.ending, event.status, event.usage_source)


def wav(seconds: float) -> bytes:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(struct.pack("<h", 0) * int(8000 * seconds))
    return sound.getvalue()


@pytest.fixture
def client(caller: Caller) -> OpenAI:
    return caller.sdk()


def test_a_chat_is_answered_and_booked(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    answer = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HI)
    completion = answer.parse()
    assert completion.choices[0].message.content == TEXT
    event = caller.event()
    assert figures(event) == ("chat", 8, 16, 40, "completed", 200, "upstream")
    assert (event.request_model, event.response_model, event.stream, event.attempts) == ("gpt-4o", "gpt-4o", False, 1)
    assert (event.id, event.upstream_request_id) == (
        answer.headers["x-request-id"],
        answer.headers["x-upstream-request-id"],
    )
    assert completion._request_id == event.id
    assert event.upstream_latency_ms is not None
    assert event.upstream_latency_ms <= event.latency_ms
    assert upstream.last().header("authorization") == "Bearer sk-upstream-secret"


def test_a_chat_streams_without_the_usage_nobody_asked_for(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    chunks = list(client.chat.completions.create(model="gpt-4o", messages=HI, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert all(chunk.usage is None for chunk in chunks)
    event = caller.event()
    assert figures(event) == ("chat", 8, 16, 40, "completed", 200, "upstream")
    assert event.stream
    assert event.time_to_first_chunk_ms is not None
    assert upstream.last().json()["stream_options"] == {"include_usage": True}


def test_a_stream_ends_with_usage_when_it_was_asked_for(caller: Caller, client: OpenAI) -> None:
    asked: Any = {"include_usage": True}
    *rest, last = client.chat.completions.create(model="gpt-4o", messages=HI, stream=True, stream_options=asked)
    assert (last.choices, last.usage and last.usage.total_tokens) == ([], 24)
    assert len(rest) == 18
    assert figures(caller.event())[1:4] == (8, 16, 40)


def test_a_tool_is_called(caller: Caller, client: OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o", messages=HI, tools=[WEATHER])
    calls: Any = answer.choices[0].message.tool_calls
    assert (calls[0].function.name, json.loads(calls[0].function.arguments)) == ("weather", {"city": "fox"})
    assert answer.usage is not None
    assert figures(caller.event())[1:3] == (answer.usage.prompt_tokens, answer.usage.completion_tokens)


def test_a_tool_call_streams(caller: Caller, client: OpenAI) -> None:
    with client.chat.completions.stream(model="gpt-4o", messages=HI, tools=[WEATHER]) as stream:
        calls: Any = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(calls[0].function.arguments) == {"city": "fox"}
    assert caller.event().ending == "completed"


def test_a_json_schema_is_filled(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="gpt-4o", messages=HI, response_format=PLAN)
    assert json.loads(answer.choices[0].message.content or "") == {"steps": ["fox"]}


def test_cached_and_reasoning_tokens_are_told_apart(caller: Caller, client: OpenAI) -> None:
    client.chat.completions.create(model="gpt-4o", messages=HI, extra_headers={"x-fake-fault": "cached=5,reasoning=9"})
    event = caller.event()
    assert (event.input_tokens, event.cache_read_tokens, event.output_tokens, event.reasoning_tokens) == (3, 5, 25, 9)


def test_a_text_completion_is_answered(caller: Caller, client: OpenAI) -> None:
    answer = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="say it")
    assert answer.choices[0].text
    assert answer.usage is not None
    assert figures(caller.event())[:3] == (
        "text_completion",
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )


@pytest.mark.parametrize(
    ("given", "encoding", "tokens"),
    [("three small words", "float", 3), (["one", "two words"], "float", 3), ("x", "base64", 1), ([[1, 2, 3]], None, 3)],
)
def test_embeddings_come_in_every_form(caller: Caller, client: OpenAI, given: Any, encoding: Any, tokens: int) -> None:
    options = {"encoding_format": encoding} if encoding else {}
    answer = client.embeddings.create(model="text-embedding-3-small", input=given, **options)
    assert len(answer.data) == (len(given) if isinstance(given, list) else 1)
    if encoding != "base64":
        assert abs(sum(x * x for x in answer.data[0].embedding) - 1) < 1e-3
    assert figures(caller.event()) == ("embeddings", tokens, 0, tokens * 20, "completed", 200, "upstream")


def test_images_are_made(caller: Caller, client: OpenAI) -> None:
    answer = client.images.generate(model="dall-e-2", prompt="a fox", n=2, size="256x256")
    assert answer.data is not None
    assert len(answer.data) == 2
    event = caller.event()
    assert (event.operation, event.images, event.cost_nano) == ("image_generation", 2, 2 * 16_000_000)


def test_images_billed_by_token_are_priced_so(caller: Caller, client: OpenAI) -> None:
    client.images.generate(model="gpt-image-1", prompt="a red fox", quality="low")
    event = caller.event()
    assert (event.input_tokens, event.image_output_tokens) == (3, 272)
    assert event.cost_nano == 3 * 5 + 272 * 40


def test_images_are_edited(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    picture = b"\x89PNG\r\n\x1a\n--not-a-boundary\r\n" + bytes(range(256)) * 50
    answer = client.images.edit(model="gpt-image-1", image=("fox.png", picture, "image/png"), prompt="make it blue")
    assert answer.data
    assert picture in upstream.last().body
    event = caller.event()
    assert (event.request_model, event.input_tokens, event.image_input_tokens) == ("gpt-image-1", 3, 194)


@SDK_DEPRECATED
def test_images_are_varied(caller: Caller, client: OpenAI) -> None:
    answer = client.images.create_variation(model="dall-e-2", image=("fox.png", b"\x89PNG", "image/png"), n=1)
    assert answer.data
    event = caller.event()
    assert (event.operation, event.request_model, event.images) == ("image_generation", "dall-e-2", 1)
    assert event.cost_nano == 20_000_000


def test_speech_comes_as_bytes_and_is_billed_by_character(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    spoken = "Hello fox, " * 100
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=spoken)
    assert answer.content[:3] == b"ID3"
    assert len(answer.content) == 3 + 256 * len(spoken)
    event = caller.event()
    assert (event.operation, event.characters, event.cost_nano) == ("speech", 1100, 1100 * 15_000)
    assert upstream.last().chunks > 1


@pytest.mark.parametrize("form", ["json", "text", "srt", "vtt", "verbose_json"])
def test_a_transcription_comes_in_every_format(caller: Caller, client: OpenAI, form: Any) -> None:
    answer: Any = client.audio.transcriptions.create(
        model="whisper-1", file=("talk.wav", wav(2.5), "audio/wav"), response_format=form
    )
    text = answer if isinstance(answer, str) else answer.text
    assert "quick brown fox" in text
    if form == "srt":
        assert text.startswith("1\n00:00:00,000 --> 00:00:02,500\n")
    event = caller.event()
    assert (event.operation, event.request_model, event.ending) == ("transcription", "whisper-1", "completed")
    assert event.price_status == "priced"
    if form in ("json", "verbose_json"):
        assert (event.seconds, event.cost_nano) == (3, 300_000)


def test_a_transcription_billed_by_token_streams(caller: Caller, client: OpenAI) -> None:
    stream = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("talk.wav", wav(2), "audio/wav"), stream=True
    )
    assert [event.type for event in stream][-1] == "transcript.text.done"
    event = caller.event()
    assert (event.audio_input_tokens, event.output_tokens, event.ending) == (20, 16, "completed")
    assert event.cost_nano == 20 * 6_000 + 16 * 10_000


@SDK_DEPRECATED
def test_a_translation_is_made(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    answer: Any = client.audio.translations.create(model="whisper-1", file=("talk.wav", wav(1), "audio/wav"))
    assert "fox" in answer.text
    assert upstream.last().path == "/v1/audio/translations"
    assert caller.event().seconds == 1


def test_files_are_kept(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    content = b'{"custom_id": "1"}\n\x00\xff\r\n'
    kept = client.files.create(file=("lines.jsonl", content), purpose="batch")
    listed = client.files.list(purpose="batch", limit=5)
    assert [file.id for file in listed.data] == [kept.id]
    assert upstream.last().query == "limit=5&purpose=batch" or upstream.last().query == "purpose=batch&limit=5"
    assert client.files.retrieve(kept.id).filename == "lines.jsonl"
    assert client.files.content(kept.id).content == content
    assert client.files.delete(kept.id).deleted
    events = caller.events()
    assert [event.cost_nano for event in events] == [0] * 5
    assert {event.price_status for event in events} == {"free"}
    assert [event.method for event in events] == ["POST", "GET", "GET", "GET", "DELETE"]


def test_models_are_listed_and_retrieved_whatever_their_name(
    caller: Caller, client: OpenAI, upstream: Upstream
) -> None:
    assert "gpt-4o" in [model.id for model in client.models.list().data]
    assert client.models.retrieve("ft:gpt-4o:acme::7p4lURel").id == "ft:gpt-4o:acme::7p4lURel"
    client.get("/models/meta-llama/Llama-3:70b", cast_to=object)
    assert upstream.last().target == "/v1/models/meta-llama/Llama-3:70b"
    client.models.with_raw_response.retrieve("meta-llama/Llama-3")
    assert upstream.last().target == "/v1/models/meta-llama%2FLlama-3"
    assert client.models.delete("ft:gpt-4o:acme::7p4lURel").deleted
    assert [event.request_model for event in caller.events()][1:3] == [
        "ft:gpt-4o:acme::7p4lURel",
        "meta-llama/Llama-3:70b",
    ]


def test_moderations_are_free(caller: Caller, client: OpenAI) -> None:
    answer = client.moderations.create(model="omni-moderation-latest", input=["fine", "violence"])
    assert [result.flagged for result in answer.results] == [False, True]
    event = caller.event()
    assert (event.operation, event.cost_nano, event.price_status) == ("moderation", 0, "free")


def test_a_response_is_made_and_retrieved(caller: Caller, client: OpenAI) -> None:
    made = client.responses.create(model="gpt-4o", input="hi there")
    assert made.output_text == TEXT
    assert client.responses.retrieve(made.id).id == made.id
    first, second = caller.events()
    assert made.usage is not None
    assert figures(first)[:3] == ("responses", made.usage.input_tokens, made.usage.output_tokens)
    assert (second.cost_nano, second.output_tokens, second.price_status) == (0, 0, "free")


def test_a_response_streams(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    events = list(client.responses.create(model="gpt-4o", input="hi there", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    last: Any = events[-1]
    assert last.type == "response.completed"
    booked = caller.event()
    assert figures(booked)[1:3] == (last.response.usage.input_tokens, last.response.usage.output_tokens)
    assert "stream_options" not in upstream.last().json()


def test_an_incomplete_response_is_complete_for_the_books(caller: Caller, client: OpenAI) -> None:
    events = list(client.responses.create(model="gpt-4o", input="hi there", stream=True, max_output_tokens=3))
    assert events[-1].type == "response.incomplete"
    assert figures(caller.event())[2:7] == (3, 9 + 2 * 3, "completed", 200, "upstream")


def test_batches_are_made_and_cancelled(caller: Caller, client: OpenAI) -> None:
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "x", "messages": HI}}
    kept = client.files.create(file=("b.jsonl", json.dumps(line).encode()), purpose="batch")
    made = client.batches.create(
        input_file_id=kept.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
    )
    assert client.batches.retrieve(made.id).id == made.id
    assert made.id in [batch.id for batch in client.batches.list(limit=3).data]
    client.batches.cancel(made.id)
    seen = [event.operation for event in caller.events()]
    assert seen == ["files", "batches", "late_usage", "read", "read", "batches"]


def test_vector_stores_are_made_filled_and_searched(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    store = client.vector_stores.create(name="notes")
    kept = client.files.create(file=("notes.txt", b"the fox"), purpose="assistants")
    client.vector_stores.files.create(vector_store_id=store.id, file_id=kept.id)
    listed = client.vector_stores.files.list(vector_store_id=store.id, limit=7, order="asc", after="x y")
    assert listed.data is not None
    assert upstream.last().query == "after=x+y&limit=7&order=asc"
    client.vector_stores.search(vector_store_id=store.id, query="fox")
    client.vector_stores.delete(store.id)
    assert len(caller.events()) == 6


def test_a_path_nobody_knows_yet_is_forwarded(caller: Caller, client: OpenAI, upstream: Upstream) -> None:
    client.post("/thoughts/think", body={"model": "gpt-9", "depth": 0, "x": None}, cast_to=object)
    seen = upstream.last()
    assert (seen.method, seen.path, seen.json()) == (
        "POST",
        "/v1/thoughts/think",
        {"model": "gpt-9", "depth": 0, "x": None},
    )
    event = caller.event()
    assert (event.operation, event.request_model, event.ending) == ("thoughts", "gpt-9", "completed")


def test_a_picture_part_reaches_the_upstream(client: OpenAI, upstream: Upstream) -> None:
    url = "data:image/png;base64," + base64.b64encode(bytes(range(256))).decode()
    parts: Any = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": parts}])
    assert upstream.last().json()["messages"][0]["content"] == parts
