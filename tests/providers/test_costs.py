"""Costs against a table worked out by hand from the providers' public prices, and against an independent library."""

from dataclasses import replace
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers as their_providers
from hypothesis import given
from hypothesis import strategies as st

from providers.costs import cost_nano, find_price, image_kind, model_names, price_of, upper_bound_nano
from providers.records import CostMap, PriceRecord, ProviderRecord, TokenUsage
from tests.providers.price_records import bundled_prices

# (provider, model, usage, nano-dollars): each product was worked out by hand from USD per million tokens.
TABLE = [
    # gpt-4o: 2.50 in, 1.25 cached, 10.00 out
    ("openai", "gpt-4o", TokenUsage(input_tokens=1000, output_tokens=500), 7_500_000),
    ("openai", "gpt-4o", TokenUsage(input_tokens=600, cache_read_tokens=400, output_tokens=500), 7_000_000),
    ("openai", "gpt-4o", TokenUsage(input_tokens=1), 2_500),
    # reasoning is a part of the output: 1.10 in, 4.40 out
    ("openai", "o4-mini", TokenUsage(input_tokens=1000, output_tokens=800, reasoning_tokens=700), 4_620_000),
    # gpt-4o-2024-05-13: 5 in, 15 out
    ("openai", "gpt-4o-2024-05-13", TokenUsage(input_tokens=1000, output_tokens=1000), 20_000_000),
    # gpt-4o-mini: 0.15 in, 0.60 out; a single token is 150 nano-dollars
    ("openai", "gpt-4o-mini", TokenUsage(input_tokens=1), 150),
    ("openai", "gpt-4o-mini-2024-07-18", TokenUsage(input_tokens=7, output_tokens=3), 2_850),
    # gpt-3.5-turbo: 0.50 in, 1.50 out
    ("openai", "gpt-3.5-turbo", TokenUsage(input_tokens=25, output_tokens=12), 30_500),
    # gpt-3.5-turbo-1106: 1 in, 2 out
    ("openai", "gpt-3.5-turbo-1106", TokenUsage(input_tokens=100, output_tokens=100), 300_000),
    # gpt-4: 30 in, 60 out; gpt-4-turbo: 10 in, 30 out
    ("openai", "gpt-4", TokenUsage(input_tokens=10, output_tokens=10), 900_000),
    ("openai", "gpt-4-0314", TokenUsage(input_tokens=10, output_tokens=10), 900_000),
    ("openai", "gpt-4-turbo-preview", TokenUsage(input_tokens=10, output_tokens=10), 400_000),
    # gpt-4.1: 2 in, 0.50 cached, 8 out
    ("openai", "gpt-4.1", TokenUsage(input_tokens=100, cache_read_tokens=900, output_tokens=10), 730_000),
    # gpt-5.4: 2.50 in, 15 out; above 272,000 input tokens 5 in, 22.50 out for all of it
    ("openai", "gpt-5.4", TokenUsage(input_tokens=272_000, output_tokens=100), 681_500_000),
    ("openai", "gpt-5.4", TokenUsage(input_tokens=272_001, output_tokens=100), 1_362_255_000),
    # gpt-4o, priority tier: 4.25 in, 17 out; batch: half
    ("openai", "gpt-4o", TokenUsage(input_tokens=1000, output_tokens=100, service_tier="priority"), 5_950_000),
    ("openai", "gpt-4o", TokenUsage(input_tokens=1000, output_tokens=100, service_tier="batch"), 1_750_000),
    ("openai", "gpt-4o", TokenUsage(input_tokens=1000, output_tokens=100, service_tier="default"), 3_500_000),
    # gpt-4o-audio-preview: 2.50 text in, 40 audio in, 10 text out, 80 audio out
    (
        "openai",
        "gpt-4o-audio-preview",
        TokenUsage(input_tokens=100, audio_input_tokens=100, output_tokens=10, audio_output_tokens=10),
        5_150_000,
    ),
    # ft:gpt-4o-mini-2024-07-18: 0.30 in, 1.20 out
    ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", TokenUsage(input_tokens=100, output_tokens=100), 150_000),
    ("openai", "ft:gpt-3.5-turbo-0613:acme:name:id", TokenUsage(input_tokens=100, output_tokens=100), 900_000),
    # embeddings: 0.02, 0.13, 0.10; half a nano-dollar is rounded up, once
    ("openai", "text-embedding-3-small", TokenUsage(input_tokens=8), 160),
    ("openai", "text-embedding-3-large", TokenUsage(input_tokens=1), 130),
    ("openai", "text-embedding-ada-002", TokenUsage(input_tokens=5), 500),
    # sound: whisper-1 0.006 a minute, tts-1 15 and tts-1-hd 30 per million characters
    ("openai", "whisper-1", TokenUsage(seconds=60.0), 6_000_000),
    ("openai", "whisper-1", TokenUsage(seconds=0.5), 50_000),
    ("openai", "tts-1", TokenUsage(characters=1000), 15_000_000),
    ("openai", "tts-1-hd", TokenUsage(characters=3), 90_000),
    # tokens and seconds are the same sound: 2.50 in, 10 out
    (
        "openai",
        "gpt-4o-transcribe",
        TokenUsage(audio_input_tokens=100, output_tokens=20, seconds=10.0),
        450_000,
    ),
    # images: dall-e-3 0.04 and hd wide 0.12, dall-e-2 256 0.016; gpt-image-1 by tokens: 5 text, 10 image, 40 out
    ("openai", "dall-e-3", TokenUsage(images=2, image_kind="standard/1024x1024"), 80_000_000),
    ("openai", "dall-e-3", TokenUsage(images=1, image_kind="hd/1792x1024"), 120_000_000),
    ("openai", "dall-e-2", TokenUsage(images=3, image_kind="256x256"), 48_000_000),
    ("openai", "gpt-image-1", TokenUsage(images=1, image_kind="low/1024x1024"), 11_000_000),
    (
        "openai",
        "gpt-image-1",
        TokenUsage(input_tokens=50, image_input_tokens=100, image_output_tokens=1000, images=1),
        41_250_000,
    ),
    # moderation is free
    ("openai", "omni-moderation-latest", TokenUsage(input_tokens=100), 0),
    # claude-sonnet-4-5: 3 in, 0.30 read, 3.75 written, 6 written for an hour, 15 out
    (
        "anthropic",
        "claude-sonnet-4-5",
        TokenUsage(
            input_tokens=100,
            cache_read_tokens=1000,
            cache_write_tokens=200,
            cache_write_1h_tokens=100,
            output_tokens=50,
        ),
        2_700_000,
    ),
    ("anthropic", "claude-3-opus-20240229", TokenUsage(input_tokens=100, output_tokens=100), 9_000_000),
    ("anthropic", "claude-3-5-haiku-latest", TokenUsage(input_tokens=1000, output_tokens=100), 1_200_000),
    ("anthropic", "claude-instant-1.2", TokenUsage(input_tokens=1000, output_tokens=1000), 3_200_000),
    # azure writes 35 without its dot
    ("azure", "gpt-35-turbo-16k", TokenUsage(input_tokens=1000, output_tokens=1000), 7_000_000),
    ("azure", "gpt-4o-2024-08-06", TokenUsage(input_tokens=1000, output_tokens=0), 2_500_000),
    # deepinfra embeddings: 0.01 and 0.005, model names in any case
    ("deepinfra", "BAAI/bge-large-en-v1.5", TokenUsage(input_tokens=100), 1_000),
    ("deepinfra", "thenlper/gte-base", TokenUsage(input_tokens=1), 5),
    # nothing used costs nothing
    ("openai", "gpt-4o", TokenUsage(), 0),
]

