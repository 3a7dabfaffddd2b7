"""What an adapter is: operations it knows, requests it builds, usage and text it reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from providers.adapters import members
from providers.adapters.aws_events import Frame
from providers.records import ProviderRecord, TokenUsage

# free: costs nothing. estimated: an upper bound can be told before the call. unmetered: no bound can be told.
Metering = Literal["free", "estimated", "unmetered"]
# strict_json: an object in which no member occurs twice, on whatever level. none: a body is refused.
BodyKind = Literal["json", "strict_json", "multipart", "any", "none"]
# How the gateway's own errors look to the clients of a provider.
ErrorDialect = Literal["openai", "anthropic", "bedrock"]


class Operation(msgspec.Struct, frozen=True):
    """What a method and path mean at a provider. name: OpenTelemetry's gen_ai.operation.name where it has one.

    bodiless_method: the method such a request is sent with when it has no body; "": its own.
    tells_late: an answer tells usage of work that goes on between calls, again whenever one looks at it.
    """

    name: str
    metering: Metering
    body: BodyKind = "any"
    model_in_path: str = ""
    bodiless_method: str = ""
    tells_late: bool = False


class BodyFacts(msgspec.Struct, frozen=True):
    """The members of a request body the gateway reads. None: not there.

    choices: answers asked for (n, best_of). open_input: input whose size the body does not tell (stored
    conversations, remote or attached media, hosted tools): bounded by the model's maximum only.
    max_output_tokens: for all choices together is choices times this. characters: of a text to be spoken.
    deferred: the answer comes later, to another call, which does not tell what it costs.
    hidden_input_tokens: at most so many that the provider adds to the body's own (for tools, images).
    other_models: further models that may serve a part of the request, for which no price is looked up.
    prompt: the text to count as input where only the adapter can find it.
    """

    model: str = ""
    stream: bool = False
    user: str = ""
    choices: int = 1
    max_output_tokens: int | None = None
    usage_asked: bool = False
    has_stream_options: bool = False
    open_input: bool = False
    characters: int = 0
    images: int = 0
    size: str = ""
    quality: str = ""
    service_tier: str = ""
    deferred: bool = False
    hidden_input_tokens: int = 0
    other_models: tuple[str, ...] = ()
    prompt: str | None = None


class UpstreamRequest(NamedTuple):
    """A request ready to be sent. headers: names in lower case."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class StreamDialect:
    """How a streaming answer ends.

    done: the data of the event that ends it, where there is one. last_types: the `type` of events that end it.
    always_ends: without such an event an answer was cut short. forces_usage: usage in the stream
    has to be asked for with stream_options.include_usage. read_frame: what a frame says (None: nothing), for a stream
    that comes and goes in Amazon's framing; last_members: of what its frames say, those that only the last one has.
    most_empty_events: so many events without text in a row end a stream whose events are watched; 0: never.
    """

    done: bytes = b"[DONE]"
    last_types: frozenset[str] = frozenset()
    always_ends: bool = False
    forces_usage: bool = False
    read_frame: Callable[[Frame], Mapping[str, Any] | None] | None = None
    last_members: frozenset[str] = frozenset()
    most_empty_events: int = 0


class UsageReading(NamedTuple):
    """Usage read from an answer or one of its events, and the model that answered ("" if it does not say).

    final: there is nothing more to come but what is told anew as a whole.
    """

    usage: TokenUsage | None
    model: str = ""
    final: bool = True


class LateUsage(NamedTuple):
    """Usage of work that has ended. name: the provider's id of it; ended_at: unix seconds."""

    name: str
    ended_at: int
    usage: TokenUsage
    model: str


