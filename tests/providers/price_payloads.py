"""Usage as providers tell it, and what it costs: worked out by hand from their public prices, in USD per million units.

A row's comment has the arithmetic. A USD per million tokens is 1,000 nano-dollars a token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CHAT = "/chat/completions"
NO_BATCH = "it does not take batch for a tier"


@dataclass(frozen=True, slots=True)
class Priced:
    """One request, its answer and its cost in nano-dollars; None: the model has no price.

    path: below /api/providers/<provider>. answer: a JSON document, or the events of a stream. headers: of the answer.
    apart: why the independent library, which knows the model, comes to another cost.
    """

    name: str
    provider: str
    path: str
    answer: Mapping[str, Any] | list[Mapping[str, Any]]
    cost_nano: int | None
    request: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    apart: str = ""


def used(model: str, given: int, made: int, **more: Any) -> dict[str, Any]:
    """A chat's answer. inside, made_of: the details of prompt and completion; extra: more of the usage."""
    usage: dict[str, Any] = {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}
    for name, member in (("inside", "prompt_tokens_details"), ("made_of", "completion_tokens_details")):
        if name in more:
            usage[member] = more.pop(name)
    usage.update(more.pop("extra", {}))
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello there!"}, "finish_reason": "stop"}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [choice],
        "usage": usage,
        **more,
    }


def responded(
    model: str, given: int, made: int, *, cached: int = 0, written: int = 0, tier: str = "default"
) -> dict[str, Any]:
    """An answer of the responses API."""
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": made // 2},
        "total_tokens": given + made,
    }
    return {"id": "1", "object": "response", "model": model, "output": [], "service_tier": tier, "usage": usage}


def embedded(model: str, tokens: int) -> dict[str, Any]:
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    data = [{"object": "embedding", "index": 0, "embedding": [0.1]}]
    return {"object": "list", "model": model, "data": data, "usage": usage}