PLAIN = PriceRecord("openai", "plain", input_pico=2_000_000, output_pico=8_000_000)
RICH = PriceRecord(
    "openai",
    "rich",
    input_pico=1_000_000,
    output_pico=4_000_000,
    cache_read_pico=100_000,
    cache_write_pico=1_250_000,
    cache_write_1h_pico=2_000_000,
    audio_input_pico=10_000_000,
    audio_output_pico=20_000_000,
    image_input_pico=3_000_000,
    image_output_pico=30_000_000,
    long_context_from=1000,
    long_input_pico=2_000_000,
    long_output_pico=8_000_000,
    long_cache_read_pico=200_000,
    long_cache_write_pico=2_500_000,
)


@pytest.mark.parametrize(("provider", "model", "usage", "expected"), TABLE)
def test_it_agrees_with_the_table_worked_out_by_hand(
    provider: str, model: str, usage: TokenUsage, expected: int
) -> None:
    price = find_price(bundled_prices(), provider, model)
    assert price is not None
    assert cost_nano(usage, price) == expected


def test_it_prices_special_tokens_as_plain_ones_without_a_price_of_their_own() -> None:
    usage = TokenUsage(
        input_tokens=1,
        cache_read_tokens=1,
        cache_write_tokens=1,
        cache_write_1h_tokens=1,
        audio_input_tokens=1,
        image_input_tokens=1,
        output_tokens=1,
        audio_output_tokens=1,
        image_output_tokens=1,
    )
    assert cost_nano(usage, PLAIN) == 6 * 2_000 + 3 * 8_000


