"""Tests of relaying answers: what is read from them, and that they go out as they came."""

import gzip
import json
from typing import Any

import pytest

from gateway_project.shared.memory_counters import MemoryCounters
from proxy.flow import Answer
from proxy.headers import answer_head
from proxy.ledger import Ledger
from proxy.relaying import RelayParts
from proxy.reply import Reply
from proxy.stages.relay import TAIL_BYTES, WHOLE_BYTES, relay
from proxy.upstream import UpstreamBroken
from proxy.visit import Visit
from tests.proxy.builders import Sent, visit_of
from tests.proxy.test_relay_stream import Books, Given
from tests.proxy_gateway import PlainDoors, key

JSON = (b"content-type", b"application/json")
ANSWER = {"model": "gpt-4o-x", "choices": [{"message": {"content": "hello"}}]}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4}


class Relayed:
    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.sent = Sent()
        self.books = Books(self.sent)
        self.parts = RelayParts(self.books, Ledger(MemoryCounters(), PlainDoors(), lease_s=90), 20)

    async def run(self, answer: Answer) -> None:
        await relay(self.visit, answer, Reply(self.sent, []), self.parts)


def given(*pieces: bytes | Exception, headers: Any = (JSON,), sized: bool = True, status: int = 200) -> Given:
    answer = Given(*pieces, status=status)
    length = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
    answer.head = answer_head([*headers, *([(b"content-length", b"%d" % length)] if sized else [])])
    return answer


async def relayed(answer: Given, tail: str = "/chat/completions", content: bytes = b"{}", **changes: Any) -> Relayed:
    made = Relayed(visit_of(tail, content, **changes))
    made.visit.meter.status = answer.status
    await made.run(answer)
    return made


@pytest.mark.parametrize("sized", [True, False])
async def test_a_whole_answer_goes_out_as_it_came_once_it_is_booked(sized: bool) -> None:
    content = json.dumps({**ANSWER, "usage": USAGE}).encode()
    made = await relayed(given(content[:10], content[10:], sized=sized))
    assert (made.sent.body, made.sent.headers[b"content-length"]) == (content, b"%d" % len(content))
    assert made.books.closed_after == [b""]
    meter = made.visit.meter
    assert meter.usage is not None
    assert (meter.usage.output_tokens, meter.usage_source, meter.response_model) == (4, "upstream", "gpt-4o-x")
    assert meter.upstream_ended is not None


async def test_an_answer_without_usage_is_kept_for_counting() -> None:
    made = await relayed(given(json.dumps(ANSWER).encode()))
    assert made.visit.meter.usage is None
    assert made.visit.meter.answered == "hello"


@pytest.mark.parametrize("content", [b'{"choices":[{"message":{"content":"hel', b"<html>sorry</html>", b"[1]"])
async def test_what_cannot_be_parsed_is_counted_as_it_is(content: bytes) -> None:
    made = await relayed(given(content))
    assert made.sent.body == content
    assert made.visit.meter.usage is None
    assert made.visit.meter.answered == content.decode()


async def test_an_empty_answer_has_nothing_to_count() -> None:
    made = await relayed(given(b""))
    assert (made.sent.body, made.visit.meter.answered, made.visit.meter.uncountable) == (b"", "", False)


async def test_a_compressed_answer_is_read_and_stays_compressed() -> None:
    packed = gzip.compress(json.dumps({**ANSWER, "usage": USAGE}).encode())
    made = await relayed(given(packed, headers=(JSON, (b"content-encoding", b"gzip"))))
    assert (made.sent.body, made.sent.headers[b"content-encoding"]) == (packed, b"gzip")
    assert made.visit.meter.usage is not None


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip"])
async def test_what_cannot_be_unpacked_cannot_be_counted(encoding: bytes) -> None:
    made = await relayed(given(b"\x01\x02", headers=(JSON, (b"content-encoding", encoding))))
    assert (made.sent.body, made.visit.meter.uncountable) == (b"\x01\x02", True)


