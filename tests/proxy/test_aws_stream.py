"""Tests of relaying Amazon's event stream: what passes, what is read, when the books are closed."""

from typing import Any

import pytest

from gateway_project.shared.memory_counters import MemoryCounters
from providers.adapters.bedrock import BedrockAdapter
from providers.adapters.bedrock_frames import chunk_frame, event_frame, exception_frame
from providers.adapters.bedrock_usage import METRICS
from proxy.aws_stream import FrameRelay
from proxy.flow import Body, Call
from proxy.ledger import Ledger
from proxy.relaying import RelayParts
from proxy.reply import Reply
from proxy.upstream import UpstreamBroken
from tests.proxy.builders import Sent, visit_of
from tests.proxy.test_relay_stream import Books, Given
from tests.proxy_gateway import PlainDoors

ADAPTER = BedrockAdapter()
CHUNKS = "/model/meta.llama3-8b-instruct-v1:0/invoke-with-response-stream"
CONVERSE = "/model/amazon.nova-lite-v1:0/converse-stream"


def said(text: str) -> bytes:
    return chunk_frame({"generation": text, "prompt_token_count": None, "generation_token_count": 1})


LAST = chunk_frame({"generation": "", METRICS: {"inputTokenCount": 5, "outputTokenCount": 6}})


class Relayed:
    def __init__(self, tail: str = CHUNKS, **changes: Any) -> None:
        operation = ADAPTER.operation("POST", tail)
        facts = ADAPTER.read_body(operation, {})
        self.visit = visit_of(call=Call(ADAPTER, operation, tail), body=Body(b"{}", facts, {}), **changes)
        self.sent = Sent()
        self.books = Books(self.sent)
        ledger = Ledger(MemoryCounters(), PlainDoors(), lease_s=90)
        self.relay = FrameRelay(self.visit, Reply(self.sent, []), RelayParts(self.books, ledger, 1000))


async def relayed(*pieces: bytes | Exception, tail: str = CHUNKS) -> Relayed:
    made = Relayed(tail)
    await made.relay.run(Given(*pieces))
    return made


async def test_what_comes_is_what_goes_however_it_is_cut() -> None:
    stream = said("a") + said("é") + LAST
    for size in (len(stream), 1, 7, 100):
        made = await relayed(*(stream[at : at + size] for at in range(0, len(stream), size)))
        assert (made.sent.body, made.sent.complete) == (stream, True)
        usage = made.visit.meter.usage
        assert usage is not None
        assert (usage.input_tokens, usage.output_tokens, made.visit.meter.ending) == (5, 6, "completed")


async def test_the_books_are_closed_before_the_last_frame_is_sent() -> None:
    made = await relayed(said("a"), said("b") + LAST)
    assert made.books.closed_after == [said("a") + said("b")]
    metadata = event_frame("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2}, "metrics": {}})
    stop = event_frame("messageStop", {"stopReason": "end_turn"})
    made = await relayed(stop + metadata, tail=CONVERSE)
    assert made.books.closed_after == [stop]


async def test_an_exception_ends_it_and_says_why() -> None:
    error = exception_frame("throttlingException", "Slow down")
    made = await relayed(said("a"), error)
    assert made.sent.body == said("a") + error
    assert made.books.closed_after == [said("a")]
    assert (made.visit.meter.ending, made.visit.meter.error_code) == ("upstream_failed", "throttlingException")


BROKEN = exception_frame("modelStreamErrorException", "The provider broke off its answer.")


@pytest.mark.parametrize(
    "rest",
    [
        (UpstreamBroken("reset"),),
        (),
        (said("b")[:-3],),
        (said("b")[:-1] + b"?",),
        (b"\x00" * 12,),
    ],
)
async def test_a_stream_that_breaks_off_ends_with_an_exception(rest: tuple[bytes | Exception, ...]) -> None:
    made = await relayed(said("a"), *rest)
    assert made.sent.body == said("a") + BROKEN
    assert made.sent.complete
    assert made.visit.meter.error_code == "upstream_stream_broken"
    assert len(made.books.closed_after) == 1


async def test_good_frames_before_a_broken_one_arrive() -> None:
    made = await relayed(said("a") + said("b")[:-1] + b"?", LAST)
    assert made.sent.body == said("a") + BROKEN


async def test_what_comes_after_the_end_is_passed_on() -> None:
    more = event_frame("later", {"a": 1})
    made = await relayed(said("a") + LAST, more + b"\x00\x00")
    assert made.sent.body == said("a") + LAST + more
    assert made.visit.meter.ending == "completed"


async def test_text_is_kept_for_counting_until_usage_is_told() -> None:
    made = await relayed(said("one"), said(" two"), UpstreamBroken("reset"))
    assert [ADAPTER.text_of(made.visit.call.operation, {"generation": "x"}, streamed=True)] == ["x"]  # type: ignore[union-attr]
    assert b"".join(made.visit.meter.generated).count(b"data: {") == 2


async def test_what_is_logged_is_text() -> None:
    made = Relayed()
    made.visit.meter.response_body = bytearray()
    await made.relay.run(Given(said("a"), LAST))
    assert made.visit.meter.response_body.startswith(b'data: {"generation":"a"')


async def test_frames_that_say_nothing_pass() -> None:
    empty = event_frame("chunk", {"bytes": ""})
    made = await relayed(empty, said("a") + LAST)
    assert made.sent.body == empty + said("a") + LAST


async def test_an_operation_without_frames_is_not_relayed_so() -> None:
    with pytest.raises(ValueError, match="not framed"):
        Relayed("/model/m/converse")
