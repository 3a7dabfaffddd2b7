"""An upper bound of what a request may cost, told before it is sent. Pure."""

from typing import NamedTuple

from providers.adapters.base import Operation
from providers.costs import upper_bound_nano
from providers.records import PriceRecord
from proxy.flow import Body

# What the bound assumes where a price row tells no maximum of the model.
DEFAULT_CONTEXT_TOKENS = 128_000
# Token overhead a provider adds around messages, tools and special tokens, beyond the bytes sent.
ENVELOPE_TOKENS = 64
IMAGE_OUTPUT_TOKENS = 8_192
# The lowest bit rate speech is uploaded at: 8 kbit/s.
AUDIO_BYTES_PER_SECOND = 1_000
# All of their input is in one context; embeddings and completions take several inputs, each as long as that.
_ONE_CONTEXT = ("chat", "responses")


class Bound(NamedTuple):
    """cost_nano: never less than the request costs. output_tokens: what is assumed to be generated at most."""

    cost_nano: int = 0
    output_tokens: int = 0


def estimate(operation: Operation, body: Body, price: PriceRecord | None, *, default_output_tokens: int) -> Bound:
    """The bound of one attempt; nothing for what is free, unmetered or unpriced (those are decided elsewhere)."""
    if operation.metering != "estimated" or price is None:
        return Bound()
    if operation.name == "image_generation":
        return _images(body, price)
    if operation.name == "speech":
        return _speech(body, price)
    if operation.name == "transcription":
        return _transcription(body, price)
    output = 0 if operation.name == "embeddings" else output_bound(body, price, default_output_tokens)
    most_input = input_bound(operation, body, price)
    tier = body.facts.service_tier
    return Bound(upper_bound_nano(price, input_tokens=most_input, output_tokens=output, service_tier=tier), output)


def input_bound(operation: Operation, body: Body, price: PriceRecord) -> int:
    """A token is at least one UTF-8 byte; input the body does not hold is bounded by the model's context."""
    if body.facts.open_input:
        return price.max_input_tokens or DEFAULT_CONTEXT_TOKENS
    length = len(body.content) + ENVELOPE_TOKENS + body.facts.hidden_input_tokens
    if operation.name not in _ONE_CONTEXT or not price.max_input_tokens:
        return length
    return min(length, price.max_input_tokens)


def output_bound(body: Body, price: PriceRecord, default_output_tokens: int) -> int:
    asked = body.facts.max_output_tokens
    each = asked if asked is not None else price.max_output_tokens or default_output_tokens
    return each * body.facts.choices


def _images(body: Body, price: PriceRecord) -> Bound:
    count = max(body.facts.images, 1)
    per_image = max(price.image_prices.values(), default=0)
    tokens = IMAGE_OUTPUT_TOKENS * count if price.image_output_pico or price.output_pico else 0
    context = price.max_input_tokens or DEFAULT_CONTEXT_TOKENS // 4
    token_bound = upper_bound_nano(price, input_tokens=context, output_tokens=tokens) if tokens else 0
    return Bound(max(-(-per_image * count // 1000), token_bound), 0)


def _speech(body: Body, price: PriceRecord) -> Bound:
    if price.character_pico is not None:
        return Bound(-(-price.character_pico * body.facts.characters // 1000))
    # A spoken character takes less than a tenth of a second and a second less than 50 audio tokens.
    return Bound(upper_bound_nano(price, input_tokens=len(body.content), output_tokens=5 * body.facts.characters + 100))


def _transcription(body: Body, price: PriceRecord) -> Bound:
    seconds = len(body.content) // AUDIO_BYTES_PER_SECOND + 1
    if price.second_pico is not None:
        return Bound(-(-price.second_pico * seconds // 1000))
    return Bound(upper_bound_nano(price, input_tokens=seconds * 50, output_tokens=seconds * 20))
