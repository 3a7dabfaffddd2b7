"""Pass the answer on; read usage on the way. The end is sent only after the event is in the spool."""

import re
from typing import Any

import orjson

from gateway_project.shared import clock
from providers.adapters import aws_events
from providers.adapters.base import ErrorAnswer
from providers.costs import image_kind
from providers.records import TokenUsage
from proxy.aws_stream import FrameRelay
from proxy.event_relay import EventRelay
from proxy.flow import Answer
from proxy.relay_stream import StreamRelay
from proxy.relaying import RelayParts
from proxy.reply import Reply
from proxy.unpacking import UNPACKED, unpack
from proxy.visit import Visit

# Larger answers are relayed as they come; of those only the tail is kept to read usage from.
WHOLE_BYTES = 4 * 1024 * 1024
TAIL_BYTES = 64 * 1024
_USAGE = b'"usage"'
_USAGE_BEGUN = re.compile(rb'"usage"\s*:\s*\{')
_MOST_USAGE_BYTES = 4096


async def relay(visit: Visit, answer: Answer, reply: Reply, parts: RelayParts) -> None:
    """Relay one answer and close the visit's books."""
    if visit.key.should_log_response:
        visit.meter.response_body = bytearray()
    if (
        visit.call is not None
        and visit.call.adapter.watches_events
        and await _relay_events(visit, answer, reply, parts)
    ):
        return
    length = answer.head.length
    packed = answer.head.encoding in UNPACKED
    if answer.head.content_type.startswith(b"text/event-stream") and (packed or not answer.head.encoding):
        await StreamRelay(visit, reply, parts).run(answer, packed=packed)
        return
    if answer.head.content_type.startswith(aws_events.CONTENT_TYPE) and await _relay_frames(
        visit, answer, reply, parts
    ):
        return
    if length is not None and length <= WHOLE_BYTES:
        await _relay_whole(visit, await answer.read(), answer, reply, parts)
        return
    buffered = bytearray()
    async for chunk in answer.chunks():
        buffered += chunk
        if len(buffered) > WHOLE_BYTES:
            await _relay_long(visit, bytes(buffered), answer, reply, parts)
            return
    await _relay_whole(visit, bytes(buffered), answer, reply, parts)


async def _relay_events(visit: Visit, answer: Answer, reply: Reply, parts: RelayParts) -> bool:
    """Relay a stream event by event; false when the answer is none.

    Whoever asked for a stream gets text that is no single document line by line, as it comes.
    """
    kind, encoding = answer.head.content_type, answer.head.encoding
    packed = encoding in UNPACKED
    if encoding and not packed:
        return False
    is_events = kind.startswith(b"text/event-stream")
    asked = visit.body is not None and visit.body.facts.stream and answer.status < 300
    if not is_events and not (asked and _is_lines(kind.partition(b";")[0].strip().lower())):
        return False
    await EventRelay(visit, reply, parts, lines=not is_events).run(answer, packed=packed)
    return True


def _is_lines(media_type: bytes) -> bool:
    """Whether it may be documents line by line: x-ndjson, jsonl, stream+json and the like, or plain text."""
    return media_type != b"application/json" and (b"json" in media_type or media_type.startswith(b"text/"))


async def _relay_frames(visit: Visit, answer: Answer, reply: Reply, parts: RelayParts) -> bool:
    """Relay Amazon's event stream, to clients of it as it is; false when its provider is not known to send any."""
    if visit.call is None or answer.head.encoding:
        return False
    adapter, operation = visit.call.adapter, visit.call.operation
    decoder = adapter.decoder(operation)
    if decoder is not None:
        await StreamRelay(visit, reply, parts).run(answer, decoder=decoder)
        return True
    if adapter.stream(operation).read_frame is not None:
        await FrameRelay(visit, reply, parts).run(answer)
        return True
    return False


async def _relay_whole(visit: Visit, content: bytes, answer: Answer, reply: Reply, parts: RelayParts) -> None:
    readable = _readable(content, answer)
    read_usage(visit, readable)
    if visit.meter.usage is None:
        _read_head(visit, answer)
        if visit.call is not None and not answer.head.encoding:
            content = visit.call.adapter.led_back(visit.call.operation, content)
    if visit.meter.response_body is not None:
        visit.meter.response_body += (readable or b"")[: parts.logged_bytes]
    status, headers = answer.status, answer.head.to_client
    if status >= 400 and visit.call is not None and not answer.head.encoding:
        status, headers, content = visit.call.adapter.error_answer(ErrorAnswer(status, headers, content))
        visit.meter.status = status
    visit.meter.upstream_ended = clock.perf()
    await parts.settler.close(visit)
    visit.watch.disarm()
    if content or answer.head.length is None:
        await reply.whole(status, headers, content)
    else:
        # To HEAD, and with 304: the length of what is not sent.
        await reply.start(status, [*headers, *_sized(answer)])
        await reply.end()


