"""Relay a stream of server-sent events as it comes, reading usage on the way by scanning."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway_project.shared import clock
from providers.adapters.base import CutContext, StreamDecoder
from providers.costs import upper_bound_nano
from providers.records import TokenUsage
from proxy import sse
from proxy.flow import Answer, Body, Plan
from proxy.generation import count_generated
from proxy.headers import Header
from proxy.relaying import RelayParts
from proxy.reply import Reply
from proxy.unpacking import unpacked
from proxy.upstream import BROKEN, UpstreamBroken
from proxy.visit import Visit

_USAGE_OBJECT = re.compile(rb'"usage"\s*:\s*\{')
_DATA, _DONE = b"data: ", b"[DONE]"
_DONE_EVENT = _DATA + _DONE + b"\n\n"
_ERROR, _USAGE, _TYPE = b'"error"', b'"usage"', b'"type"'
_EVENTS_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")
_NULL_USAGE = b',"usage":null'
_NULL_USAGE_END = _NULL_USAGE + b"}\n\n"
# The same from servers that write JSON otherwise. Within a JSON string its quotes would be escaped.
_ANY_NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,\s*')
# Kept raw until counted or forgotten: bounds the memory of a long stream.
FOLD_BYTES = 256 * 1024
LEASE_FOLD_BYTES = 32 * 1024
# Where no maximum is known a lease grows step by step. Between two counts comes less than the margin: a fold and a
# slice, at 100 bytes a token and more.
GROWING_FOLD_BYTES = 16 * 1024
GROWING_SLICE_BYTES = 16 * 1024
LEASE_STEP_TOKENS = 1024
LEASE_MARGIN_TOKENS = 320
# Some providers send events about the request before the first one of the answer.
PREAMBLE_PIECES = 4


def _reader(answer: Answer, packed: bool, decoder: StreamDecoder | None) -> Callable[[], Awaitable[bytes]]:
    """What gives the next piece, b"" at the end."""
    if packed:
        pieces = unpacked(answer.chunks())
        return lambda: anext(pieces, b"")
    return _decoded(answer.reader(), decoder) if decoder is not None else answer.reader()


def _changed(headers: list[Header], packed: bool, decoder: StreamDecoder | None) -> list[Header]:
    """The headers of an answer that does not go out as it comes."""
    if decoder is not None:
        return [_EVENTS_TYPE if header[0] == b"content-type" else header for header in headers]
    return [header for header in headers if not packed or header[0] != b"content-encoding"]


def _decoded(read: Callable[[], Awaitable[bytes]], decoder: StreamDecoder) -> Callable[[], Awaitable[bytes]]:
    """The same as server-sent events, for a provider that frames its stream in another way."""

    async def next_events() -> bytes:
        while chunk := await read():
            try:
                events = decoder.feed(chunk)
            except ValueError as error:
                raise UpstreamBroken("the stream's framing is broken") from error
            if events:
                return events
        if decoder.pending:
            raise UpstreamBroken("the stream ended within a frame")
        return b""

    return next_events


def _in_slices(read: Callable[[], Awaitable[bytes]]) -> Callable[[], Awaitable[bytes]]:
    """The same in small pieces: a provider that is fast hands over hundreds of events at once."""
    rest = b""

    async def next_slice() -> bytes:
        nonlocal rest
        rest = rest or await read()
        piece, rest = rest[:GROWING_SLICE_BYTES], rest[GROWING_SLICE_BYTES:]
        return piece

    return next_slice


def without_null_usage(data: bytes) -> bytes:
    """The events without the members that say there is no usage yet, which only the gateway asked for."""
    if data.rfind(_USAGE) < 0:
        return data
    return data.replace(_NULL_USAGE, b"") if _NULL_USAGE in data else _ANY_NULL_USAGE.sub(b"", data)


def _let_go(_: bytes) -> None:
    """What costs nothing is not counted."""


def _has_maximum(body: Body, plan: Plan) -> bool:
    return body.facts.max_output_tokens is not None or (plan.price is not None and bool(plan.price.max_output_tokens))


class StreamRelay:
    """One stream. What the client sees is what came, less the usage the gateway itself asked for."""

    def __init__(self, visit: Visit, reply: Reply, parts: RelayParts) -> None:
        if visit.call is None or visit.plan is None or visit.body is None:
            raise ValueError("a stream is relayed after it was planned")
        self._visit = visit
        self._call = visit.call
        self._plan = visit.plan
        self._body = visit.body
        self._meter = visit.meter
        self._reply = reply
        self._settler = parts.settler
        self._ledger = parts.ledger
        self._logged_bytes = parts.logged_bytes
        self._dialect = self._call.adapter.stream(self._call.operation)
        self._forced = self._plan.usage_forced
        self._metered = self._call.operation.metering != "free"
        self._reserved_tokens = self._plan.reserved_output_tokens
        leased = visit.key.has_cost_limit and self._reserved_tokens > 0
        # A provider keeps to a maximum that is known, and all of it is reserved.
        self._grows = leased and not _has_maximum(visit.body, visit.plan)
        self._fold_at = GROWING_FOLD_BYTES if self._grows else LEASE_FOLD_BYTES if leased else FOLD_BYTES
        self._typed = bool(self._dialect.last_types)
        self._last_type = sse.of_type(self._dialect.last_types)
        self._first: Mapping[str, Any] = {}
        self._recent: list[bytes] = []
        self._ended = False
        self._answer: Answer | None = None
        self._sent_end = False

    async def run(self, answer: Answer, *, packed: bool = False, decoder: StreamDecoder | None = None) -> None:
        """Relay to the end. packed: it comes compressed, and goes out plain, since events have to be read.

        decoder: it comes in a framing of the provider's own, and goes out as server-sent events.
        """
        passed_on = answer.head.to_client
        await self._reply.start(answer.status, _changed(passed_on, packed, decoder) if packed or decoder else passed_on)
        if not packed:
            self._answer = answer
        splitter = sse.Splitter()
        try:
            read = _reader(answer, packed, decoder)
            passing = self._pass_all(_in_slices(read) if self._grows else read, splitter)
            # A task of its own: every chunk would be handed through all the layers that wait for this one.
            if await asyncio.ensure_future(passing):
                await self._cut(answer)
                return
        except BROKEN:
            await self._fail()
            return
        except asyncio.CancelledError:
            if not self._visit.watch.timed_out():
                raise
            answer.close()
            await self._fail()
            return
        if rest := splitter.rest():
            await self._pass_rest(rest)
        await self._finish()

    async def _pass_all(self, read: Callable[[], Awaitable[bytes]], splitter: sse.Splitter) -> bool:
        """Pass everything on as it comes; true when the stream has to be cut.

        The loop the gateway spends its streams in: no generators, no layers, plain searches. (`rfind` costs half
        of `find`, a fourth of `in`, which raises and catches an exception inside.)
        """
        meter, send, feed, forced = self._meter, self._reply.send, splitter.feed, self._forced
        keep, size, fold_at = self._keeper(), 0, self._fold_at
        while chunk := await read():
            data = feed(chunk)
            if not data:
                continue
            if meter.first_chunk is None:
                meter.first_chunk = clock.perf()
            keep(data)
            size += len(data)
            if forced and data.endswith(_NULL_USAGE_END) and data.find(b"\n", 0, -2) < 0:
                # What nearly every piece is: one event that tells no usage.
                data = data[: -len(_NULL_USAGE_END)] + b"}\n\n"
                special = data.rfind(_ERROR) >= 0
            else:
                data = without_null_usage(data) if forced else data
                special = self._is_special(data)
            message = {"type": "http.response.body", "body": data, "more_body": True}
            await (self._pass_special(data) if special else send(message))
            if size > fold_at:
                if await self._must_cut():
                    return True
                size, keep = 0, self._keeper()
        return False

    def _is_special(self, data: bytes) -> bool:
        """Whether there may be usage, an error or the end in it."""
        return (
            data.rfind(_DONE) >= 0
            or data.rfind(_ERROR) >= 0
            or (data.rfind(_USAGE) >= 0 and _USAGE_OBJECT.search(data) is not None)
            or (self._typed and data.rfind(_TYPE) >= 0 and self._last_type.search(data) is not None)
        )

    def _keeper(self) -> Callable[[bytes], None]:
        """Keeps what settling needs of the data; a new one is needed when what was kept has been counted."""
        if self._meter.response_body is not None:
            return self._log_and_keep
        return self._meter.generated.append if self._metered else _let_go

    def _log_and_keep(self, data: bytes) -> None:
        self._log(data)
        if self._metered:
            self._meter.generated.append(data)

    async def _pass_rest(self, data: bytes) -> None:
        """What came after the last whole event: held back when it is torn and an error has to follow."""
        self._keeper()(data)
        content = sse.data_of(data)
        whole = content == self._dialect.done or sse.payload_of(content) is not None
        must_end = self._dialect.always_ends and self._meter.status < 300 and not self._ended
        if must_end and not whole:
            return
        await self._pass_events(without_null_usage(data) if self._forced else data)
        if must_end and not self._ended:
            await self._reply.chunk(b"\n\n")

    def _log(self, data: bytes) -> None:
        stored = self._meter.response_body
        if stored is not None and len(stored) < self._logged_bytes:
            stored += data[: self._logged_bytes - len(stored)]

    async def _pass_special(self, data: bytes) -> None:
        """What has to be looked at: the two pieces every stream has the quick way, everything else event by event."""
        if data == _DONE_EVENT and self._dialect.done == _DONE and not self._ended:
            await self._close_books()
            await self._pass_last(data)
        elif not (self._forced and self._is_plain_usage(data)):
            await self._pass_events(data)

    async def _pass_events(self, data: bytes) -> None:
        """Event by event: take usage, drop the one nobody asked for, close the books before the terminal one."""
        passed: list[bytes] = []
        for event in sse.events(data):
            content = sse.data_of(event)
            payload = sse.payload_of(content)
            if payload is not None:
                self._note_error(payload)
                if self._is_dropped(payload):
                    continue
            if not self._ended and self._is_last(content, payload):
                if passed:
                    await self._reply.chunk(b"".join(passed))
                    passed = []
                await self._close_books()
            passed.append(event)
        if passed:
            await self._reply.chunk(b"".join(passed))

    async def _pass_last(self, data: bytes) -> None:
        """The terminal event; with the end of the answer in one piece when the provider has ended its own."""
        if self._answer is not None and self._answer.finished:
            self._sent_end = True
            await self._reply.end(data)
        else:
            await self._reply.chunk(data)

    def _is_plain_usage(self, data: bytes) -> bool:
        """Takes the usage of the chunk that only the gateway asked for, when it is just that: the usual case."""
        if not (data.startswith(_DATA) and data.find(b"\n\n") == len(data) - 2):
            return False
        if b'"choices":[]' not in data or b'"error"' in data:
            return False
        reading = self._call.adapter.read_answer(self._call.operation, data[len(_DATA) : -2])
        if reading is None:
            return False
        self._meter.usage, self._meter.usage_source = reading.usage, "upstream"
        self._meter.response_model = reading.model or self._meter.response_model
        return True

    def _is_last(self, content: bytes, payload: Mapping[str, Any] | None) -> bool:
        """Only what an event is counts: its text may say anything, and clients can make a model say it."""
        if payload is None:
            return content == self._dialect.done
        return isinstance(kind := payload.get("type"), str) and kind in self._dialect.last_types

    def _is_dropped(self, payload: Mapping[str, Any]) -> bool:
        """Takes the event's usage; true for the usage chunk that only the gateway asked for."""
        meter = self._meter
        if self._call.operation.tells_late:
            meter.late = self._call.adapter.late_usage(payload) or meter.late
            return False
        reading = self._call.adapter.read_event(self._call.operation, payload, meter.usage or meter.begun)
        if reading.model:
            meter.response_model = reading.model
        if reading.usage is None:
            return False
        if not reading.final:
            meter.begun = reading.usage
            return False
        meter.usage, meter.usage_source = reading.usage, "upstream"
        return self._forced and not payload.get("choices")

    def _note_error(self, payload: Mapping[str, Any]) -> None:
        error = self._call.adapter.error_in(self._call.operation, payload)
        if error is not None:
            self._meter.error_code = error
            if self._meter.status < 300:  # else the answer is nothing but an error, which nobody bills
                self._meter.ending = "upstream_failed"

    async def _close_books(self) -> None:
        self._ended = True
        self._meter.upstream_ended = clock.perf()
        if self._meter.usage is not None and self._meter.response_model:
            self._meter.generated.clear()  # told: neither text nor envelope is needed any more
        self._note_first(self._meter.generated)
        await self._settler.close(self._visit)
        self._visit.watch.disarm()

    async def _finish(self) -> None:
        """The stream ran to its end: a complete one has shown its terminal event, one cut short has not."""
        if not self._ended:
            told = self._meter.ending == "upstream_failed"
            if self._dialect.always_ends and self._meter.status < 300 and not told:
                await self._fail()
                return
            await self._close_books()
        if not self._sent_end:
            await self._reply.end()

    async def _fail(self) -> None:
        """The provider broke off: tell the client inside the stream, charge what came."""
        meter = self._meter
        if self._ended:
            await self._settler.close(self._visit)  # nothing to do, but for a time-out that came while it was counted
            await self._reply.end()
            return
        meter.ending, meter.error_code = "upstream_failed", "upstream_stream_broken"
        error = {
            "message": "The provider broke off its answer.",
            "type": "server_error",
            "param": None,
            "code": "gateway_upstream_stream_broken",
        }
        await self._close_books()
        await self._reply.end(self._call.adapter.error_event(self._call.operation, error))

    async def _must_cut(self) -> bool:
        """Count what was generated so far; true when the lease is used up and cannot grow."""
        meter = self._meter
        chunks, meter.generated = meter.generated, []
        self._recent = chunks
        self._note_first(chunks)
        model = meter.response_model or self._body.facts.model
        meter.counted_output_tokens += await count_generated(self._call.adapter, self._call.operation, chunks, model)
        reservation, price = self._visit.reservation, self._plan.price
        if reservation is None or price is None or not self._visit.key.has_cost_limit:
            return False
        margin = LEASE_MARGIN_TOKENS if self._grows else 0
        while self._reserved_tokens and meter.counted_output_tokens > self._reserved_tokens - margin:
            step = upper_bound_nano(price, input_tokens=0, output_tokens=LEASE_STEP_TOKENS)
            if not await self._ledger.extend(reservation, step):
                return True
            self._reserved_tokens += LEASE_STEP_TOKENS
        return False

    async def _cut(self, answer: Answer) -> None:
        """End the stream as the provider would at its length limit."""
        answer.close()
        meter = self._meter
        meter.ending, meter.error_code = "cut", "cost_limit_reached"
        usage = TokenUsage(output_tokens=meter.counted_output_tokens)
        await self._close_books()
        context = CutContext(
            envelope=self._first,
            usage=meter.usage or usage,
            usage_asked=self._body.facts.usage_asked,
            recent=sse.payloads(b"".join(self._recent)),
        )
        await self._reply.end(self._call.adapter.cut_events(self._call.operation, context))

    def _note_first(self, chunks: list[bytes]) -> None:
        """The first event that names the model that answered, else the first of all: it has the stream's envelope."""
        if self._first or not chunks:
            return
        for event in sse.events(b"".join(chunks[:PREAMBLE_PIECES])):
            payload = sse.payload_of(sse.data_of(event))
            if payload is None:
                continue
            self._first = self._first or payload
            told = self._call.adapter.read_usage(self._call.operation, payload).model
            if told:
                self._first = payload
                self._meter.response_model = self._meter.response_model or told
                return
