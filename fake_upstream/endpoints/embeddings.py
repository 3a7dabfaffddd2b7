"""Embeddings: deterministic unit vectors."""

import base64
import math
import zlib
from array import array
from functools import lru_cache
from typing import Any

from fake_upstream.call import Call
from fake_upstream.endpoints.answers import json_reply, whole_number
from fake_upstream.errors import bad_request, missing
from fake_upstream.messages import Answer
from fake_upstream.text import count_tokens


def embeddings(call: Call) -> Answer:
    """POST /embeddings. Equal inputs give equal vectors."""
    given = call.member("input")
    if given in (None, [], ""):
        return missing("input")
    inputs = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    size = whole_number(call.member("dimensions")) or (3072 if "3-large" in call.model else 1536)
    encoding = call.member("encoding_format", "float")
    if encoding not in ("float", "base64"):
        return bad_request(f"Invalid value: '{encoding}'.", param="encoding_format")
    tokens = sum(count_tokens(text) if isinstance(text, str) else len(text) for text in inputs)
    document: dict[str, Any] = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(_vector(text, size), encoding)}
            for index, text in enumerate(inputs)
        ],
        "model": call.answered_model,
    }
    if "no-usage" not in call.directives:
        document["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_reply(document)


@lru_cache(maxsize=16)
def _base_vector(size: int) -> "array[float]":
    raw = [math.sin(1.7 * i + 0.3) for i in range(size)]
    length = math.sqrt(sum(x * x for x in raw))
    return array("f", [x / length for x in raw])


def _vector(text: Any, size: int) -> "array[float]":
    """The base vector, turned by a checksum of the text: cheap, and still of length one."""
    base = _base_vector(size)
    turn = zlib.crc32(repr(text).encode()) % size
    return base[turn:] + base[:turn]


def _encoded(vector: "array[float]", encoding: str) -> Any:
    return base64.b64encode(vector.tobytes()).decode() if encoding == "base64" else list(vector)
