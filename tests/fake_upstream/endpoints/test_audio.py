"""Tests of audio with the official SDK."""

import struct
from typing import Any

import openai
import pytest
from openai import OpenAI

from fake_upstream.endpoints.audio import duration_s

SOUND: Any = ("sound.mp3", b"\x00\xff\r\n--" * 8000, "audio/mpeg")


def test_it_speaks_bytes(client: OpenAI) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input="hello " * 10)
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert len(answer.content) == 3 + 256 * 60


def test_it_speaks_events(client: OpenAI) -> None:
    answer = client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="two words", stream_format="sse")
    assert b'"usage":{"input_tokens":2,"output_tokens":8,"total_tokens":10}' in answer.content


def test_it_transcribes_and_says_how_long(client: OpenAI) -> None:
    answer: Any = client.audio.transcriptions.create(model="whisper-1", file=SOUND, response_format="verbose_json")
    assert answer.text.startswith("The quick")
    assert (float(answer.duration), answer.usage.seconds) == (3.0, 3)


@pytest.mark.parametrize(("form", "start"), [("text", "The quick"), ("srt", "1\n00:00:00,000"), ("vtt", "WEBVTT")])
def test_it_transcribes_to_plain_formats(client: OpenAI, form: Any, start: str) -> None:
    answer: Any = client.audio.transcriptions.create(model="whisper-1", file=SOUND, response_format=form)
    assert answer.startswith(start)


def test_it_streams_a_transcript(client: OpenAI) -> None:
    events: Any = list(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=SOUND, stream=True))
    assert events[-1].type == "transcript.text.done"
    assert (events[-1].usage.input_tokens, events[-1].usage.output_tokens) == (30, 16)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # The SDK calls the older models deprecated.
def test_it_translates(client: OpenAI) -> None:
    assert client.audio.translations.create(model="whisper-1", file=SOUND).text.startswith("The quick")


def test_it_wants_a_file(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="file"):
        client.post("/audio/transcriptions", body={"model": "whisper-1"}, cast_to=object)


def test_it_reads_the_duration_off_a_riff_header() -> None:
    header = b"RIFF" + b"\0" * 24 + struct.pack("<I", 8000) + b"\0" * 12
    assert duration_s(header + b"\0" * 16_000) == 2.0