def message(model: str, given: int, made: int, **usage: Any) -> dict[str, Any]:
    """Claude's answer."""
    told = {"input_tokens": given, "output_tokens": made, "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0, "service_tier": "standard", **usage}  # fmt: skip
    content = [{"type": "text", "text": "Hello there!"}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": "end_turn", "stop_sequence": None, "usage": told}  # fmt: skip


def written(short: int, long: int) -> dict[str, Any]:
    """What Claude wrote to its cache, for five minutes and for an hour."""
    split = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    return {"cache_creation_input_tokens": short + long, "cache_creation": split}


OPENAI: tuple[Priced, ...] = (
    # 0.15 in, 0.60 out: 11 x 150 + 4 x 600
    Priced("plain", "openai", f"/v1{CHAT}", used("gpt-4o-mini-2024-07-18", 11, 4, service_tier="default"), 4_050),
    # The same as a stream.
    Priced(
        "streamed",
        "openai",
        f"/v1{CHAT}",
        [
            {"id": "1", "model": "gpt-4o-mini-2024-07-18", "choices": [{"index": 0, "delta": {"content": "Hello"}}]},
            {**used("gpt-4o-mini-2024-07-18", 11, 4), "choices": []},
        ],
        4_050,
        {"stream": True},
    ),
    # 2.50 in, 1.25 cached, 10 out: 86 x 2,500 + 1,920 x 1,250 + 300 x 10,000
    Priced(
        "cached",
        "openai",
        f"/v1{CHAT}",
        used("gpt-4o-2024-08-06", 2006, 300, inside={"cached_tokens": 1920}),
        5_615_000,
    ),
    # 1.10 in, 4.40 out, thought tokens are a part of the output: 100 x 1,100 + 812 x 4,400
    Priced("thought", "openai", f"/v1{CHAT}", used("o4-mini", 100, 812, made_of={"reasoning_tokens": 700}), 3_682_800),
    # Rejected predictions are a part of the output: 100 x 2,500 + 200 x 10,000
    Priced(
        "predicted",
        "openai",
        f"/v1{CHAT}",
        used("gpt-4o", 100, 200, made_of={"accepted_prediction_tokens": 40, "rejected_prediction_tokens": 80}),
        2_250_000,
    ),
    # flex 0.625 in, 5 out: 1,000 x 625 + 200 x 5,000
    Priced("flex", "openai", f"/v1{CHAT}", used("gpt-5", 1000, 200, service_tier="flex"), 1_625_000),
    # priority 2.50 in, 0.25 cached, 20 out: 400 x 2,500 + 600 x 250 + 100 x 20,000
    Priced(
        "priority",
        "openai",
        f"/v1{CHAT}",
        used("gpt-5", 1000, 100, inside={"cached_tokens": 600}, service_tier="priority"),
        3_150_000,
    ),
    # A tier without prices of its own: 10 x 2,500 + 10 x 10,000
    Priced("scale tier", "openai", f"/v1{CHAT}", used("gpt-4o", 10, 10, service_tier="scale"), 125_000),
    # batch 1.25 in, 5 out: 100 x 1,250 + 10 x 5,000
    Priced("batch", "openai", f"/v1{CHAT}", used("gpt-4o", 100, 10, service_tier="batch"), 175_000, apart=NO_BATCH),
    # above 272,000 tokens 5 in, 0.50 cached, 22.50 out: 200,000 x 5,000 + 100,000 x 500 + 1,000 x 22,500
    Priced(
        "long", "openai", f"/v1{CHAT}", used("gpt-5.4", 300_000, 1000, inside={"cached_tokens": 100_000}), 1_072_500_000
    ),
    # 0.20 in, 0.02 cached, 0.25 written, 1.20 out: 100 x 200 + 2,000 x 20 + 900 x 250 + 40 x 1,200
    Priced(
        "written to the cache",
        "openai",
        f"/v1{CHAT}",
        used("gpt-5.6-luna", 3000, 40, inside={"cached_tokens": 2000, "cache_write_tokens": 900}),
        333_000,
    ),
    # 2.50 in, 40 sound in, 10 out, 80 sound out: 30 x 2,500 + 100 x 40,000 + 10 x 10,000 + 50 x 80,000
    Priced(
        "sound, preview",
        "openai",
        f"/v1{CHAT}",
        used("gpt-4o-audio-preview", 130, 60, inside={"audio_tokens": 100}, made_of={"audio_tokens": 50}),
        8_175_000,
        apart="it has no price for sound",
    ),
    # 2.50 in, 32 sound in, 10 out, 64 sound out: 20 x 2,500 + 100 x 32,000 + 5 x 10,000 + 30 x 64,000
    Priced(
        "sound",
        "openai",
        f"/v1{CHAT}",
        used("gpt-audio", 120, 35, inside={"audio_tokens": 100}, made_of={"audio_tokens": 30}),
        5_220_000,
    ),
    # 0.30 in, 0.15 cached, 1.20 out: 80 x 300 + 20 x 150 + 50 x 1,200
    Priced(
        "fine-tuned, cached",
        "openai",
        f"/v1{CHAT}",
        used("ft:gpt-4o-mini-2024-07-18:acme::abc", 100, 50, inside={"cached_tokens": 20}),
        87_000,
        apart="it knows no cached price of fine-tuned models",
    ),
    # 3 in, 6 out: 100 x 3,000 + 20 x 6,000
    Priced("fine-tuned, 3.5", "openai", f"/v1{CHAT}", used("ft:gpt-3.5-turbo-0125:acme:support:x", 100, 20), 420_000),
    # 0.80 in, 3.20 out: 10 x 800 + 10 x 3,200
    Priced("fine-tuned, 4.1", "openai", f"/v1{CHAT}", used("ft:gpt-4.1-mini-2025-04-14:acme::y", 10, 10), 40_000),
    # 1.50 in, 2 out: 5 x 1,500 + 7 x 2,000
    Priced("text", "openai", "/v1/completions", used("gpt-3.5-turbo-instruct", 5, 7), 21_500, {"prompt": "Say hello."}),
    # 1.25 in, 10 out: 36 x 1,250 + 87 x 10,000
    Priced("response", "openai", "/v1/responses", responded("gpt-5-2025-08-07", 36, 87), 915_000),
    # flex 1.25 in, 0.13 cached, 7.50 out: 328 x 1,250 + 1,280 x 130 + 20 x 7,500
    Priced(
        "response, flex",
        "openai",
        "/v1/responses",
        responded("gpt-5.4", 1608, 20, cached=1280, tier="flex"),
        726_400,
    ),
    # 2 in, 0.20 cached, 2.50 written, 10 out: 1,000 x 2,000 + 1,000 x 200 + 3,000 x 2,500 + 10 x 10,000
    Priced(
        "response, written to the cache",
        "openai",
        "/v1/responses",
        responded("gpt-6-sol", 5000, 10, cached=1000, written=3000),
        9_800_000,
    ),
    # 0.02: 8 x 20
    Priced("embeddings, small", "openai", "/v1/embeddings", embedded("text-embedding-3-small", 8), 160),
    # 0.13: 1,000 x 130
    Priced("embeddings", "openai", "/v1/embeddings", embedded("text-embedding-3-large", 1000), 130_000),
    # 0.12 an image
    Priced(
        "image, hd wide",
        "openai",
        "/v1/images/generations",
        {"created": 1, "data": [{"url": "https://example.org/1.png", "revised_prompt": "A cat."}]},
        120_000_000,
        {"model": "dall-e-3", "prompt": "A cat.", "quality": "hd", "size": "1792x1024"},
    ),
    # 0.016 an image: 3 x 16,000,000
    Priced(
        "images, small",
        "openai",
        "/v1/images/generations",
        {"created": 1, "data": [{"url": "https://example.org/1.png"}] * 3},
        48_000_000,
        {"model": "dall-e-2", "prompt": "A cat.", "n": 3, "size": "256x256"},
    ),
    # 5 text in, 10 image in, 40 out: 10 x 5,000 + 40 x 10,000 + 272 x 40,000
    Priced(
        "image in tokens",
        "openai",
        "/v1/images/generations",
        {
            "created": 1,
            "data": [{"b64_json": "aGk="}],
            "usage": {
                "input_tokens": 50,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
                "output_tokens": 272,
                "total_tokens": 322,
            },
        },
        11_330_000,
        {"model": "gpt-image-1", "prompt": "A cat."},
    ),
    # 5 in, 10 text out, 32 image out: 30 x 5,000 + 44 x 10,000 + 1,056 x 32,000
    Priced(
        "image in tokens, with text",
        "openai",
        "/v1/images/generations",
        {
            "created": 1,
            "data": [{"b64_json": "aGk="}],
            "usage": {
                "input_tokens": 30,
                "input_tokens_details": {"text_tokens": 30, "image_tokens": 0},
                "output_tokens": 1100,
                "output_tokens_details": {"text_tokens": 44, "image_tokens": 1056},
                "total_tokens": 1130,
            },
        },
        34_382_000,
        {"model": "gpt-image-1.5", "prompt": "A cat."},
    ),
)
