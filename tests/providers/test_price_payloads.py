"""What real usage costs: through a running proxy with the bundled prices, against hand and an independent library."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import httpx
import pytest
from genai_prices import Usage, calc_price, extract_usage

from providers.catalog import CATALOG
from providers.records import CostMap
from reporting.records import UsageEventRecord
from tests.provider_settings import setting_at
from tests.providers.adapters.playback import Playback, playback
from tests.providers.price_payloads import OPENAI, Priced
from tests.providers.price_payloads_compatible import COMPATIBLE
from tests.providers.price_payloads_others import AZURE, BEDROCK, CLAUDE, SOUND
from tests.providers.price_records import bundled_prices
from tests.proxy_gateway import UNENCRYPTED, PlainDoors, RunningProxy, proxy_in_thread

TABLE = (*OPENAI, *SOUND, *CLAUDE, *AZURE, *BEDROCK, *COMPATIBLE)
# What they call those providers that they call otherwise; of those that are not here they know nothing.
THEIRS = {
    "openai": "openai", "anthropic": "anthropic", "azure": "azure", "bedrock": "aws", "mistral": "mistral",
    "groq": "groq", "together": "together", "xai": "x-ai", "perplexity": "perplexity", "gemini": "google",
    "cohere": "cohere",
}  # fmt: skip
FLAVORS = {"/chat/completions": "chat", "/responses": "responses", "/embeddings": "embeddings", "/messages": "messages"}
# How they call what reads an answer.
READERS = {
    ("openai", "chat"): "chat", ("openai", "responses"): "responses", ("openai", "embeddings"): "embeddings",
    ("azure", "chat"): "chat", ("azure", "embeddings"): "embeddings", ("anthropic", "messages"): "default",
    ("mistral", "chat"): "default", ("groq", "chat"): "default", ("perplexity", "chat"): "default",
    ("xai", "chat"): "chat", ("gemini", "chat"): "chat",
}  # fmt: skip
COST_MAP = CostMap(
    input_pico={"meta-llama/llama-3.1-8b-instruct": 1_000_000},
    output_pico={"meta-llama/llama-3.1-8b-instruct": 2_000_000},
)


Books = Callable[[Priced], UsageEventRecord]


def name_of(row: Priced) -> str:
    return f"{row.provider}: {row.name}"


rows = pytest.mark.parametrize("row", TABLE, ids=name_of)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Playback]:
    with playback() as playing:
        yield playing


@pytest.fixture(scope="module")
def gateway(upstream: Playback) -> Iterator[RunningProxy]:
    settings = [setting_at(upstream.url, name, cost_map=COST_MAP if name == "vllm" else None) for name in CATALOG]
    doors = PlainDoors(settings={setting.id: setting for setting in settings}, prices=dict(bundled_prices()))
    with proxy_in_thread(doors) as running:
        yield running


@pytest.fixture(scope="module")
def books(gateway: RunningProxy, upstream: Playback) -> Books:
    """The event of a row's request, which is made once."""
    known: dict[str, UsageEventRecord] = {}

    def event_of(row: Priced) -> UsageEventRecord:
        name = f"{name_of(row)} {row.path} {json.dumps(row.answer)}"
        if name not in known:
            known[name] = booked(row, gateway, upstream)
        return known[name]

    return event_of


