"""What the proxy hands over for each request of a known key: one record, one event."""

from typing import Literal

import msgspec

Ending = Literal["completed", "client_left", "upstream_failed", "cut", "refused"]


class Charge(msgspec.Struct, frozen=True, array_like=True):
    """One window an admitted request counts in. unit "total" has start_at 0 and epoch 0."""

    unit: str
    start_at: int
    epoch: int


class AttemptRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One time a route asked a provider. duration_ms: until it answered in full or failed.

    status: of the provider's answer, 0 without one; 499 when the client left first. error_code: "" for an answer that
    is HTTP, whatever its status. price_status: as the event's. estimated: the provider told no usage, so its charge
    was counted; input_tokens: what was counted for an attempt that came to nothing.
    """

    provider: str
    setting_id: str
    model: str
    status: int = 0
    error_code: str = ""
    duration_ms: int = 0
    cost_nano: int = 0
    price_status: str = "free"
    estimated: bool = False
    input_tokens: int = 0


class UsageEventRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finished request. Times in unix seconds, durations in milliseconds, money in nano-dollars.

    id is also the request id sent to the client and the reservation id in the counters.
    requests: 1 when admitted (it counts in the windows of `charges`), 0 when refused.
    usage_source: who said the tokens: "upstream", "counted" by us, "partly_counted" (a route's attempts differ), or
    "none". attempt_details: what a route tried, in order; None for everything else.
    price_status: "priced", "unpriced" (cost unknown, recorded as 0 but never meant as free) or "free".
    request_body, response_body: only when the key says so, cut at a bound, without secrets.
    """

    id: str
    created_at: int
    key_id: str
    method: str
    path: str
    status: int
    ending: Ending
    requests: int = 0
    charges: tuple[Charge, ...] = ()
    tags: tuple[str, ...] = ()
    operation: str = ""
    provider: str = ""
    setting_id: str = ""
    request_model: str = ""
    response_model: str = ""
    stream: bool = False
    error_code: str = ""
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    image_output_tokens: int = 0
    images: int = 0
    seconds: float = 0.0
    characters: int = 0
    usage_source: str = "none"
    cost_nano: int = 0
    price_status: str = "free"
    latency_ms: int = 0
    upstream_latency_ms: int | None = None
    time_to_first_chunk_ms: int | None = None
    attempts: int = 0
    attempt_details: tuple[AttemptRecord, ...] | None = None
    custom_id: str = ""
    user_id: str = ""
    metadata: str | None = None
    policy_id: str = ""
    route_id: str = ""
    action: str = ""
    upstream_request_id: str = ""
    request_body: str | None = None
    response_body: str | None = None
