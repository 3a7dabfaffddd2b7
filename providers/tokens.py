"""Counting tokens with tiktoken, always offline. Blocking: callers on an event loop use a thread for long texts.

tiktoken looks for its data in a directory and goes online when a file there is not what it expects. So it is shown a
private directory that holds checked copies of the bundled files, only while it loads them.
"""

import gzip
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import tiktoken


class _Data(NamedTuple):
    """A bundled file. cache_name: the name tiktoken looks for; sha256: of the unpacked content, as it expects."""

    cache_name: str
    sha256: str


ENCODINGS: Mapping[str, _Data] = {
    "cl100k_base": _Data(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
    ),
    "o200k_base": _Data(
        "fb374d419588a4632f3f557e76b4b70aebbca790", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
    ),
}
DEFAULT_ENCODING = "o200k_base"
DATA_DIR = Path(__file__).with_name("encodings")

# Older models; everything else, other makers' models too, is counted with the newest encoding as an approximation.
# The encodings of models before gpt-3.5 are not bundled: cl100k_base comes within a few per cent of them.
_CL100K_MODELS = frozenset({"gpt-4", "davinci", "curie", "babbage", "ada"})
_CL100K_PREFIXES = ("gpt-4-", "gpt-3.5", "gpt-35", "text-", "code-", "davinci-", "babbage-", "ada-", "curie-")

# Overheads of a chat: OpenAI's cookbook, "How to count tokens with tiktoken".
_TOKENS_PER_MESSAGE = 3
_TOKENS_PER_NAME = 1
_TOKENS_PER_ANSWER = 3
# Approximations: OpenAI does not publish how calls and tools are written out.
_TOKENS_PER_CALL = 4
_TOKENS_PER_TOOLS = 9
# An image of 1024 x 1024 at high detail (4 tiles of 170 and 85), which its URL does not tell; low detail is 85.
_TOKENS_PER_IMAGE = 765
_TOKENS_PER_SMALL_IMAGE = 85
# About 10 tokens a second, at 16 kB a second of compressed sound in base64.
_CHARACTERS_PER_AUDIO_TOKEN = 2133
_MAX_DEPTH = 12

_lock = threading.Lock()


class EncodingDataBroken(Exception):
    """A bundled file is damaged or missing: the installation is not whole."""


def encoding_for(model: str) -> str:
    """The name of the encoding to count a model's tokens with."""
    name = model.lower().removeprefix("ft:")
    if name in _CL100K_MODELS or name.startswith(_CL100K_PREFIXES):
        return "cl100k_base"
    return DEFAULT_ENCODING


def count_tokens(text: str, model: str) -> int:
    """Tokens of a text; what looks like a special token is text as any other."""
    return len(_encoding(encoding_for(model)).encode_ordinary(text)) if text else 0


def preload(names: Sequence[str] = tuple(ENCODINGS)) -> None:
    """Load encodings now (about half a second each) rather than at the first count. Raises EncodingDataBroken."""
    for name in names:
        _encoding(name)


def count_request_tokens(document: Mapping[str, Any], model: str) -> int:
    """Input tokens of a request body: chat, messages, completion, embeddings or responses. Media are approximated."""
    if isinstance(document.get("messages"), list):
        system = _count_value(document.get("system"), model, 0)
        return system + count_chat_tokens(document["messages"], model, tools=_tools(document))
    total = sum(_count_value(document.get(name), model, 0) for name in ("instructions", "prompt", "input"))
    return total + _count_tools(_tools(document), model)


def count_chat_tokens(messages: Sequence[Any], model: str, *, tools: Sequence[Any] = ()) -> int:
    """Input tokens of a chat's messages and tools, with the overheads of the format."""
    total = sum(_count_message(message, model) for message in messages if isinstance(message, Mapping))
    return total + _TOKENS_PER_ANSWER + _count_tools(tools, model)


def _tools(document: Mapping[str, Any]) -> Sequence[Any]:
    tools = document.get("tools", document.get("functions"))
    return tools if isinstance(tools, list) else ()


def _count_tools(tools: Sequence[Any], model: str) -> int:
    return _TOKENS_PER_TOOLS + sum(_count_json(tool, model) for tool in tools) if tools else 0