def test_it_prices_an_hour_of_cache_as_five_minutes_without_a_price_of_its_own() -> None:
    price = PriceRecord("p", "m", input_pico=1_000_000, cache_write_pico=1_250_000)
    assert cost_nano(TokenUsage(cache_write_1h_tokens=4), price) == 5_000


def test_it_rounds_up_once_over_all_units() -> None:
    price = PriceRecord("p", "m", input_pico=1, output_pico=1)
    assert cost_nano(TokenUsage(input_tokens=1), price) == 1
    assert cost_nano(TokenUsage(input_tokens=500, output_tokens=500), price) == 1
    assert cost_nano(TokenUsage(input_tokens=500, output_tokens=501), price) == 2


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (TokenUsage(output_tokens=1), PriceRecord("p", "m", input_pico=1)),
        (TokenUsage(input_tokens=1), PriceRecord("p", "m", output_pico=1)),
        (TokenUsage(input_tokens=1), PriceRecord("p", "m", second_pico=1)),
        (TokenUsage(seconds=1.0), PLAIN),
        (TokenUsage(characters=1), PLAIN),
        (TokenUsage(images=1), PLAIN),
        (TokenUsage(images=1, image_kind="hd/9x9"), PriceRecord("p", "m", image_prices={"hd/1x1": 1})),
        (TokenUsage(images=1, seconds=1.0), PriceRecord("p", "m", image_prices={"": 1})),
    ],
)
def test_it_never_takes_an_unpriced_unit_for_free(usage: TokenUsage, price: PriceRecord) -> None:
    assert cost_nano(usage, price) is None


def test_it_takes_the_units_when_a_price_has_no_tokens() -> None:
    price = PriceRecord("openai", "tts-1", character_pico=15_000_000)
    assert cost_nano(TokenUsage(input_tokens=3, characters=10), price) == 150_000


def test_it_finds_an_images_price_by_kind_then_size_then_any() -> None:
    price = PriceRecord("p", "m", image_prices={"hd/1x1": 3_000, "1x1": 2_000, "": 1_000})
    kinds = {"hd/1x1": 3, "low/1x1": 2, "1x1": 2, "hd/2x2": 1, "": 1}
    assert {kind: cost_nano(TokenUsage(images=1, image_kind=kind), price) for kind in kinds} == kinds


