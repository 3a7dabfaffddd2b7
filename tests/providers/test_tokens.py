"""Token counts equal to published ones, from bundled data, without any network."""

import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tiktoken
import tiktoken_ext.openai_public  # type: ignore[import-untyped]

from providers import tokens
from providers.tokens import count_chat_tokens, count_request_tokens, count_tokens, encoding_for

# Published in OpenAI's cookbook "How to count tokens with tiktoken".
COUNTS = [
    ("antidisestablishmentarianism", 6, 6),
    ("2 + 2 = 4", 7, 7),
    ("お誕生日おめでとう", 9, 8),
    ("hello world", 2, 2),
    ("", 0, 0),
]
# The cookbook's conversation: 129 prompt tokens with gpt-4, 124 with gpt-4o, as the API itself counts.
COOKBOOK = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant "
        "that translates corporate jargon into plain English.",
    },
    {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Things working well together will increase revenue.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth "
        "to touch base on opportunities for increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
]


@pytest.mark.parametrize(("text", "cl100k", "o200k"), COUNTS)
def test_it_counts_as_published(text: str, cl100k: int, o200k: int) -> None:
    assert count_tokens(text, "gpt-4") == cl100k
    assert count_tokens(text, "gpt-4o") == o200k


def test_it_counts_a_chat_as_the_api_does() -> None:
    assert count_chat_tokens(COOKBOOK, "gpt-4") == 129
    assert count_chat_tokens(COOKBOOK, "gpt-4o") == 124


@pytest.mark.parametrize("text", ["<|endoftext|>", "a <|endofprompt|> b", "<|fim_prefix|>", "<|im_start|>user"])
def test_it_counts_special_tokens_as_ordinary_text(text: str) -> None:
    assert count_tokens(text, "gpt-4") > 2
    assert count_tokens(text, "gpt-4o") > 2


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\0", "\u200b" * 50, "a" * 20_000, " " * 20_000])
def test_it_counts_odd_text(text: str) -> None:
    assert count_tokens(text, "gpt-4o") > 0


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4", "cl100k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("gpt-35-turbo-16k", "cl100k_base"),
        ("ft:gpt-3.5-turbo-0613:acme::id", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("text-davinci-003", "cl100k_base"),
        ("GPT-4o", "o200k_base"),
        ("gpt-4.1-mini", "o200k_base"),
        ("gpt-4.5-preview", "o200k_base"),
        ("gpt-5", "o200k_base"),
        ("gpt-6-sol", "o200k_base"),
        ("o1", "o200k_base"),
        ("ft:gpt-4o-mini-2024-07-18:acme::id", "o200k_base"),
        ("claude-3-opus-20240229", "o200k_base"),
        ("", "o200k_base"),
    ],
)
def test_it_chooses_the_encoding(model: str, encoding: str) -> None:
    assert encoding_for(model) == encoding


def counted(message: dict[str, Any]) -> int:
    """Tokens that a message has beyond an empty one of the same role."""
    empty = count_chat_tokens([{"role": "user", "content": ""}], "gpt-4o")
    return count_chat_tokens([{"role": "user", **message}], "gpt-4o") - empty


def test_it_counts_text_parts_as_their_text() -> None:
    parts = [{"type": "text", "text": "hello world"}, {"type": "text", "text": "hello world"}]
    assert counted({"content": parts}) == 4


def test_it_approximates_media() -> None:
    high = {"type": "image_url", "image_url": {"url": "data:,"}}
    low = {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}}
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 21_330, "format": "mp3"}}
    assert [counted({"content": [part]}) for part in (high, low, sound)] == [765, 85, 10]


def test_it_counts_tool_calls_and_tools() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "hello", "arguments": '{"a": "world"}'}}
    assert counted({"content": None, "tool_calls": [call]}) > counted({"content": "hello"})
    tool = {"type": "function", "function": {"name": "hello", "parameters": {"type": "object"}}}
    with_tools = count_chat_tokens(COOKBOOK, "gpt-4o", tools=[tool])
    assert with_tools > count_chat_tokens(COOKBOOK, "gpt-4o") + 9


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"prompt": "hello world"}, 2),
        ({"prompt": ["hello world", "hello world"]}, 4),
        ({"prompt": [15339, 1917]}, 2),
        ({"input": [[1, 2, 3], [4]]}, 4),
        ({"input": "hello world", "instructions": "hello world"}, 4),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "hello world"}]}]}, 6),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "hello world"}]}, 2),
        ({}, 0),
        ({"prompt": 5, "input": {"a": 1}, "messages": "x", "tools": "y"}, 0),
    ],
)
def test_it_counts_whole_requests(document: dict[str, Any], expected: int) -> None:
    assert count_request_tokens(document, "gpt-4o") == expected


