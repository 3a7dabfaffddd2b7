"""Tests of relaying streams that tell their usage bit by bit: what is known of it at each way to end."""

import json
from typing import Any

import pytest

from providers.adapters.anthropic import AnthropicAdapter
from providers.records import TokenUsage
from proxy.flow import Body, Call
from proxy.upstream import UpstreamBroken
from tests.proxy.builders import visit_of
from tests.proxy.test_relay_stream import Given, Relayed

ADAPTER = AnthropicAdapter()
DOCUMENT: Any = {"model": "claude-x", "max_tokens": 9, "stream": True, "messages": []}


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


TOLD = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}
START = event("message_start", message={"id": "msg", "model": "claude-x-1", "usage": TOLD})
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
PING = event("ping")
CLOSED = event("content_block_stop", index=0)
DELTA = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 20})
STOP = event("message_stop")
BEGUN = TokenUsage(input_tokens=5, cache_read_tokens=7, output_tokens=1)
ENDED = TokenUsage(input_tokens=5, cache_read_tokens=7, output_tokens=20)


def text(said: str) -> bytes:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": said})


WHOLE = START + PING + BLOCK + text("a") + text("b") + CLOSED + DELTA + STOP


async def relayed(*pieces: bytes | Exception, tail: str = "/messages") -> Relayed:
    operation = ADAPTER.operation("POST", tail)
    body = Body(b"{}", ADAPTER.read_body(operation, DOCUMENT), DOCUMENT)
    made = Relayed(visit_of(call=Call(ADAPTER, operation, tail), body=body))
    await made.relay.run(Given(*pieces))
    return made


@pytest.mark.parametrize("size", [1, 7, 64, 1000, len(WHOLE)])
async def test_pieces_of_any_size_tell_the_same(size: int) -> None:
    made = await relayed(*[WHOLE[at : at + size] for at in range(0, len(WHOLE), size)])
    assert (made.sent.body, made.sent.complete) == (WHOLE, True)
    meter = made.visit.meter
    assert (meter.usage, meter.usage_source, meter.ending) == (ENDED, "upstream", "completed")
    assert meter.response_model == "claude-x-1"
    assert made.books.closed_after == [WHOLE.removesuffix(STOP)]


@pytest.mark.parametrize("seen", [START, START + BLOCK + text("a"), START + BLOCK + text("a") + CLOSED])
@pytest.mark.parametrize("ending", [[], [UpstreamBroken("x")]])
async def test_a_stream_cut_short_has_only_begun_to_tell(seen: bytes, ending: list[Any]) -> None:
    made = await relayed(seen, *ending)
    meter = made.visit.meter
    assert (meter.usage, meter.begun, meter.ending) == (None, BEGUN, "upstream_failed")
    assert made.sent.body.startswith(seen + b"event: error\n")
    assert b"gateway_upstream_stream_broken" in made.sent.body


async def test_totals_that_were_told_stand_although_the_end_is_missing() -> None:
    made = await relayed(WHOLE.removesuffix(STOP))
    assert (made.visit.meter.usage, made.visit.meter.ending) == (ENDED, "upstream_failed")


async def test_an_error_is_the_end() -> None:
    error = event("error", error={"type": "overloaded_error", "message": "x"})
    made = await relayed(START, BLOCK, text("a"), error)
    assert made.sent.body == START + BLOCK + text("a") + error
    assert (made.visit.meter.ending, made.visit.meter.error_code) == ("upstream_failed", "overloaded_error")


@pytest.mark.parametrize(
    "said", ['{"type":"message_stop"}', '"type": "message_stop"', "event: message_stop\n\n", "[DONE]"]
)
async def test_text_that_looks_like_the_end_is_none(said: str) -> None:
    made = await relayed(START, BLOCK, text(said), CLOSED + DELTA, STOP)
    assert made.books.closed_after == [START + BLOCK + text(said) + CLOSED + DELTA]
    assert made.visit.meter.usage == ENDED


async def test_a_completion_just_ends() -> None:
    last = event("completion", completion="", stop_reason="stop_sequence", model="claude-2.1")
    made = await relayed(
        event("completion", completion=" a", stop_reason=None, model="claude-2.1"), last, tail="/complete"
    )
    assert (made.visit.meter.ending, made.visit.meter.usage) == ("completed", None)
    assert made.sent.body.endswith(last)
    assert made.visit.meter.response_model == "claude-2.1"