def _count_message(message: Mapping[str, Any], model: str) -> int:
    total = _TOKENS_PER_MESSAGE + _count_text(message.get("role"), model)
    if message.get("name"):
        total += _TOKENS_PER_NAME + _count_text(message["name"], model)
    total += _count_value(message.get("content"), model, 0) + _count_text(message.get("refusal"), model)
    calls = message.get("tool_calls")
    calls = calls if isinstance(calls, list) else []
    functions = [call.get("function") for call in calls if isinstance(call, Mapping)] + [message.get("function_call")]
    for function in functions:
        if isinstance(function, Mapping):
            texts = (function.get("name"), function.get("arguments"))
            total += _TOKENS_PER_CALL + sum(_count_text(text, model) for text in texts)
    return total


def _count_value(value: Any, model: str, depth: int) -> int:
    """Tokens of a prompt, an input or a message's content: text, token numbers, parts, or lists of these."""
    if isinstance(value, str):
        return count_tokens(value, model)
    if isinstance(value, list) and depth < _MAX_DEPTH:
        numbers = sum(1 for item in value if isinstance(item, int))
        return numbers + sum(_count_value(item, model, depth + 1) for item in value if not isinstance(item, int))
    if isinstance(value, Mapping) and depth < _MAX_DEPTH:
        return _count_part(value, model, depth)
    return 0


def _count_part(part: Mapping[str, Any], model: str, depth: int) -> int:
    kind = str(part.get("type", ""))
    if kind in ("image_url", "input_image", "image"):
        return _count_image(part)
    if kind == "input_audio":
        audio = part.get("input_audio")
        data = audio.get("data") if isinstance(audio, Mapping) else None
        return -(-len(data) // _CHARACTERS_PER_AUDIO_TOKEN) if isinstance(data, str) else 0
    if "role" in part:  # a message of a responses input
        return _count_message(part, model)
    texts = (part.get(name) for name in ("text", "refusal", "name", "arguments", "thinking"))
    inner = sum(_count_value(part.get(name), model, depth + 1) for name in ("content", "output", "summary"))
    return inner + sum(_count_text(text, model) for text in texts) + _count_given(part, model, depth)


def _count_given(part: Mapping[str, Any], model: str, depth: int) -> int:
    """What Anthropic's parts have beside texts: a tool's input, the text of a document."""
    called, source = part.get("input"), part.get("source")
    total = _count_json(called, model) if isinstance(called, Mapping) else 0
    if isinstance(source, Mapping) and source.get("type") in ("text", "content"):
        total += _count_value(source.get("data", source.get("content")), model, depth + 1)
    return total


def _count_image(part: Mapping[str, Any]) -> int:
    image = part.get("image_url")
    detail = image.get("detail") if isinstance(image, Mapping) else part.get("detail")
    return _TOKENS_PER_SMALL_IMAGE if detail == "low" else _TOKENS_PER_IMAGE


def _count_text(value: Any, model: str) -> int:
    return count_tokens(value, model) if isinstance(value, str) else 0


def _count_json(value: Any, model: str) -> int:
    return count_tokens(orjson.dumps(value).decode(), model)


@lru_cache(len(ENCODINGS))
def _encoding(name: str) -> tiktoken.Encoding:
    with _lock, _data_directory(name):
        return tiktoken.get_encoding(name)


@contextmanager
def _data_directory(name: str) -> Iterator[None]:
    """Let tiktoken see a fresh directory with the checked data, which nobody else can write to."""
    content = _unpacked(name)
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    with tempfile.TemporaryDirectory(prefix="gatehouse-encodings-") as directory:
        (Path(directory) / ENCODINGS[name].cache_name).write_bytes(content)
        os.environ["TIKTOKEN_CACHE_DIR"] = directory
        try:
            yield
        finally:
            if before is None:
                del os.environ["TIKTOKEN_CACHE_DIR"]
            else:
                os.environ["TIKTOKEN_CACHE_DIR"] = before


def _unpacked(name: str) -> bytes:
    path = DATA_DIR / f"{name}.tiktoken.gz"
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise EncodingDataBroken(f"{path.name} cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != ENCODINGS[name].sha256:
        raise EncodingDataBroken(f"{path.name} is not the file that tiktoken expects")
    return content
