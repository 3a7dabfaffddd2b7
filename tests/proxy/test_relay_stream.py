"""Tests of relaying a stream: what passes, what is read on the way, when the books are closed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway_project.shared.memory_counters import MemoryCounters
from proxy.headers import answer_head
from proxy.ledger import Ledger
from proxy.relay_stream import FOLD_BYTES, StreamRelay
from proxy.relaying import RelayParts
from proxy.reply import Reply
from proxy.upstream import UpstreamBroken
from proxy.visit import Visit
from tests.proxy.builders import Sent, visit_of
from tests.proxy_gateway import PlainDoors, key

CHAT = b'{"model":"gpt-4o","stream":true,"messages":[]}'


def chunk(text: str = "", *, more: str = "") -> bytes:
    return b'data: {"model":"gpt-4o-x","choices":[{"delta":{"content":"%b"}}]%b}\n\n' % (text.encode(), more.encode())


USAGE = b'data: {"model":"gpt-4o-x","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}\n\n'
DONE = b"data: [DONE]\n\n"


class Given:
    """An answer that is what a test says. An exception among the pieces is raised."""

    def __init__(self, *pieces: bytes | Exception, status: int = 200) -> None:
        self.status = status
        self.head = answer_head([(b"content-type", b"text/event-stream")])
        self.finished = False
        self._pieces = list(pieces)
        self.closed = False

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        while piece := await self._next():
            yield piece

    def reader(self) -> Callable[[], Awaitable[bytes]]:
        return self._next

    async def _next(self) -> bytes:
        await asyncio.sleep(0)
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closed = True


class Books:
    """Notes when a visit's books were closed: after how many bytes to the client."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent
        self.closed_after: list[bytes] = []

    async def close(self, visit: Visit) -> None:
        if not visit.meter.recorded:
            visit.meter.recorded = True
            self.closed_after.append(self._sent.body)


class Relayed:
    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.sent = Sent()
        self.books = Books(self.sent)
        ledger = Ledger(MemoryCounters(), PlainDoors(), lease_s=90)
        self.relay = StreamRelay(visit, Reply(self.sent, []), RelayParts(self.books, ledger, 1000))


async def relayed(*pieces: bytes | Exception, tail: str = "/chat/completions", content: bytes = CHAT,
                  status: int = 200, **changes: Any) -> Relayed:  # fmt: skip
    made = Relayed(visit_of(tail, content, **changes))
    made.visit.meter.status = status
    await made.relay.run(Given(*pieces, status=status))
    return made


async def test_what_comes_is_what_goes() -> None:
    stream = chunk() + chunk("a") + b": comment\n\nevent: x\nid: 1\ndata: {}\n\n" + chunk("b") + DONE
    for size in (len(stream), 1, 7):
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        made = await relayed(*pieces)
        assert (made.sent.body, made.sent.complete, made.sent.status) == (stream, True, 200)
        assert made.visit.meter.ending == "completed"


@pytest.mark.parametrize(
    ("rest", "passed"),
    [(chunk("b")[:-9], b""), (chunk("b")[:-2], chunk("b")), (b": torn comm", b""), (b"event: x\nda", b"")],
)
async def test_an_error_does_not_become_a_part_of_a_torn_event(rest: bytes, passed: bytes) -> None:
    made = await relayed(chunk("a") + rest)
    begun = chunk("a") + passed
    assert made.sent.body.startswith(begun + b'data: {"error"')
    assert made.visit.meter.ending == "upstream_failed"


async def test_the_last_event_needs_no_blank_line() -> None:
    made = await relayed(chunk("a") + DONE[:-1])
    assert made.sent.body == chunk("a") + DONE[:-1]
    assert made.visit.meter.ending == "completed"


async def test_the_books_are_closed_before_the_end_is_sent() -> None:
    made = await relayed(chunk("a"), chunk("b") + DONE + b": after\n\n")
    assert made.books.closed_after == [chunk("a") + chunk("b")]


async def test_the_end_goes_with_the_last_event_when_the_provider_has_ended() -> None:
    made = Relayed(visit_of("/chat/completions", CHAT))
    made.visit.meter.status = 200
    answer = Given(chunk("a"), DONE)
    answer.finished = True
    await made.relay.run(answer)
    assert (made.sent.body, made.sent.complete) == (chunk("a") + DONE, True)
    assert made.sent.messages[-1] == {"type": "http.response.body", "body": DONE, "more_body": False}
    assert made.books.closed_after == [chunk("a")]


async def test_usage_is_taken_and_passes_when_the_client_asked() -> None:
    made = await relayed(chunk("a"), USAGE, DONE)
    meter = made.visit.meter
    assert made.sent.body == chunk("a") + USAGE + DONE
    assert meter.usage is not None
    assert (meter.usage.input_tokens, meter.usage.output_tokens, meter.usage_source) == (5, 6, "upstream")
    assert (meter.response_model, meter.generated) == ("gpt-4o-x", [])


@pytest.mark.parametrize("null", [',"usage":null', ', "usage": null', ',\n"usage" :null'])
async def test_usage_only_the_gateway_asked_for_is_taken_out(null: str) -> None:
    stream = chunk("a", more=null) + chunk("b", more=null) + USAGE + DONE
    made = await relayed(stream, usage_forced=True)
    assert made.sent.body == chunk("a") + chunk("b") + DONE
    assert made.visit.meter.usage is not None