@pytest.mark.parametrize(("status", "tail"), [(400, "/chat/completions"), (503, "/chat/completions"), (200, "/files")])
async def test_usage_is_read_only_where_it_costs(status: int, tail: str) -> None:
    made = await relayed(given(json.dumps({"usage": USAGE}).encode(), status=status), tail)
    assert made.visit.meter.usage is None
    assert made.visit.meter.answered == ""


async def test_pictures_are_counted_when_nobody_tells_tokens() -> None:
    answer = given(b'{"data":[{"url":"a"},{"url":"b"}]}')
    made = await relayed(answer, "/images/generations", b'{"model":"dall-e-3","quality":"hd","size":"1024x1024"}')
    usage = made.visit.meter.usage
    assert usage is not None
    assert (usage.images, usage.image_kind) == (2, "hd/1024x1024")


async def test_the_length_of_what_is_not_sent_is_told() -> None:
    answer = Given()
    answer.head = answer_head([JSON, (b"content-length", b"123")])
    made = await relayed(answer, "/models")
    assert (made.sent.headers[b"content-length"], made.sent.body, made.sent.complete) == (b"123", b"", True)


@pytest.mark.parametrize("sized", [True, False])
async def test_a_long_answer_flows_and_its_last_piece_waits_for_the_books(sized: bool) -> None:
    start = b'{"data":"' + b"x" * WHOLE_BYTES
    end = b'","usage":' + json.dumps(USAGE).encode() + b"}"
    made = await relayed(given(start, b"y" * 1000, end, b" " * (TAIL_BYTES * 2), sized=sized))
    assert made.sent.body == start + b"y" * 1000 + end + b" " * (TAIL_BYTES * 2)
    assert made.books.closed_after == [start + b"y" * 1000 + end]
    assert (b"content-length" in made.sent.headers) is sized
    assert made.visit.meter.usage is not None
    assert made.visit.meter.usage_source == "upstream"


async def test_usage_at_the_beginning_of_a_long_answer_is_found() -> None:
    start = b'{"usage": ' + json.dumps(USAGE).encode() + b',"data":"' + b"x" * WHOLE_BYTES
    made = await relayed(given(start, b"y" * TAIL_BYTES, b'"}'))
    assert made.visit.meter.usage is not None


@pytest.mark.parametrize(
    "end", [b'"}', b'","usage":null}', b'","usage":{"prompt_tokens":', b'\\"usage\\":{\\"prompt_tokens\\":1}"}']
)
async def test_a_long_answer_without_usage_cannot_be_counted(end: bytes) -> None:
    made = await relayed(given(b'{"data":"' + b"x" * WHOLE_BYTES, end))
    assert (made.visit.meter.usage, made.visit.meter.uncountable) == (None, True)


async def test_an_answer_that_breaks_raises_before_anything_was_sent() -> None:
    with pytest.raises(UpstreamBroken):
        await relayed(given(b'{"a"', UpstreamBroken("x"), sized=False))


async def test_a_long_answer_that_breaks_never_ends() -> None:
    made = Relayed(visit_of())
    with pytest.raises(UpstreamBroken):
        await made.run(given(b"x" * (WHOLE_BYTES + 1), b"y", UpstreamBroken("x"), sized=False))
    assert not made.sent.complete
    assert made.books.closed_after == []


async def test_a_stream_is_relayed_as_one_compressed_or_not() -> None:
    stream = b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    events = (b"content-type", b"text/event-stream; charset=utf-8")
    for pieces, headers in (([stream], (events,)), ([gzip.compress(stream)], (events, (b"content-encoding", b"gzip")))):
        made = await relayed(given(*pieces, headers=headers, sized=False), content=b'{"stream":true}')
        assert made.sent.body == stream
        assert b"content-encoding" not in made.sent.headers


async def test_the_beginning_is_kept_when_the_key_says_so() -> None:
    made = await relayed(given(b'{"a":"0123456789012345678901234567890"}'), key=key(should_log_response=True))
    assert bytes(made.visit.meter.response_body or b"") == b'{"a":"01234567890123'
