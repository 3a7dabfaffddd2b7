"""Models and moderations."""

from typing import Any

from fake_upstream.call import SNAPSHOTS, Call, new_id
from fake_upstream.endpoints.answers import json_reply
from fake_upstream.errors import missing, unknown_model
from fake_upstream.messages import Answer
from fake_upstream.text import text_of

UNKNOWN_MODEL = "does-not-exist"
_OTHERS = (
    "chatgpt-4o-latest",
    "dall-e-2",
    "dall-e-3",
    "gpt-3.5-turbo-instruct",
    "gpt-4o-audio-preview",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-tts",
    "gpt-4o-transcribe",
    "gpt-image-1",
    "omni-moderation-latest",
    "text-embedding-3-large",
    "text-embedding-3-small",
    "text-embedding-ada-002",
    "tts-1",
    "tts-1-hd",
    "whisper-1",
)
MODELS = tuple(sorted((*SNAPSHOTS, *SNAPSHOTS.values(), *_OTHERS)))
_CREATED_AT = 1_720_000_000
_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def list_models(_call: Call) -> Answer:
    """GET /models."""
    return json_reply({"object": "list", "data": [_model(name) for name in MODELS]})


def get_model(_call: Call, name: str) -> Answer:
    """GET /models/{name}: any name but `does-not-exist`."""
    return unknown_model(name) if name == UNKNOWN_MODEL else json_reply(_model(name))


def delete_model(_call: Call, name: str) -> Answer:
    """DELETE /models/{name}."""
    return (
        unknown_model(name) if name == UNKNOWN_MODEL else json_reply({"id": name, "object": "model", "deleted": True})
    )


def moderations(call: Call) -> Answer:
    """POST /moderations: a text with the word `violence` is flagged."""
    given = call.member("input")
    if given is None:
        return missing("input")
    parts = isinstance(given, list) and bool(given) and isinstance(given[0], dict)
    inputs = [text_of(given)] if parts or isinstance(given, str) else given
    results = [_judgement(text) for text in inputs]
    return json_reply({"id": new_id("modr-"), "model": call.answered_model, "results": results})


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED_AT, "owned_by": "system"}


def _judgement(text: str) -> dict[str, Any]:
    found = "violence" in text.lower()
    return {
        "flagged": found,
        "categories": {name: found and name == "violence" for name in _CATEGORIES},
        "category_scores": {name: 0.93 if found and name == "violence" else 0.0001 for name in _CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
