"""Tests of relaying a stream event by event: where it ends, what is counted, what is told when it breaks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.shared.memory_counters import MemoryCounters
from providers.adapters.base import UpstreamRequest
from providers.adapters.custom import CustomAdapter
from providers.records import CustomProviderRecord, CustomRouteRecord, ProviderRecord
from proxy.event_relay import EventRelay, LineSplitter
from proxy.flow import Body, Call, Meter, Plan
from proxy.ledger import Ledger
from proxy.relay_stream import FOLD_BYTES
from proxy.relaying import RelayParts
from proxy.reply import Reply
from proxy.upstream import UpstreamBroken
from proxy.visit import Visit
from proxy.watch import Sweeper
from tests.proxy.builders import Sent, incoming
from tests.proxy.test_relay_stream import Books, Given
from tests.proxy_gateway import PlainDoors, key, price

END = "<<end>>"
Frame = Callable[[str], bytes]


def as_event(text: str) -> bytes:
    return f"data: {text}\n\n".encode()


def as_line(text: str) -> bytes:
    return f"{text}\n".encode()


FRAMES = pytest.mark.parametrize("frame", [as_event, as_line])


def piece(text: str, **members: Any) -> str:
    return json.dumps({"piece": text, **members})


def visit_of(end_word: str = END, most_empty: int = 0, reserved_tokens: int = 0, **key_members: Any) -> Visit:
    route = CustomRouteRecord(
        path="/a",
        target_url="http://upstream/a",
        response_completion_location="text",
        stream_response_completion_location="piece",
        stream_end_word=end_word,
        stream_max_empty_messages=most_empty,
    )
    adapter = CustomAdapter(CustomProviderRecord("c", "acme"), route)
    operation = adapter.operation("POST", "/a")
    plan = Plan(
        setting=ProviderRecord(id="s", provider="acme"),
        request=UpstreamRequest("POST", "http://upstream/a", (), b"{}"),
        timeout_s=60.0,
        price=price(provider="acme"),
        estimate_nano=1000,
        reserved_output_tokens=reserved_tokens,
    )
    return Visit(
        incoming(),
        key=key(**key_members),
        watch=Sweeper().watch(60),
        call=Call(adapter, operation, "/a"),
        body=Body(b"{}", adapter.read_body(operation, {})),
        plan=plan,
        meter=Meter(sent=True, attempts=1, status=200),
    )


class Relayed:
    def __init__(self, visit: Visit, *, lines: bool) -> None:
        self.visit = visit
        self.sent = Sent()
        self.books = Books(self.sent)
        ledger = Ledger(MemoryCounters(), PlainDoors(), lease_s=90)
        self.relay = EventRelay(visit, Reply(self.sent, []), RelayParts(self.books, ledger, 40), lines=lines)

    @property
    def kept(self) -> list[Any]:
        """What is kept for counting."""
        events = b"".join(self.visit.meter.generated).split(b"\n\n")
        return [json.loads(event.removeprefix(b"data: ")) for event in events if event.startswith(b"data: {")]


async def relayed(*pieces: bytes | Exception, frame: Frame = as_event, **options: Any) -> Relayed:
    made = Relayed(visit_of(**options), lines=frame is as_line)
    if made.visit.key.should_log_response:
        made.visit.meter.response_body = bytearray()
    await made.relay.run(Given(*pieces))
    return made


@FRAMES
async def test_what_comes_is_what_goes_up_to_the_end_word(frame: Frame) -> None:
    stream = frame(piece("a")) + frame("not json") + frame(piece("")) + frame(piece("b")) + frame(END)
    after = frame(piece("c")) + frame(END)
    whole = stream + after
    for size in (len(whole), 1, 7):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        made = await relayed(*pieces, frame=frame)
        assert (made.sent.body, made.sent.complete, made.sent.status) == (stream, True, 200)
        assert made.books.closed_after == [stream.removesuffix(frame(END))]
        assert made.visit.meter.ending == "completed"
        assert [each["piece"] for each in made.kept] == ["a", "", "b"]


@FRAMES
async def test_nothing_is_read_after_the_end_word(frame: Frame) -> None:
    made = await relayed(frame(END), AssertionError("read on"), frame=frame)
    assert made.sent.complete


@FRAMES
async def test_an_end_word_may_be_json_and_text_may_hold_it(frame: Frame) -> None:
    said = frame(piece("say <<end>> and <<end>>"))
    made = await relayed(said, frame(END), frame=frame)
    assert made.sent.body == said + frame(END)
    made = await relayed(frame(piece("a")), frame('{"over":true}'), frame(piece("b")), frame=frame,
                         end_word='{"over":true}')  # fmt: skip
    assert made.sent.body == frame(piece("a")) + frame('{"over":true}')


@FRAMES
async def test_without_an_end_word_the_connection_ends_it(frame: Frame) -> None:
    stream = frame(piece("a")) + frame("") + frame(piece("b"))[:-1]
    made = await relayed(stream, frame=frame, end_word="")
    assert (made.sent.body, made.sent.complete, made.visit.meter.ending) == (stream, True, "completed")
    assert [each["piece"] for each in made.kept] == ["a", "b"]


@FRAMES
async def test_messages_without_text_end_it_when_they_are_too_many_in_a_row(frame: Frame) -> None:
    empty = [frame(each) for each in (piece(""), '{"other":1}', "[1]")]
    stream = [empty[0], empty[1], frame(piece("a")), *empty, frame(piece("b"))]
    made = await relayed(b"".join(stream), frame=frame, most_empty=3)
    passed = b"".join(stream[:-1])
    assert made.sent.body.startswith(passed)
    assert b"gateway_stream_empty" in made.sent.body.removeprefix(passed)
    assert (made.visit.meter.ending, made.visit.meter.error_code) == ("upstream_failed", "stream_empty")
    assert made.sent.complete
    made = await relayed(b"".join(stream), frame(END), frame=frame, most_empty=4)
    assert made.visit.meter.ending == "completed"


async def test_comments_and_blank_lines_are_no_messages() -> None:
    made = await relayed(b": ping\n\n" * 9, as_event(END), most_empty=2)
    assert made.visit.meter.ending == "completed"
    made = await relayed(b"\n" * 9, as_line(END), frame=as_line, most_empty=2)
    assert made.visit.meter.ending == "completed"


@FRAMES
async def test_a_broken_stream_ends_with_an_error_in_its_framing(frame: Frame) -> None:
    made = await relayed(frame(piece("a")), frame(piece("b"))[:5], UpstreamBroken("reset"), frame=frame)
    passed = frame(piece("a"))
    assert made.sent.body.startswith(passed)
    error = made.sent.body.removeprefix(passed)
    assert error == frame(error.decode().removeprefix("data: ").strip())
    assert b"gateway_upstream_stream_broken" in error
    assert made.visit.meter.error_code == "upstream_stream_broken"
    assert made.books.closed_after == [passed]


async def test_what_breaks_after_the_end_word_is_nobodys_business() -> None:
    made = await relayed(as_event(END), UpstreamBroken("reset"))
    assert (made.visit.meter.ending, made.sent.body) == ("completed", as_event(END))


@FRAMES
async def test_usage_and_errors_are_read_on_the_way(frame: Frame) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 6}
    made = await relayed(frame(piece("a", usage=usage)), frame(END), frame=frame)
    meter = made.visit.meter
    assert meter.usage is not None
    assert (meter.usage.input_tokens, meter.usage.output_tokens, meter.usage_source) == (5, 6, "upstream")
    made = await relayed(frame('{"error":{"code":"overloaded"}}'), frame(END), frame=frame)
    assert (made.visit.meter.ending, made.visit.meter.error_code) == ("upstream_failed", "overloaded")


async def test_what_is_logged_is_what_came_and_no_more_than_may_be() -> None:
    made = await relayed(as_line(piece("a")), as_line(END), frame=as_line, should_log_response=True)
    assert made.visit.meter.response_body == as_line(piece("a")) + as_line(END)
    made = await relayed(*[as_line(piece("a"))] * 9, as_line(END), frame=as_line, should_log_response=True)
    assert made.visit.meter.response_body is not None
    assert len(made.visit.meter.response_body) == 40


@pytest.mark.parametrize("event", [as_event(json.dumps({"other": "x" * 1000})), b": %b\n\n" % (b"x" * 1000)])
async def test_events_without_text_are_not_kept_for_ever(event: bytes) -> None:
    """Neither where text stands elsewhere than was said, nor where the provider only says that it is still there."""
    made = await relayed(*[event] * 1000, reserved_tokens=100, cost_limit_nano=10**12)
    assert sum(map(len, made.visit.meter.generated)) < 2 * FOLD_BYTES
    assert made.sent.body == event * 1000


async def test_a_long_stream_is_counted_on_the_way() -> None:
    made = await relayed(*[as_line(piece("word " * 100))] * 700, as_line(END), frame=as_line)
    assert made.visit.meter.counted_output_tokens > 30_000
    assert sum(map(len, made.visit.meter.generated)) < 300_000


@given(st.lists(st.binary(max_size=9).map(lambda each: each.replace(b"\r", b""))))
def test_lines_are_cut_as_they_end(chunks: list[bytes]) -> None:
    splitter = LineSplitter()
    runs = [splitter.feed(chunk) for chunk in chunks]
    assert b"".join(runs) + splitter.rest() == b"".join(chunks)
    assert all(not run or run.endswith(b"\n") for run in runs)
    assert b"\n" not in splitter.rest()
