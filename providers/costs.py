"""What usage costs: every physical unit is priced once, summed in pico-dollars, rounded up once. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from gateway_project.shared.money import pico_to_nano
from providers.records import CostMap, PriceRecord, ProviderRecord, TokenUsage

Prices = Mapping[tuple[str, str], PriceRecord]

# -2024-08-06, -20240229, -0613, -latest: a dated or moving name of the model before it.
_VERSION_SUFFIX = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest)$")
# Bedrock: the area a request may be served in, the length of its context, the version of what serves it.
_BEDROCK_AREA = re.compile(r"^(?:global|us-gov|us|eu|apac|au|ca|jp|in|sa|me|af)\.")
_BEDROCK_CONTEXT = re.compile(r"(?<=:\d):\d+k$")
_BEDROCK_VERSION = re.compile(r"(?:-v\d+)?(?::\d+)?$")
_NAMES_CACHED = 4096


class _Rates(NamedTuple):
    """Pico-dollars per token of each kind for one request; None: this kind has no price."""

    input: int | None
    cache_read: int | None
    cache_write: int | None
    cache_write_1h: int | None
    audio_input: int | None
    image_input: int | None
    output: int | None
    audio_output: int | None
    image_output: int | None
    dearest_input: int
    dearest_output: int


def cost_nano(usage: TokenUsage, price: PriceRecord) -> int | None:
    """Nano-dollars, rounded up; None when the usage has units this price does not price (never 0 instead).

    Tokens come first: seconds, images and characters of a usage that has priced tokens are the same thing told
    again, and are not priced a second time.
    """
    served = price.tiers.get(usage.service_tier, price)
    pico: int | None = None
    if usage.prompt_tokens or usage.completion_tokens:
        pico = _tokens_pico(usage, served)
        if pico is None and not (usage.seconds or usage.images or usage.characters):
            return None
    if pico is None:
        pico = _units_pico(usage, served)
    return None if pico is None else pico_to_nano(pico)


def upper_bound_nano(price: PriceRecord, *, input_tokens: int, output_tokens: int, service_tier: str = "") -> int:
    """At least what so many tokens can cost, whatever kind they turn out to be (audio, written to a cache, …).

    input_tokens and output_tokens are upper bounds themselves. service_tier: the tier the request asks for; the
    standard price counts as well, since an upstream may serve less than was asked for.
    """
    dearest_input, dearest_output = _dearest(price, input_tokens)
    tier = price.tiers.get(service_tier)
    if tier is not None:
        tier_input, tier_output = _dearest(tier, input_tokens)
        dearest_input, dearest_output = max(dearest_input, tier_input), max(dearest_output, tier_output)
    return pico_to_nano(max(0, input_tokens) * dearest_input + max(0, output_tokens) * dearest_output)


def _dearest(price: PriceRecord, input_tokens: int) -> tuple[int, int]:
    """The dearest (input, output) rate of a request with at most so many input tokens."""
    plain = _rates(price, False)
    if price.long_context_from is None or input_tokens <= price.long_context_from:
        return plain.dearest_input, plain.dearest_output
    long = _rates(price, True)
    return max(plain.dearest_input, long.dearest_input), max(plain.dearest_output, long.dearest_output)


def find_price(prices: Prices, provider: str, model: str, region: str = "") -> PriceRecord | None:
    """The price of a model, by its own name or the names it is a version of; None: unpriced.

    A fine-tuned model is never priced as its base, which is cheaper. region: of AWS, where it has prices of its own.
    """
    for name in model_names(provider, model):
        price = prices.get((provider, f"{region}/{name}")) if region else None
        price = price or prices.get((provider, name))
        if price is not None:
            return price
    return None


def price_of(setting: ProviderRecord, prices: Prices, model: str, *, embeddings: bool) -> PriceRecord | None:
    """The setting's own price if its costMap has one, else the table's; None: unpriced."""
    listed = find_price(prices, setting.provider, model, setting.parameters.get("awsRegion", ""))
    own = _own_price(setting.cost_map, setting.provider, model, embeddings=embeddings) if setting.cost_map else None
    if own is None:
        return listed
    if listed is None:
        return own
    return replace(own, max_input_tokens=listed.max_input_tokens, max_output_tokens=listed.max_output_tokens)


@lru_cache(_NAMES_CACHED)
def model_names(provider: str, model: str) -> tuple[str, ...]:
    """The names to look a model up by, the most exact first, in lower case."""
    name = model.strip().lower()
    # Gemini lists its models with their kind in front.
    names = [name, name.removeprefix(f"{provider}/").removeprefix("models/")]
    if names[-1].startswith("ft:"):
        names.append(":".join(names[-1].split(":")[:2]))
    names += [_VERSION_SUFFIX.sub("", each) for each in tuple(names)]
    if provider == "azure":
        # Azure's own spelling has no dot, since its deployment names cannot have one.
        names += [each.replace("gpt-35-", "gpt-3.5-") for each in tuple(names)]
        names += [each.replace("gpt-3.5-", "gpt-35-") for each in tuple(names)]
    if provider == "bedrock":
        names += _bedrock_names(name)
    return tuple(dict.fromkeys(each for each in names if each))


def _bedrock_names(name: str) -> list[str]:
    """Of an id or an ARN: without the area, without the length of the context, without the version."""
    names = [name.rpartition("/")[2] if name.startswith("arn:") else name]
    for part in (_BEDROCK_AREA, _BEDROCK_CONTEXT, _BEDROCK_VERSION):
        names += [part.sub("", each) for each in tuple(names)]
    return names


def image_kind(model: str, quality: str = "", size: str = "") -> str:
    """The kind of image a request asks for, as PriceRecord.image_prices names it, with the API's defaults filled in.

    Where the API decides for itself ("auto"), the dearest is meant.
    """
    size = "" if size == "auto" else size
    quality = "" if quality == "auto" else quality
    if model.startswith("dall-e-2"):
        return size or "1024x1024"
    if model.startswith("dall-e"):
        return f"{quality or 'standard'}/{size or '1024x1024'}"
    return f"{quality or 'high'}/{size or '1024x1536'}"


def _tokens_pico(usage: TokenUsage, price: PriceRecord) -> int | None:
    long = price.long_context_from is not None and usage.prompt_tokens > price.long_context_from
    rates = _rates(price, long)
    if rates.input is not None and rates.output is not None and _is_plain(usage):
        # Plain text, the most there is: no loop over kinds that do not occur.
        return usage.input_tokens * rates.input + usage.output_tokens * rates.output
    counts = (
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.cache_write_1h_tokens,
        usage.audio_input_tokens,
        usage.image_input_tokens,
        usage.output_tokens,
        usage.audio_output_tokens,
        usage.image_output_tokens,
    )
    total = 0
    for count, rate in zip(counts, rates, strict=False):
        if count:
            if rate is None:
                return None
            total += count * rate
    return total


def _is_plain(usage: TokenUsage) -> bool:
    return not (
        usage.cache_read_tokens
        or usage.cache_write_tokens
        or usage.cache_write_1h_tokens
        or usage.audio_input_tokens
        or usage.image_input_tokens
        or usage.audio_output_tokens
        or usage.image_output_tokens
    )


def _units_pico(usage: TokenUsage, price: PriceRecord) -> int | None:
    image_pico = _image_pico(price.image_prices, usage.image_kind) if usage.images else 0
    if usage.images and image_pico is None:
        return None
    if (usage.seconds and price.second_pico is None) or (usage.characters and price.character_pico is None):
        return None
    seconds_pico = math.ceil(Decimal(str(usage.seconds)) * (price.second_pico or 0))
    return usage.images * (image_pico or 0) + seconds_pico + usage.characters * (price.character_pico or 0)


def _image_pico(image_prices: Mapping[str, int], kind: str) -> int | None:
    for name in (kind, kind.rpartition("/")[2], ""):
        if name in image_prices:
            return image_prices[name]
    return None


@lru_cache(_NAMES_CACHED)
def _rates_cached(prices: tuple[int | None, ...]) -> _Rates:
    (plain_in, plain_out, read, write, write_1h, audio_in, audio_out, image_in, image_out) = prices
    out = _first(plain_out, image_out, audio_out)
    inputs = (plain_in, read, write, write_1h, audio_in, image_in)
    return _Rates(
        input=plain_in,
        cache_read=_first(read, plain_in),
        cache_write=_first(write, plain_in),
        cache_write_1h=_first(write_1h, write, plain_in),
        audio_input=_first(audio_in, plain_in),
        image_input=_first(image_in, plain_in),
        output=out,
        audio_output=_first(audio_out, out),
        image_output=_first(image_out, out),
        dearest_input=max((rate for rate in inputs if rate is not None), default=0),
        dearest_output=max((rate for rate in (out, audio_out, image_out) if rate is not None), default=0),
    )


def _rates(price: PriceRecord, long: bool) -> _Rates:
    """Rates with every fallback applied; a long request takes a long price wherever there is one."""
    # On the request path: plain conditions, since a call each would cost more than everything around them.
    return _rates_cached(
        (
            price.long_input_pico if long and price.long_input_pico is not None else price.input_pico,
            price.long_output_pico if long and price.long_output_pico is not None else price.output_pico,
            price.long_cache_read_pico if long and price.long_cache_read_pico is not None else price.cache_read_pico,
            price.long_cache_write_pico if long and price.long_cache_write_pico is not None else price.cache_write_pico,
            price.long_cache_write_1h_pico
            if long and price.long_cache_write_1h_pico is not None
            else price.cache_write_1h_pico,
            price.audio_input_pico,
            price.audio_output_pico,
            price.image_input_pico,
            price.image_output_pico,
        )
    )


def _own_price(cost_map: CostMap, provider: str, model: str, *, embeddings: bool) -> PriceRecord | None:
    """A price from a costMap. Generation needs the model among prompts and completions, as a half price is none."""
    for name in model_names(provider, model):
        if embeddings:
            if name in cost_map.embeddings_pico:
                return PriceRecord(provider, name, input_pico=cost_map.embeddings_pico[name], output_pico=0)
        elif name in cost_map.input_pico and name in cost_map.output_pico:
            return PriceRecord(
                provider, name, input_pico=cost_map.input_pico[name], output_pico=cost_map.output_pico[name]
            )
    return None


def _first(*candidates: int | None) -> int | None:
    return next((each for each in candidates if each is not None), None)
