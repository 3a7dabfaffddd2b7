"""What flows through the pipeline, in order of appearance. All frozen but Meter, which a relay fills."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from gateway_project.shared.counters import Limit
from providers.adapters.base import Adapter, BodyFacts, LateUsage, Operation, UpstreamRequest
from providers.records import PriceRecord, ProviderRecord, TokenUsage
from proxy.headers import AnswerHead
from reporting.records import AttemptRecord, Charge, Ending
from routes.records import RouteRecord


class IncomingRequest(msgspec.Struct, frozen=True):
    """A request as the client sent it, without its body.

    id: also the event's and the reservation's. path: encoded as sent. headers: names in lower case;
    read: those the gateway reads.
    started: time.perf_counter() at arrival; arrived_at: unix seconds.
    """

    id: str
    method: str
    path: str
    query: str
    headers: Sequence[tuple[bytes, bytes]]
    started: float
    arrived_at: int
    read: Mapping[bytes, bytes]

    def header(self, name: bytes) -> str:
        """The first value of a header the gateway reads (READ_HEADERS), or ""."""
        value = self.read.get(name)
        return value.decode("latin-1") if value else ""


READ_HEADERS = frozenset(
    {
        b"authorization", b"x-api-key", b"api-key", b"content-type", b"content-encoding", b"content-length",
        b"origin", b"access-control-request-method", b"access-control-request-headers",
        b"x-custom-event-id", b"x-metadata", b"x-request-timeout",
    }
)  # fmt: skip


_SAID_ONCE = (b"content-type", b"content-encoding")


def read_headers(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers the gateway reads, the first of each name."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in READ_HEADERS:
            if name not in found:
                found[name] = value
            elif name in _SAID_ONCE:
                found[name] += b"\n" + value  # the provider may read the other one; read_body refuses such values
    return found


class Call(msgspec.Struct, frozen=True):
    """What the client calls: an operation of a provider, or a route, which decides on the provider.

    tail: the path after the adapter's prefix, as sent. Of a route: adapter is OpenAI's, whose dialect routes speak.
    """

    adapter: Adapter
    operation: Operation
    tail: str
    route: RouteRecord | None = None


class Body(msgspec.Struct, frozen=True):
    """The client's body, its facts, and its JSON document if it is one."""

    content: bytes
    facts: BodyFacts
    document: Mapping[str, Any] | None = None


class Plan(msgspec.Struct, frozen=True):
    """The attempt to make and what it may cost. price: None when unpriced or free of charge.

    price_by_answer: finds the price of the model an answer names, where that one decides. connect_s: how long
    connecting may take, None for as long as always.
    """

    setting: ProviderRecord
    request: UpstreamRequest
    timeout_s: float
    price: PriceRecord | None
    estimate_nano: int
    reserved_output_tokens: int = 0
    usage_forced: bool = False
    price_by_answer: Callable[[str], PriceRecord | None] | None = None
    connect_s: float | None = None


class Reservation(msgspec.Struct, frozen=True):
    """What was taken from the counters for a request. limits is empty when the key has none."""

    id: str
    subject: str
    limits: tuple[Limit, ...]
    charges: tuple[Charge, ...]
    usage: tuple[tuple[int, int], ...] = ()


class Answer(Protocol):
    """An upstream's answer: the head is there, the body still comes."""

    status: int
    head: AnswerHead

    @property
    def finished(self) -> bool: ...

    async def read(self) -> bytes: ...

    def chunks(self) -> AsyncIterator[bytes]: ...

    def reader(self) -> Callable[[], Awaitable[bytes]]: ...

    def close(self) -> None: ...


class Meter(msgspec.Struct):
    """The one mutable thing: what a request has done so far, filled by forward and relay, read by settle.

    tried: a route's attempts that have ended; trying_since: when the running one began (clock.perf()). Everything
    else is of the running attempt only. begun: what a stream has told of its usage that still grows. generated: events
    of a stream, answered: text of a whole answer; their tokens are counted when nobody tells them. service_tier: the
    one that served, where only a header of the answer tells.
    """

    attempts: int = 0
    sent: bool = False
    status: int = 0
    ending: Ending = "completed"
    error_code: str = ""
    usage: TokenUsage | None = None
    begun: TokenUsage | None = None
    usage_source: str = "none"
    response_model: str = ""
    generated: list[bytes] = []
    answered: str = ""
    counted_output_tokens: int = 0
    uncountable: bool = False
    first_chunk: float | None = None
    upstream_started: float | None = None
    upstream_ended: float | None = None
    upstream_request_id: str = ""
    service_tier: str = ""
    response_body: bytearray | None = None
    tried: tuple[AttemptRecord, ...] = ()
    trying_since: float | None = None
    late: LateUsage | None = None
    recorded: bool = False
    closing: "asyncio.Task[None] | None" = None
