"""What the request path needs to know of providers: settings, prices, usage. Immutable, no Django."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec


@dataclass(frozen=True, slots=True)
class CostMap:
    """Prices of one setting by model, in pico-dollars per token. They come before the price table."""

    input_pico: Mapping[str, int] = field(default_factory=dict)
    output_pico: Mapping[str, int] = field(default_factory=dict)
    embeddings_pico: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """A provider setting. `secrets` are in clear and live in memory only; repr never shows them.

    base_url: resolved, without a trailing slash; what follows /v1 in the client's path is appended to it.
    base_urls: all of them where a setting has several, else empty.
    """

    id: str
    provider: str
    name: str = ""
    base_url: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict)
    allowed_models: frozenset[str] = frozenset()
    cost_map: CostMap | None = None
    stream_usage: str = "auto"
    priority: int = 0
    weight: int = 1
    base_urls: tuple[str, ...] = ()


class TokenUsage(msgspec.Struct, frozen=True):
    """Canonical usage. Every physical token is in exactly one of the priced members.

    input_tokens: uncached text and image input; cache_read_tokens, cache_write_tokens (5 minutes),
    cache_write_1h_tokens and audio_input_tokens are apart. output_tokens: text output with reasoning;
    reasoning_tokens is a part of it, told apart but not priced twice; audio_output_tokens is apart.
    image_kind: "quality/size" or "size" of all `images`; costs.image_kind fills in what a request left out.
    service_tier: what the upstream says it served ("priority", "flex", "batch"); others are priced as standard.
    """

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
    image_kind: str = ""
    service_tier: str = ""

    @property
    def prompt_tokens(self) -> int:
        """All input tokens, as the seed's prompt_token_count has them."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
            + self.cache_write_1h_tokens
            + self.audio_input_tokens
            + self.image_input_tokens
        )

    @property
    def completion_tokens(self) -> int:
        """All output tokens, as the seed's completion_token_count has them."""
        return self.output_tokens + self.audio_output_tokens + self.image_output_tokens


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """Prices of one model in pico-dollars per unit. None: no such price; what has no price is never free.

    Where a price of its own is None, cache and audio and image tokens are priced as plain input or output.
    image_prices: pico-dollars per image by "quality/size", "size" or "" (any).
    long_context_from: input tokens above which the long_* prices hold for the whole request.
    tiers: the whole record as it is for a service tier; each has no tiers itself.
    """

    provider: str
    model: str
    input_pico: int | None = None
    output_pico: int | None = None
    cache_read_pico: int | None = None
    cache_write_pico: int | None = None
    cache_write_1h_pico: int | None = None
    audio_input_pico: int | None = None
    audio_output_pico: int | None = None
    image_input_pico: int | None = None
    image_output_pico: int | None = None
    second_pico: int | None = None
    character_pico: int | None = None
    image_prices: Mapping[str, int] = field(default_factory=dict)
    long_context_from: int | None = None
    long_input_pico: int | None = None
    long_output_pico: int | None = None
    long_cache_read_pico: int | None = None
    long_cache_write_pico: int | None = None
    long_cache_write_1h_pico: int | None = None
    tiers: Mapping[str, "PriceRecord"] = field(default_factory=dict)
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class CustomRouteRecord:
    """One path of a custom provider. The `*_location` members are GJSON paths; "" means there is none.

    path: with a leading slash, matched exactly. methods: those the path may be called with.
    stream_max_empty_messages: so many events without text in a row end a stream; 0: never.
    """

    path: str
    target_url: str
    methods: frozenset[str] = frozenset({"POST"})
    model_location: str = ""
    request_prompt_location: str = ""
    max_tokens_location: str = ""
    response_completion_location: str = ""
    stream_location: str = ""
    stream_response_completion_location: str = ""
    stream_end_word: str = ""
    stream_max_empty_messages: int = 0


@dataclass(frozen=True, slots=True)
class CustomProviderRecord:
    """A provider an operator described. name: as it stands in paths and in settings' `provider`, in lower case.

    authentication_param: the member of a setting that is sent as bearer; "" sends none.
    """

    id: str
    name: str
    authentication_param: str = ""
    routes: Mapping[str, CustomRouteRecord] = field(default_factory=dict)