@pytest.mark.parametrize(
    ("model", "quality", "size", "expected"),
    [
        ("dall-e-3", "", "", "standard/1024x1024"),
        ("dall-e-3", "hd", "1792x1024", "hd/1792x1024"),
        ("dall-e-2", "", "", "1024x1024"),
        ("dall-e-2", "standard", "256x256", "256x256"),
        ("gpt-image-1", "auto", "auto", "high/1024x1536"),
        ("gpt-image-1", "low", "1024x1024", "low/1024x1024"),
    ],
)
def test_it_fills_in_the_defaults_of_an_image_request(model: str, quality: str, size: str, expected: str) -> None:
    assert image_kind(model, quality, size) == expected


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("openai", "GPT-4o", "gpt-4o"),
        ("openai", "openai/gpt-4o", "gpt-4o"),
        ("openai", "gpt-4o-2099-01-31", "gpt-4o"),
        ("openai", "gpt-4-1234", "gpt-4"),
        ("anthropic", "claude-sonnet-4-5-20990131", "claude-sonnet-4-5"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::id", "ft:gpt-4o-2024-08-06"),
        ("azure", "gpt-3.5-turbo-16k", "gpt-35-turbo-16k"),
        ("gemini", "models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("bedrock", "us.anthropic.claude-opus-4-7", "us.anthropic.claude-opus-4-7"),
        ("bedrock", "apac.anthropic.claude-3-5-haiku-20241022-v1:0", "anthropic.claude-3-5-haiku-20241022-v1:0"),
        ("bedrock", "global.amazon.nova-premier-v1:0", "amazon.nova-premier-v1:0"),
        ("bedrock", "us-gov.meta.llama3-8b-instruct-v1:0", "meta.llama3-8b-instruct-v1:0"),
        ("bedrock", "meta.llama3-8b-instruct-v1:0:8k", "meta.llama3-8b-instruct-v1:0"),
        ("bedrock", "eu.anthropic.claude-opus-4-7-v1:0", "eu.anthropic.claude-opus-4-7"),
        ("bedrock", "deepseek.v3.2", "deepseek.v3.2"),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-7",
            "eu.anthropic.claude-opus-4-7",
        ),
        ("bedrock", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
    ],
)
def test_it_finds_the_model_that_a_name_is_a_version_of(provider: str, model: str, found: str) -> None:
    price = find_price(bundled_prices(), provider, model)
    assert price is not None
    assert price.model == found


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "nobody-knows-this"),
        ("openai", ""),
        ("openai", "gpt"),
        ("openai", "ft:gpt-4:acme::id"),
        ("openai", "ft:unknown:acme::id"),
        ("openai", "gpt-35-turbo-16k"),
        ("nobody", "gpt-4o"),
        ("anthropic", "gpt-4o"),
        ("bedrock", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdef123456"),
        ("bedrock", "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0/abc"),
        ("bedrock", "anthropic"),
    ],
)
def test_it_leaves_an_unknown_model_unpriced(provider: str, model: str) -> None:
    assert find_price(bundled_prices(), provider, model) is None


def test_it_prefers_the_price_of_the_region() -> None:
    prices = bundled_prices()
    model, region = "amazon.nova-lite-v1:0", "us-gov-west-1"
    setting = ProviderRecord("id", "bedrock", parameters={"awsRegion": region})
    found = price_of(setting, prices, model, embeddings=False)
    assert found == prices["bedrock", f"{region}/{model}"] != prices["bedrock", model]
    elsewhere = replace(setting, parameters={"awsRegion": "eu-west-1"})
    assert price_of(elsewhere, prices, model, embeddings=False) == prices["bedrock", model]


def test_it_prefers_the_exact_name() -> None:
    assert model_names("openai", "gpt-4o-2024-08-06")[0] == "gpt-4o-2024-08-06"


SETTING = ProviderRecord(
    "id",
    "openai",
    cost_map=CostMap(
        input_pico={"gpt-4o": 7_000, "half": 1, "mine": 1_000},
        output_pico={"gpt-4o": 9_000, "mine": 0},
        embeddings_pico={"text-embedding-3-small": 5},
    ),
)


def test_it_takes_the_settings_own_price_first() -> None:
    price = price_of(SETTING, bundled_prices(), "gpt-4o", embeddings=False)
    assert price is not None
    assert (price.input_pico, price.output_pico, price.cache_read_pico) == (7_000, 9_000, None)
    assert price.max_output_tokens == 16_384


def test_it_takes_the_settings_own_price_for_a_model_nobody_else_knows() -> None:
    price = price_of(SETTING, {}, "Mine", embeddings=False)
    assert price is not None
    assert cost_nano(TokenUsage(input_tokens=1, output_tokens=100), price) == 1


def test_it_ignores_half_a_price_of_the_setting() -> None:
    assert price_of(SETTING, bundled_prices(), "half", embeddings=False) is None


