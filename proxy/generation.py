"""Counts what was generated when the provider does not tell: text of the events relayed, in tokens."""

import asyncio

from providers.adapters.base import Adapter, Operation
from providers.records import TokenUsage
from providers.tokens import count_request_tokens, count_tokens
from proxy import sse
from proxy.flow import Body


def generated_text(adapter: Adapter, operation: Operation, chunks: list[bytes]) -> str:
    """The text in a run of whole stream events."""
    parts = []
    for event in sse.events(b"".join(chunks)):
        payload = sse.payload_of(sse.data_of(event))
        if payload is not None:
            parts.append(adapter.text_of(operation, payload, streamed=True))
    return "".join(parts)


async def count_generated(adapter: Adapter, operation: Operation, chunks: list[bytes], model: str) -> int:
    """Tokens of the text in stream events; off the event loop."""
    if not chunks:
        return 0
    return await asyncio.to_thread(lambda: count_tokens(generated_text(adapter, operation, chunks), model))


async def count_text(text: str, model: str) -> int:
    """Tokens of a text; off the event loop."""
    return await asyncio.to_thread(count_tokens, text, model) if text else 0


async def count_input(body: Body, model: str) -> int:
    """Tokens of a request's text, tools and media; off the event loop."""
    if body.facts.prompt is not None:
        return await count_text(body.facts.prompt, model)
    document = body.document
    if document is None:
        return 0
    return await asyncio.to_thread(count_request_tokens, document, model)


def counted_usage(operation: Operation, *, input_tokens: int, output_tokens: int) -> TokenUsage:
    return TokenUsage(input_tokens=input_tokens, output_tokens=0 if operation.name == "embeddings" else output_tokens)