async def test_text_that_speaks_of_usage_stays() -> None:
    said = chunk('he said \\",\\"usage\\":null}, and \\"usage\\": {\\"x\\":1}')
    made = await relayed(said + USAGE + DONE, usage_forced=True)
    assert made.sent.body == said + DONE


async def test_usage_in_a_chunk_with_choices_stays_in_it() -> None:
    last = b'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
    made = await relayed(last, DONE, usage_forced=True)
    assert made.sent.body == last + DONE
    assert made.visit.meter.usage is not None


@pytest.mark.parametrize("text", ["[DONE]", "data: [DONE]\\n\\n", '\\"type\\":\\"response.completed\\"'])
async def test_text_that_looks_like_the_end_is_none(text: str) -> None:
    made = await relayed(chunk(text), chunk("more"), USAGE, DONE)
    assert made.books.closed_after == [chunk(text) + chunk("more") + USAGE]
    assert made.visit.meter.usage is not None


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
async def test_a_response_ends_with_a_typed_event(kind: str) -> None:
    trick = b'"metadata":{"type":"response.completed"}'
    first = b'event: response.created\ndata: {"type":"response.created","response":{"model":"m",%b}}\n\n' % trick
    usage = b'"usage":{"input_tokens":1,"output_tokens":2}'
    last = b'data: {"type" : "response.%b","response":{%b}}\n\n' % (kind.encode(), usage)
    made = await relayed(first, last, tail="/responses")
    assert made.books.closed_after == [first]
    assert made.sent.body == first + last
    assert made.visit.meter.usage is not None
    assert made.visit.meter.ending == "completed"


@pytest.mark.parametrize("ending", [[], [UpstreamBroken("x")], [b'data: {"choices":[{"del']])
async def test_a_stream_cut_short_says_so(ending: list[Any]) -> None:
    made = await relayed(chunk("a"), *ending)
    assert made.sent.body.startswith(chunk("a"))
    assert b'"code":"gateway_upstream_stream_broken"' in made.sent.body
    assert made.sent.complete
    assert (made.visit.meter.ending, made.visit.meter.error_code) == ("upstream_failed", "upstream_stream_broken")
    assert len(made.books.closed_after) == 1


@pytest.mark.parametrize("kind", ['["error"]', '{"a":1}', "null", "5"])
async def test_a_type_that_is_no_name_ends_nothing(kind: str) -> None:
    odd = b'data: {"type":%b,"usage":{"prompt_tokens":1}}\n\n' % kind.encode()
    made = await relayed(odd, chunk("a"), DONE)
    assert (made.sent.body, made.sent.complete) == (odd + chunk("a") + DONE, True)
    assert made.books.closed_after == [odd + chunk("a")]


async def test_what_breaks_after_the_end_is_nobodys_business() -> None:
    made = await relayed(chunk("a"), DONE, UpstreamBroken("x"))
    assert (made.sent.body, made.sent.complete) == (chunk("a") + DONE, True)
    assert made.visit.meter.ending == "completed"


async def test_streams_that_nobody_knows_the_end_of_just_end() -> None:
    made = await relayed(b'data: {"type":"thing"}\n\n', tail="/threads/t/runs")
    assert (made.sent.complete, made.visit.meter.ending) == (True, "completed")
    assert b"error" not in made.sent.body


async def test_an_error_status_has_no_terminal_event() -> None:
    made = await relayed(b'data: {"error":{"code":"x"}}\n\n', status=500)
    assert made.sent.body == b'data: {"error":{"code":"x"}}\n\n'
    assert (made.visit.meter.error_code, made.visit.meter.ending) == ("x", "completed")


async def test_an_error_inside_is_told_once() -> None:
    error = b'data: {"error":{"message":"x","code":"server_error"}}\n\n'
    made = await relayed(chunk("a"), error)
    assert made.sent.body == chunk("a") + error
    assert (made.visit.meter.ending, made.visit.meter.error_code) == ("upstream_failed", "server_error")
    made = await relayed(
        b'event: error\ndata: {"type":"error","code":"overloaded","message":"x"}\n\n', tail="/responses"
    )
    assert (made.visit.meter.ending, made.visit.meter.error_code) == ("upstream_failed", "overloaded")
    assert made.sent.body.count(b"event: error") == 1


async def test_the_beginning_is_kept_for_the_books_when_the_key_says_so() -> None:
    visit = visit_of(content=CHAT, key=key(should_log_response=True))
    visit.meter.response_body = bytearray()
    made = Relayed(visit)
    await made.relay.run(Given(*[chunk("x" * 100)] * 20, DONE))
    assert bytes(visit.meter.response_body) == (chunk("x" * 100) * 20)[:1000]


async def test_a_long_stream_without_usage_is_counted_as_it_goes() -> None:
    many = chunk("word ") * (FOLD_BYTES // 60)
    made = await relayed(many, many, many, DONE)
    meter = made.visit.meter
    assert meter.counted_output_tokens > 3000
    assert sum(len(piece) for piece in meter.generated) < FOLD_BYTES
    assert meter.response_model == "gpt-4o-x"


async def test_it_is_only_for_what_was_planned(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="planned"):
        Relayed(visit_of(plan=None))