class ErrorAnswer(NamedTuple):
    """A whole answer that tells an error. headers: as the client sees them, names in lower case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


@dataclass(frozen=True, slots=True)
class CutContext:
    """What is needed to end a stream in the protocol's own way: the first event's envelope and the usage so far.

    recent: the last events the client got, oldest first; enough of them to know what has begun and has no end yet.
    """

    envelope: Mapping[str, Any] = field(default_factory=dict)
    usage: TokenUsage = field(default_factory=TokenUsage)
    usage_asked: bool = False
    recent: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """Where a step of a route sends an operation: path after `path_prefix` and query, as a client would send them."""

    tail: str
    query: str = ""


class StreamDecoder(Protocol):
    """Turns a provider's own framing into server-sent events, in pieces of any size. Holds what is incomplete."""

    @property
    def pending(self) -> bool:
        """True when something has begun that did not end."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """The events that are complete now, b"" for none. Raises ValueError when the framing is broken."""
        ...


class Adapter(Protocol):
    """One provider. All methods are pure but `prepare`, which may read a clock."""

    provider: str
    path_prefix: str
    error_dialect: ErrorDialect
    prepares: bool
    # Prices follow the model an answer names, since what clients name may be called anything.
    answers_name_model: bool
    # Members of bodies it reads at the top level: none of them may be there twice.
    read_members: tuple[str, ...]
    # Streams are looked at event by event, since nothing but the adapter's own words is known of them.
    watches_events: bool

    def prepare(self, setting: ProviderRecord, operation: Operation, request: UpstreamRequest) -> UpstreamRequest:
        """Last changes to a request: what the provider wants elsewhere, a signature. Called only if `prepares`."""
        ...

    def decoder(self, operation: Operation) -> StreamDecoder | None:
        """For a stream that does not come as server-sent events but goes out as such; None: it comes as it goes."""
        ...

    def route_target(self, operation: str, model: str, params: Mapping[str, str]) -> RouteTarget | None:
        """Where a step sends "chat", "embeddings", "text_completion" or "responses"; None: it does not speak it."""
        ...

    def operation(self, method: str, tail: str) -> Operation:
        """What the method and the path after `path_prefix` mean."""
        ...

    def read_body(self, operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
        """Facts of a JSON document or of a multipart form's plain fields. Raises ValueError naming a bad member."""
        ...

    def model_at(self, setting: ProviderRecord, model: str) -> str:
        """The model that a client's name for it means at a setting."""
        ...

    def url(self, setting: ProviderRecord, tail: str, query: str) -> str:
        """Where the request goes: the tail and the query as the client sent them."""
        ...

    def credentials(self, setting: ProviderRecord) -> tuple[tuple[str, str], ...]:
        """Headers that authenticate the gateway to the provider."""
        ...

    def stream(self, operation: Operation) -> StreamDialect: ...

    def read_answer(self, operation: Operation, content: bytes) -> UsageReading | None:
        """Usage from a whole answer's bytes, the quick way; None: parse it and ask read_usage."""
        ...

    def read_usage(self, operation: Operation, payload: Mapping[str, Any]) -> UsageReading:
        """Usage from a whole answer or from one stream event."""
        ...

    def read_event(self, operation: Operation, payload: Mapping[str, Any], before: TokenUsage | None) -> UsageReading:
        """Usage from one stream event, where events tell it bit by bit. before: what the ones before it told."""
        ...

    def late_usage(self, payload: Mapping[str, Any]) -> LateUsage | None:
        """What an answer or event of an operation that `tells_late` says of work that has ended."""
        ...

    def head_usage(self, headers: Sequence[tuple[bytes, bytes]]) -> TokenUsage | None:
        """Usage from the headers of an answer whose body tells none."""
        ...

    def led_back(self, operation: Operation, content: bytes) -> bytes:
        """A whole answer that tells no usage; addresses it says to call next lead to the gateway."""
        ...

    def error_answer(self, answer: ErrorAnswer) -> ErrorAnswer:
        """An upstream's error as the clients of this path expect it."""
        ...

    def text_of(self, operation: Operation, payload: Mapping[str, Any], *, streamed: bool) -> str:
        """Generated text of an answer or of one stream event, tool calls included, for counting."""
        ...

    def cut_events(self, operation: Operation, context: CutContext) -> bytes:
        """The events that end a running stream early, as the provider itself would at its length limit."""
        ...

    def error_in(self, operation: Operation, payload: Mapping[str, Any]) -> str | None:
        """The code of the error that a stream event tells; None when it tells none."""
        ...

    def error_event(self, operation: Operation, error: Mapping[str, Any]) -> bytes:
        """An error inside a running stream, in the provider's dialect."""
        ...


class PlainTransport:
    """What most adapters have in common: requests go out as they are; streams are server-sent events."""

    error_dialect: ErrorDialect = "openai"
    prepares = False
    answers_name_model = False
    read_members: tuple[str, ...] = members.OPENAI
    watches_events = False

    def url(self, setting: ProviderRecord, tail: str, query: str) -> str:
        return f"{setting.base_url}{tail}?{query}" if query else setting.base_url + tail

    def prepare(self, setting: ProviderRecord, operation: Operation, request: UpstreamRequest) -> UpstreamRequest:
        del setting, operation
        return request

    def model_at(self, setting: ProviderRecord, model: str) -> str:
        del setting
        return model

    def led_back(self, operation: Operation, content: bytes) -> bytes:
        del operation
        return content

    def read_event(
        self: "Adapter", operation: Operation, payload: Mapping[str, Any], before: TokenUsage | None
    ) -> UsageReading:
        del before
        return self.read_usage(operation, payload)

    def decoder(self, operation: Operation) -> StreamDecoder | None:
        del operation
        return None

    def late_usage(self, payload: Mapping[str, Any]) -> LateUsage | None:
        del payload
        return None

    def head_usage(self, headers: Sequence[tuple[bytes, bytes]]) -> TokenUsage | None:
        del headers
        return None

    def error_answer(self, answer: ErrorAnswer) -> ErrorAnswer:
        return answer

    def route_target(self, operation: str, model: str, params: Mapping[str, str]) -> RouteTarget | None:
        del operation, model, params
        return None
