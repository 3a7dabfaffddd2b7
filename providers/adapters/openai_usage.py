"""Usage as OpenAI tells it, in its four shapes, as canonical usage.

Source: OpenAI API reference, objects `chat.completion.usage`, `response.usage`, `images.usage`,
`audio.transcription.usage` (tokens or duration). Cached, written and audio tokens are inside its totals. Others that
speak its dialect leave what was thought (xAI, Gemini) or heard (Mistral) out of the two counts, but not out of
`total_tokens`; Together and DeepSeek tell what was cached beside the counts.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from providers.adapters.base import UsageReading
from providers.records import TokenUsage

# More than any answer has, and little enough that no price makes it more than the books can hold.
MAX_TOKENS = 10**9


def usage_of(usage: Mapping[str, Any]) -> TokenUsage | None:
    """Canonical usage of a `usage` object; None when it holds no number the gateway knows."""
    if usage.get("type") == "duration" or "seconds" in usage:
        return TokenUsage(seconds=_number(usage.get("seconds")))
    if "prompt_tokens" in usage:
        return _split(usage, "prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")
    if "input_tokens" in usage:
        details = "input_tokens_details" if "input_tokens_details" in usage else "input_token_details"
        out_details = "output_tokens_details" if "output_tokens_details" in usage else "output_token_details"
        return _split(usage, "input_tokens", "output_tokens", details, out_details)
    return None


class _Inside(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _Made(msgspec.Struct):
    audio_tokens: int | None = None
    image_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    prompt_tokens_details: _Inside | None = None
    completion_tokens_details: _Made | None = None


class _Answer(msgspec.Struct):
    usage: _Usage
    model: str = ""
    service_tier: str | None = None


_answers = msgspec.json.Decoder(_Answer)


def plain_reading(content: bytes) -> UsageReading | None:
    """Usage and model of a whole answer that has just tokens of text, as most have; None: look closer.

    On the request path: decodes nothing but the members named here.
    """
    try:
        answer = _answers.decode(content)
    except msgspec.MsgspecError:
        return None
    usage, tier = answer.usage, answer.service_tier or ""
    inside, made = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = inside.cached_tokens or 0 if inside else 0
    reasoning = made.reasoning_tokens or 0 if made else 0
    if inside and (inside.audio_tokens or inside.image_tokens or inside.cache_write_tokens):
        return None
    if (made and (made.audio_tokens or made.image_tokens)) or usage.cached_tokens or usage.prompt_cache_hit_tokens:
        return None
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if usage.total_tokens > prompt + completion:
        return None
    if not (0 <= cached <= prompt <= MAX_TOKENS and 0 <= reasoning <= completion <= MAX_TOKENS):
        return None
    found = TokenUsage(
        input_tokens=prompt - cached,
        cache_read_tokens=cached,
        output_tokens=completion,
        reasoning_tokens=reasoning,
        service_tier="" if tier == "default" else tier,
    )
    return UsageReading(found, answer.model)


def image_usage_of(usage: Mapping[str, Any]) -> TokenUsage | None:
    """Usage of an image answer: its output tokens are image tokens unless told apart."""
    plain = usage_of(usage)
    if plain is None or plain.image_output_tokens or not plain.output_tokens:
        return plain
    out = usage.get("output_tokens_details")
    text = min(_count(out.get("text_tokens")), plain.output_tokens) if isinstance(out, dict) else 0
    return TokenUsage(
        input_tokens=plain.input_tokens,
        cache_read_tokens=plain.cache_read_tokens,
        image_input_tokens=plain.image_input_tokens,
        output_tokens=text,
        image_output_tokens=plain.output_tokens - text,
    )


def speech_usage_of(usage: Mapping[str, Any]) -> TokenUsage | None:
    """Usage of speech made from text: what comes out is audio."""
    plain = usage_of(usage)
    if plain is None or plain.audio_output_tokens:
        return plain
    return msgspec.structs.replace(plain, output_tokens=0, reasoning_tokens=0, audio_output_tokens=plain.output_tokens)


def _split(usage: Mapping[str, Any], input_name: str, output_name: str, details: str, out_details: str) -> TokenUsage:
    total_in, total_out = _count(usage.get(input_name)), _count(usage.get(output_name))
    inside, made = usage.get(details), usage.get(out_details)
    inside = inside if isinstance(inside, dict) else {}
    made = made if isinstance(made, dict) else {}
    thought = 0
    beyond = _count(usage.get("total_tokens")) - total_in - total_out
    if beyond > 0:
        if _count(inside.get("audio_tokens")) > total_in:
            total_in += beyond
        else:
            total_out, thought = total_out + beyond, beyond
    cached = min(_cached(usage, inside), total_in)
    written = min(_count(inside.get("cache_write_tokens")), total_in - cached)
    audio_in = min(_count(inside.get("audio_tokens")), total_in - cached - written)
    image_in = min(_count(inside.get("image_tokens")), total_in - cached - written - audio_in)
    audio_out = min(_count(made.get("audio_tokens")), total_out)
    image_out = min(_count(made.get("image_tokens")), total_out - audio_out)
    reasoning = min(max(_count(made.get("reasoning_tokens")), thought), total_out - audio_out - image_out)
    return TokenUsage(
        input_tokens=total_in - cached - written - audio_in - image_in,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        audio_input_tokens=audio_in,
        image_input_tokens=image_in,
        output_tokens=total_out - audio_out - image_out,
        reasoning_tokens=reasoning,
        audio_output_tokens=audio_out,
        image_output_tokens=image_out,
        # Mistral's: where a model is priced by the second, this is what counts.
        seconds=_number(usage.get("prompt_audio_seconds")),
    )


def _cached(usage: Mapping[str, Any], inside: Mapping[str, Any]) -> int:
    """What came from a cache; some tell it beside the counts."""
    beside = usage.get("cached_tokens") or usage.get("prompt_cache_hit_tokens")
    return _count(inside.get("cached_tokens")) or _count(beside)


def _count(value: Any) -> int:
    """A whole, non-negative, sane count; an upstream's nonsense counts nothing rather than a negative charge."""
    if value.__class__ is int:
        return value if 0 <= value <= MAX_TOKENS else MAX_TOKENS if value > 0 else 0
    if not isinstance(value, float) or math.isnan(value):
        return 0
    return int(min(max(value, 0), MAX_TOKENS))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return 0.0
    return float(min(max(value, 0.0), 1e9))