def _read_head(visit: Visit, answer: Answer) -> None:
    """Take usage from the headers, where the body told none."""
    if visit.call is None or not 200 <= answer.status < 300:
        return
    usage = visit.call.adapter.head_usage(answer.head.to_client)
    if usage is not None:
        visit.meter.usage, visit.meter.usage_source = usage, "upstream"
        visit.meter.generated.clear()


async def _relay_long(visit: Visit, first: bytes, answer: Answer, reply: Reply, parts: RelayParts) -> None:
    """Relay as it comes, one chunk behind: the last one waits for the books."""
    await reply.start(answer.status, [*answer.head.to_client, *_sized(answer)])
    if visit.meter.response_body is not None:
        visit.meter.response_body += first[: parts.logged_bytes]
    usage = _usage_within(first)
    held, tail = first, first[-TAIL_BYTES:]
    del first
    async for chunk in answer.chunks():
        await reply.chunk(held)
        held = chunk
        tail = (tail + chunk.rstrip())[-TAIL_BYTES:]
    _read_long(visit, _usage_within(tail) or usage)
    visit.meter.upstream_ended = clock.perf()
    await parts.settler.close(visit)
    visit.watch.disarm()
    await reply.end(held)


def _sized(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", b"%d" % answer.head.length)] if answer.head.length is not None else []


def read_usage(visit: Visit, content: bytes | None) -> None:
    """Take usage and the model that answered from an answer. None: it cannot be unpacked."""
    call, meter = visit.call, visit.meter
    if call is None or not 200 <= meter.status < 300:
        return
    if call.operation.tells_late:
        meter.late = call.adapter.late_usage((_object(content) if content else None) or {})
        return
    if call.operation.metering == "free":
        return
    if content is None:
        meter.uncountable = True
        return
    reading = call.adapter.read_answer(call.operation, content)
    if reading is not None:
        meter.usage, meter.usage_source, meter.response_model = reading.usage, "upstream", reading.model
        return
    payload = _object(content)
    if payload is None:
        # Whatever this is, it was generated; there may be more to it than what can be read.
        _count_text(visit, content.decode("utf-8", "replace"))
        return
    _take(visit, payload)
    if meter.usage is None:
        _count(visit, payload)


def _read_long(visit: Visit, payload: dict[str, Any] | None) -> None:
    if visit.call is None or visit.call.operation.metering == "free" or not 200 <= visit.meter.status < 300:
        return
    if payload is not None:
        _take(visit, payload)
    visit.meter.uncountable = visit.meter.usage is None


def _take(visit: Visit, payload: dict[str, Any]) -> None:
    call, meter = visit.call, visit.meter
    if call is not None:
        reading = call.adapter.read_usage(call.operation, payload)
        meter.response_model = reading.model or meter.response_model
        if reading.usage is not None:
            meter.usage, meter.usage_source = reading.usage, "upstream"


def _count(visit: Visit, payload: dict[str, Any]) -> None:
    call = visit.call
    if call is None:
        return
    if call.operation.name == "image_generation":
        _count_images(visit, payload)
    else:
        _count_text(visit, call.adapter.text_of(call.operation, payload, streamed=False))


def _count_text(visit: Visit, text: str) -> None:
    """To be counted by settle, for the operations whose tokens are."""
    visit.meter.answered += text


def _count_images(visit: Visit, payload: dict[str, Any]) -> None:
    data = payload.get("data")
    if isinstance(data, list) and visit.body is not None:
        facts = visit.body.facts
        # A deployment may be called anything; its price says which model it is.
        model = visit.plan.price.model if visit.plan and visit.plan.price else facts.model
        kind = image_kind(model, facts.quality, facts.size)
        visit.meter.usage = TokenUsage(images=len(data), image_kind=kind)
        visit.meter.usage_source = "counted"


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        payload = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return payload if isinstance(payload, dict) else None


def _usage_within(content: bytes) -> dict[str, Any] | None:
    """The last usage object in a part of a document. Within a JSON string its quotes would be escaped."""
    at = content.rfind(_USAGE)
    begun = _USAGE_BEGUN.match(content, at) if at >= 0 else None
    if begun is None:
        return None
    start, depth = begun.end() - 1, 0
    for end in range(start, min(len(content), start + _MOST_USAGE_BYTES)):
        depth += (content[end] == 0x7B) - (content[end] == 0x7D)
        if depth == 0:
            usage = _object(content[start : end + 1])
            return None if usage is None else {"usage": usage}
    return None


def _readable(content: bytes, answer: Answer) -> bytes | None:
    """Unpacked for reading only: the client gets the bytes as they came."""
    encoding = answer.head.encoding
    return unpack(content, encoding, WHOLE_BYTES) if encoding else content
