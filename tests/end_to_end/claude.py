"""A proxy that serves Anthropic, and its official SDK in front of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anthropic import Anthropic

from providers.records import ProviderRecord
from tests.provider_settings import setting_at
from tests.providers.price_records import bundled_prices
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, proxy_in_thread

OPUS = "claude-opus-4-8"
HAIKU = "claude-haiku-4-5"
HI: Any = [{"role": "user", "content": "hi"}]
ASKED: Any = {"model": OPUS, "max_tokens": 64, "messages": HI}
TEXT = "The quick brown fox jumps over the lazy dog and then it rests under a tall"
WEATHER: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
PREFIX = "/api/providers/anthropic"

# Written down by hand from Anthropic's price page, in nano-dollars a token.
OPUS_INPUT, OPUS_OUTPUT = 5_000, 25_000
OPUS_CACHE_READ, OPUS_CACHE_WRITE, OPUS_CACHE_WRITE_1H = 500, 6_250, 10_000
# What the fake upstream counts for HI and TEXT.
INPUT_TOKENS, OUTPUT_TOKENS = 8, 16


def setting(url: str, **changes: object) -> ProviderRecord:
    return setting_at(url, "anthropic", **{"id": "setting-1", **changes})


@contextmanager
def claude_gateway(url: str, **config: Any) -> Iterator[RunningProxy]:
    """A proxy with the bundled prices, also for models with no price of their own maximum."""
    settings = {"setting-1": setting(url), "narrow": setting(url, id="narrow", allowed_models=frozenset({HAIKU}))}
    with proxy_in_thread(PlainDoors(settings=settings, prices=dict(bundled_prices())), **config) as gateway:
        yield gateway


def sdk(caller: Caller, **options: Any) -> Anthropic:
    """The official SDK, with only its base URL and its key changed; it tries each call once unless told otherwise."""
    values = {"api_key": caller.secret, "base_url": caller.gateway.url + PREFIX, "max_retries": 0, **options}
    return caller.gateway.clients.enter_context(Anthropic(**values))


def fault(name: str, **headers: str) -> dict[str, str]:
    return {"x-fake-fault": name, **headers}