def booked(row: Priced, gateway: RunningProxy, upstream: Playback) -> UsageEventRecord:
    """The event of the row's request."""
    caller = gateway.caller(setting_ids=(f"setting-{row.provider}",))
    if isinstance(row.answer, list):
        events = "".join(f"data: {json.dumps(event)}\n\n" for event in row.answer)
        upstream.play(f"{events}data: [DONE]\n\n".encode(), "text/event-stream", streamed=True)
    else:
        upstream.play(json.dumps(row.answer).encode() if row.answer else b"ID3\x00\xff")
    upstream.headers = {**upstream.headers, **row.headers}
    first = row.answer[0] if isinstance(row.answer, list) else row.answer
    model = first.get("model", "")
    request = {"model": model or "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}], "input": "hi"}
    request.update(row.request)
    sent: dict[str, Any] = {"json": request}
    if row.path.endswith("/transcriptions"):
        sent = {"data": row.request, "files": {"file": ("a.wav", b"RIFF")}}
    with httpx.Client(base_url=gateway.url, headers=caller.headers, timeout=10, verify=UNENCRYPTED) as client:
        answer = client.post(f"/api/providers/{row.provider}{row.path}", **sent)
    assert answer.status_code == 200, answer.text
    return caller.event()


def test_the_table_has_every_provider_and_sixty_rows() -> None:
    assert {row.provider for row in TABLE} == set(CATALOG)
    assert len(TABLE) >= 60


@rows
def test_it_costs_what_was_worked_out_by_hand(row: Priced, books: Books) -> None:
    event = books(row)
    if row.cost_nano is None:
        assert (event.cost_nano, event.price_status) == (0, "unpriced")
        assert event.input_tokens > 0
    else:
        assert event.cost_nano == row.cost_nano
        assert event.price_status == ("priced" if row.cost_nano else "free")


def their_nano(row: Priced, event: UsageEventRecord) -> Decimal | None:
    """What the independent library makes of the same answer, read by itself where it can; None: it has no price."""
    provider = THEIRS.get(row.provider)
    if provider is None or row.cost_nano == 0:
        return None
    usage, flavor = read_by_us(event), flavor_of(row)
    try:
        if flavor and isinstance(row.answer, dict):
            usage = extract_usage(row.answer, provider_id=provider, api_flavor=flavor).usage
        found = calc_price(
            usage, their_model(row, event), provider_id=provider, price_context=their_context(row.answer)
        )
    except LookupError:
        return None
    return Decimal(found.total_price) * 10**9


def flavor_of(row: Priced) -> str:
    """The name of the reader they have for such an answer; "" for none."""
    ends = next((flavor for end, flavor in FLAVORS.items() if row.path.partition("?")[0].endswith(end)), "")
    return READERS.get((row.provider, ends), "")


def their_model(row: Priced, event: UsageEventRecord) -> str:
    return event.request_model if row.provider == "bedrock" else event.response_model or event.request_model


def their_context(answer: Mapping[str, Any] | list[Mapping[str, Any]]) -> dict[str, str]:
    if isinstance(answer, list):
        return {}
    tier = answer.get("service_tier") or answer.get("usage", {}).get("service_tier")
    return {"service_tier": tier} if tier in ("flex", "priority", "batch") else {}


def read_by_us(event: UsageEventRecord) -> Usage:
    written = event.cache_write_tokens + event.cache_write_1h_tokens
    given = event.input_tokens + event.cache_read_tokens + written + event.audio_input_tokens + event.image_input_tokens
    told: dict[str, int | Decimal] = {
        "input_tokens": given,
        "cache_read_tokens": event.cache_read_tokens,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": event.cache_write_1h_tokens,
        "input_audio_tokens": event.audio_input_tokens,
        "input_image_tokens": event.image_input_tokens,
        "output_tokens": event.output_tokens + event.audio_output_tokens + event.image_output_tokens,
        "output_audio_tokens": event.audio_output_tokens,
        "output_image_tokens": event.image_output_tokens,
        "input_characters": event.characters,
        "input_audio_seconds": Decimal(str(event.seconds)),
        "audio_seconds": Decimal(str(event.seconds)),
    }
    return Usage(**{name: value for name, value in told.items() if value})


@rows
def test_an_independent_library_comes_to_the_same(row: Priced, books: Books) -> None:
    event = books(row)
    theirs = their_nano(row, event)
    if row.apart:
        assert theirs is not None
        assert abs(theirs - event.cost_nano) > 1, "they agree: the exception is no longer one"
    elif theirs is not None:
        assert row.cost_nano is not None, f"they have a price: {theirs}"
        assert abs(theirs - event.cost_nano) <= 1
