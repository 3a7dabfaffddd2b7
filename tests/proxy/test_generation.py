"""Tests of counting what a provider does not tell."""

import asyncio
import threading

import pytest

from providers.records import TokenUsage
from providers.tokens import count_tokens
from proxy import generation
from proxy.generation import count_generated, count_input, counted_usage, generated_text
from tests.proxy.builders import OPENAI, body_of, call_of

CHAT = call_of().operation
EVENTS = [
    (
        b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
        b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n'
    ),
    b'data: {"choices":[{"delta":{"content":"lo"}}]}\r\n\r\n: comment\n\ndata: {"broken\n\ndata: [DONE]\n\n',
]


def test_it_joins_the_text_of_events_however_they_were_cut() -> None:
    assert generated_text(OPENAI, CHAT, EVENTS) == "Hello"
    assert generated_text(OPENAI, CHAT, []) == ""


async def test_it_counts_what_was_generated() -> None:
    assert await count_generated(OPENAI, CHAT, EVENTS, "gpt-4o") == count_tokens("Hello", "gpt-4o")
    assert await count_generated(OPENAI, CHAT, [], "gpt-4o") == 0


async def test_it_counts_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def counting(text: str, model: str) -> int:
        threads.append(threading.get_ident())
        return count_tokens(text, model)

    monkeypatch.setattr(generation, "count_tokens", counting)
    long = b'data: {"choices":[{"delta":{"content":"' + b"word " * 20_000 + b'"}}]}\n\n'
    await asyncio.gather(count_generated(OPENAI, CHAT, [long], "gpt-4o"), asyncio.sleep(0))
    assert threads
    assert threading.get_ident() not in threads


async def test_it_counts_the_input_of_a_body() -> None:
    chat = body_of(b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}')
    assert await count_input(chat, "gpt-4o") == 8
    with_tools = body_of(b'{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function"}]}')
    assert await count_input(with_tools, "gpt-4o") > 8
    embeddings = body_of(b'{"input":["one","two words"]}', "/embeddings")
    assert await count_input(embeddings, "gpt-4o") == 3
    assert await count_input(body_of(b"[1]", "/unknown"), "gpt-4o") == 0


def test_embeddings_have_no_output() -> None:
    assert counted_usage(CHAT, input_tokens=1, output_tokens=2) == TokenUsage(input_tokens=1, output_tokens=2)
    embeddings = call_of("/embeddings").operation
    assert counted_usage(embeddings, input_tokens=1, output_tokens=2) == TokenUsage(input_tokens=1)