def test_it_keeps_embeddings_apart() -> None:
    own = price_of(SETTING, bundled_prices(), "text-embedding-3-small", embeddings=True)
    listed = price_of(SETTING, bundled_prices(), "text-embedding-3-large", embeddings=True)
    assert own is not None
    assert listed is not None
    assert (own.input_pico, listed.input_pico) == (5, 130_000)


def test_it_bounds_text_by_its_plain_price() -> None:
    assert upper_bound_nano(PLAIN, input_tokens=10, output_tokens=5) == 10 * 2_000 + 5 * 8_000


def test_it_bounds_by_the_dearest_tier_and_never_by_less_than_the_standard_one() -> None:
    price = PriceRecord("p", "m", input_pico=2_000, tiers={"batch": PLAIN, "flex": PriceRecord("p", "m", input_pico=1)})
    assert upper_bound_nano(price, input_tokens=10, output_tokens=0, service_tier="batch") == 20_000
    assert upper_bound_nano(price, input_tokens=10, output_tokens=0, service_tier="flex") == 20
    assert upper_bound_nano(price, input_tokens=10, output_tokens=0) == 20


def test_it_bounds_by_the_long_context_only_when_it_can_be_reached() -> None:
    price = PriceRecord("p", "m", input_pico=1_000, long_context_from=100, long_input_pico=5_000)
    assert upper_bound_nano(price, input_tokens=100, output_tokens=0) == 100
    assert upper_bound_nano(price, input_tokens=101, output_tokens=0) == 505


counts = st.integers(0, 3_000)
usages = st.builds(
    TokenUsage,
    input_tokens=counts,
    cache_read_tokens=counts,
    cache_write_tokens=counts,
    cache_write_1h_tokens=counts,
    audio_input_tokens=counts,
    image_input_tokens=counts,
    output_tokens=counts,
    audio_output_tokens=counts,
    image_output_tokens=counts,
)


@given(usages, st.sampled_from([PLAIN, RICH]))
def test_it_never_costs_more_than_its_upper_bound(usage: TokenUsage, price: PriceRecord) -> None:
    cost = cost_nano(usage, price)
    bound = upper_bound_nano(price, input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens)
    assert cost is not None
    assert cost <= bound


# What the independent library prices otherwise, and why.
EXCEPTIONS = {
    "gpt-4o-mini-tts": "its output is sound at 12; plain output tokens are priced at the list's 10",
    "gpt-4o-search-preview": "it knows no cached price, the list has one",
    "gpt-live-transcribe": "priced by the second; it counts tokens as free",
    "gpt-realtime-whisper": "priced by the second; it counts tokens as free",
    "gpt-transcribe": "priced by the second; it counts tokens as free",
    "tts-1": "priced by the character; it counts tokens as free",
    "tts-1-hd": "priced by the character; it counts tokens as free",
    "whisper-1": "priced by the second; it counts tokens as free",
}
SHARED = [
    (provider.id, model.id)
    for provider in their_providers
    if provider.id in ("openai", "anthropic")
    for model in provider.models
    if find_price(bundled_prices(), provider.id, model.id) is not None
]


def test_it_shares_most_models_with_the_independent_library() -> None:
    assert len(SHARED) > 100


@pytest.mark.parametrize(("provider", "model"), [pair for pair in SHARED if pair[1] not in EXCEPTIONS])
@pytest.mark.parametrize(("fresh", "cached", "made"), [(1000, 0, 500), (600, 400, 10)])
def test_it_agrees_with_an_independent_library(provider: str, model: str, fresh: int, cached: int, made: int) -> None:
    price = find_price(bundled_prices(), provider, model)
    assert price is not None
    usage = Usage(input_tokens=fresh + cached, cache_read_tokens=cached, output_tokens=made)
    theirs = calc_price(usage, model_ref=model, provider_id=provider).total_price
    ours = cost_nano(TokenUsage(input_tokens=fresh, cache_read_tokens=cached, output_tokens=made), price)
    assert ours is not None
    assert abs(ours - Decimal(theirs) * 10**9) <= 1
