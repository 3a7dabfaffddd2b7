"""Usage as Anthropic tells it, as canonical usage.

Source: Anthropic API reference, objects `Usage` and `MessageDeltaUsage`. Its `input_tokens` are those no cache had a
part in; in a stream `message_start` tells what went in, `message_delta` the totals up to then.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from providers.adapters.base import UsageReading
from providers.records import TokenUsage

# More than any answer has, and little enough that no price makes it more than the books can hold.
MAX_TOKENS = 10**9
_NOTHING = TokenUsage()


class _Answer(msgspec.Struct):
    usage: dict[str, Any]
    model: str = ""


_answers = msgspec.json.Decoder(_Answer)


def plain_reading(content: bytes) -> UsageReading | None:
    """Usage and model of a whole message, without building the rest of it; None: look closer."""
    try:
        answer = _answers.decode(content)
    except msgspec.MsgspecError:
        return None
    usage = usage_of(answer.usage)
    return None if usage is None else UsageReading(_with_compactions(usage, answer.usage), answer.model)


def usage_of(usage: Mapping[str, Any], before: TokenUsage | None = None) -> TokenUsage | None:
    """Canonical usage of a `usage` object; None when it tells neither input nor output.

    before: what was told earlier. The members of `usage` are totals: they replace it, and what is not told stays.
    """
    if "input_tokens" not in usage and "output_tokens" not in usage:
        return None
    known = before or _NOTHING
    write, write_1h = _cache_writes(usage, known)
    return TokenUsage(
        input_tokens=_told(usage, "input_tokens", known.input_tokens),
        cache_read_tokens=_told(usage, "cache_read_input_tokens", known.cache_read_tokens),
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
        output_tokens=(output := _told(usage, "output_tokens", known.output_tokens)),
        reasoning_tokens=min(_thought(usage, known.reasoning_tokens), output),
        service_tier=_tier(usage) or known.service_tier,
    )


def told_in(payload: Mapping[str, Any], before: TokenUsage | None = None) -> UsageReading:
    """Usage and model of a whole message or of a stream event."""
    begun = payload.get("message")
    holder = begun if isinstance(begun, dict) else payload
    model, usage = holder.get("model"), holder.get("usage")
    found, final = None, _is_final(payload)
    if isinstance(usage, dict):
        found = usage_of(usage, before)
        if found is not None and final:
            found = _with_compactions(found, usage)
    return UsageReading(found, model if isinstance(model, str) else "", final)


def _is_final(payload: Mapping[str, Any]) -> bool:
    """A stream's totals stand when the message has stopped."""
    if payload.get("type") == "message_start":
        return False
    delta = payload.get("delta")
    return not isinstance(delta, dict) or delta.get("stop_reason") is not None


def _cache_writes(usage: Mapping[str, Any], known: TokenUsage) -> tuple[int, int]:
    """(tokens written for 5 minutes, for an hour)."""
    split = usage.get("cache_creation")
    told = usage.get("cache_creation_input_tokens")
    if isinstance(split, dict) and split:
        hour, minutes = _count(split.get("ephemeral_1h_input_tokens")), _count(split.get("ephemeral_5m_input_tokens"))
        # What the total has beyond its parts is of a kind that has no name yet.
        return minutes + max(_count(told) - minutes - hour, 0), hour
    if told is None:
        return known.cache_write_tokens, known.cache_write_1h_tokens
    total = _count(told)
    # A total alone keeps the parts told earlier; what was written since is of the kind that there was.
    hour = (
        min(known.cache_write_1h_tokens, total)
        if known.cache_write_tokens or not known.cache_write_1h_tokens
        else total
    )
    return total - hour, hour


def served_as(speed: Any, place: Any) -> str:
    """The tier of a speed and a place where it was done: "fast", "us", "fast_us", or "" for the plain price."""
    return "_".join(name for name in ("fast" if speed == "fast" else "", "us" if place == "us" else "") if name)


def _thought(usage: Mapping[str, Any], known: int) -> int:
    details = usage.get("output_tokens_details")
    return _told(details, "thinking_tokens", known) if isinstance(details, dict) else known


def _tier(usage: Mapping[str, Any]) -> str:
    """Speed and place are tiers too: they have prices of their own."""
    if served := served_as(usage.get("speed"), usage.get("inference_geo")):
        return served
    tier = usage.get("service_tier")
    return tier if isinstance(tier, str) and tier != "standard" else ""


def _with_compactions(usage: TokenUsage, told: Mapping[str, Any]) -> TokenUsage:
    """With what it took to shorten the conversation, which the totals leave out. The same model does it."""
    iterations = told.get("iterations")
    for each in iterations if isinstance(iterations, list) else ():
        if isinstance(each, dict) and each.get("type") == "compaction":
            write, write_1h = _cache_writes(each, _NOTHING)
            usage = msgspec.structs.replace(
                usage,
                input_tokens=usage.input_tokens + _count(each.get("input_tokens")),
                cache_read_tokens=usage.cache_read_tokens + _count(each.get("cache_read_input_tokens")),
                cache_write_tokens=usage.cache_write_tokens + write,
                cache_write_1h_tokens=usage.cache_write_1h_tokens + write_1h,
                output_tokens=usage.output_tokens + _count(each.get("output_tokens")),
            )
    return usage


def _told(usage: Mapping[str, Any], name: str, known: int) -> int:
    value = usage.get(name)
    return known if value is None else _count(value)


def _count(value: Any) -> int:
    """A whole, non-negative, sane count; an upstream's nonsense counts nothing rather than a negative charge."""
    if value.__class__ is int:
        return min(max(value, 0), MAX_TOKENS)
    if not isinstance(value, float) or math.isnan(value):
        return 0
    return int(min(max(value, 0), MAX_TOKENS))
