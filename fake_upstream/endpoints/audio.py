"""Audio: speech as bytes, transcriptions and translations in every response format."""

import base64
import struct
from collections.abc import Iterator
from typing import Any

from fake_upstream.call import Call
from fake_upstream.endpoints.answers import event, json_reply
from fake_upstream.errors import bad_request, missing
from fake_upstream.messages import Answer, Chunk, Reply, Stream
from fake_upstream.text import count_tokens, pieces_of, words

_CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_BYTES_PER_CHARACTER = 256
_BYTES_PER_SECOND = 16_000
_MP3_FRAME = b"\xff\xfb\x90\x64\x00\r\n\x00\x80\xfe"


def speech(call: Call) -> Answer:
    """POST /audio/speech: bytes in several chunks, or SSE with `stream_format: sse`."""
    text = call.member("input")
    if not isinstance(text, str) or not text:
        return missing("input")
    if not call.member("voice"):
        return missing("voice")
    kind = call.member("response_format", "mp3")
    if kind not in _CONTENT_TYPES:
        return bad_request(f"Invalid value: '{kind}'.", param="response_format")
    size = len(text) * _BYTES_PER_CHARACTER
    sound = b"ID3" + (_MP3_FRAME * (size // len(_MP3_FRAME) + 1))[:size]
    if call.member("stream_format") == "sse":
        return Stream(_speech_events(sound, text))
    pieces = ((sound[at : at + 4096], True) for at in range(0, len(sound), 4096))
    return Stream(pieces, content_type=_CONTENT_TYPES[kind])


def _speech_events(sound: bytes, text: str) -> Iterator[Chunk]:
    for at in range(0, len(sound), 4096):
        audio = base64.b64encode(sound[at : at + 4096]).decode()
        yield event({"type": "speech.audio.delta", "audio": audio}, content=True)
    given, spoken = count_tokens(text), 4 * count_tokens(text)
    usage = {"input_tokens": given, "output_tokens": spoken, "total_tokens": given + spoken}
    yield event({"type": "speech.audio.done", "usage": usage})


def transcription(call: Call) -> Answer:
    """POST /audio/transcriptions and /audio/translations, multipart."""
    sent = call.form.file("file") if call.form else None
    if sent is None or call.form is None:
        return missing("file")
    seconds = duration_s(sent.content)
    pieces = words(call.directives.get("tokens") or call.state.options.tokens)
    kind = call.form.text("response_format") or "json"
    usage = None if "no-usage" in call.directives else _usage(call.model, seconds, len(pieces))
    if call.form.text("stream") == "true" and call.model != "whisper-1":
        return Stream(_transcript_events(pieces, usage))
    text = "".join(pieces)
    if kind in ("text", "srt", "vtt"):
        return Reply(_plain(kind, text, seconds).encode(), content_type="text/plain; charset=utf-8")
    document: dict[str, Any] = {"text": text}
    if kind == "verbose_json":
        task = "translate" if call.path.endswith("translations") else "transcribe"
        document = _verbose(task, text, seconds)
    return json_reply(document if usage is None else document | {"usage": usage})


def duration_s(sound: bytes) -> float:
    """From a RIFF header's byte rate; otherwise 16,000 bytes are a second."""
    rate = _BYTES_PER_SECOND
    if sound[:4] == b"RIFF" and len(sound) >= 44:
        rate = struct.unpack_from("<I", sound, 28)[0] or rate
        sound = sound[44:]
    return round(max(len(sound), 1) / rate, 3)


def _usage(model: str, seconds: float, tokens: int) -> dict[str, Any]:
    """whisper-1 is billed by the second, its successors by tokens."""
    if model == "whisper-1":
        return {"type": "duration", "seconds": int(-(-seconds // 1))}
    heard = max(1, int(seconds * 10))
    return {
        "type": "tokens",
        "input_tokens": heard,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
        "output_tokens": tokens,
        "total_tokens": heard + tokens,
    }


def _transcript_events(pieces: list[str], usage: dict[str, Any] | None) -> Iterator[Chunk]:
    for piece in pieces:
        yield event({"type": "transcript.text.delta", "delta": piece}, content=True)
    done: dict[str, Any] = {"type": "transcript.text.done", "text": "".join(pieces)}
    yield event(done if usage is None else done | {"usage": usage})


def _plain(kind: str, text: str, seconds: float) -> str:
    if kind == "text":
        return f"{text}\n"
    whole, rest = int(seconds), round(seconds % 1 * 1000)
    clock = f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
    if kind == "vtt":
        return f"WEBVTT\n\n00:00:00.000 --> {clock}.{rest:03}\n{text}\n\n"
    return f"1\n00:00:00,000 --> {clock},{rest:03}\n{text}\n\n"


def _verbose(task: str, text: str, seconds: float) -> dict[str, Any]:
    segment = {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": seconds,
        "text": text,
        "tokens": list(range(len(pieces_of(text)))),
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 1.2,
        "no_speech_prob": 0.01,
    }
    return {"task": task, "language": "english", "duration": seconds, "text": text, "segments": [segment]}