def test_it_counts_what_anthropics_messages_are_made_of() -> None:
    def message(*parts: Any) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": list(parts)}]}

    plain = count_request_tokens(message(), "claude-opus-4-8")
    for parts, expected in (
        ([{"type": "thinking", "thinking": "hello world", "signature": "x"}], 2),
        ([{"type": "tool_use", "id": "t", "name": "hello", "input": {"a": "world"}}], 6),
        ([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "hello world"}]}], 2),
        ([{"type": "document", "source": {"type": "text", "data": "hello world"}}], 2),
        ([{"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "hello"}]}}], 1),
        ([{"type": "image", "source": {"type": "base64", "data": "AAAA"}}], 765),
    ):
        assert count_request_tokens(message(*parts), "claude-opus-4-8") == plain + expected
    assert count_request_tokens({**message(), "system": "hello world"}, "claude-opus-4-8") == plain + 2
    blocks = [{"type": "text", "text": "hello world"}]
    assert count_request_tokens({**message(), "system": blocks}, "claude-opus-4-8") == plain + 2


@pytest.mark.parametrize("messages", [["text"], [None], [{}], [{"role": 5, "content": 7}], [{"content": [[[[None]]]]}]])
def test_it_survives_messages_that_are_none(messages: list[Any]) -> None:
    assert count_chat_tokens(messages, "gpt-4o") >= 3


def test_it_has_a_bound_on_depth() -> None:
    nested: Any = "hello world"
    for _ in range(500):
        nested = [nested]
    assert count_request_tokens({"input": nested}, "gpt-4o") == 0


def test_it_bundles_exactly_the_files_that_tiktoken_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, tuple[str, str]] = {}

    def note(address: str, expected_hash: str) -> dict[bytes, int]:
        asked[address.rsplit("/", 1)[1].partition(".")[0]] = (
            hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest(),
            expected_hash,
        )
        return {}

    # Reads what tiktoken's own constructors say, without loading anything.
    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", note)
    for name in tokens.ENCODINGS:
        tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS[name]()
    assert asked == {name: tuple(data) for name, data in tokens.ENCODINGS.items()}


def test_it_refuses_damaged_data_before_tiktoken_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(tokens.DATA_DIR, tmp_path / "encodings")
    broken = tmp_path / "encodings" / "o200k_base.tiktoken.gz"
    shutil.copy(tokens.DATA_DIR / "cl100k_base.tiktoken.gz", broken)
    monkeypatch.setattr(tokens, "DATA_DIR", tmp_path / "encodings")
    tokens._encoding.cache_clear()
    with pytest.raises(tokens.EncodingDataBroken, match="not the file that tiktoken expects"):
        count_tokens("hello", "gpt-4o")
    broken.write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises(tokens.EncodingDataBroken, match="cannot be read"):
        count_tokens("hello", "gpt-4o")


def test_it_loads_once_for_many_threads_and_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "/nowhere")
    tokens._encoding.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda model: count_tokens("hello world", model), ["gpt-4", "gpt-4o"] * 20))
    assert counts == [2] * 40
    assert os.environ["TIKTOKEN_CACHE_DIR"] == "/nowhere"


NO_NETWORK = """
import socket, sys
def refuse(*args): raise SystemExit("a socket was opened")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
from providers import tokens
tokens.preload()
assert tokens.count_tokens("hello world", "gpt-4o") == 2
assert tokens.count_tokens("hello world", "gpt-4") == 2
assert not [name for name in sys.modules if name.split(".")[0] in ("django", "requests", "urllib3")]
"""


def test_it_needs_neither_network_nor_django(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": ".", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_it_agrees_with_tiktokens_own_table_where_that_knows_the_model() -> None:
    known = tiktoken.model.MODEL_TO_ENCODING
    checked = {model: name for model, name in known.items() if name in tokens.ENCODINGS}
    assert {model: encoding_for(model) for model in checked} == checked
