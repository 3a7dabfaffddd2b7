"""A month of a small company's traffic, for pages that are looked at: `python -m tests.browser.history`.

Writes into the database of the environment (GATEWAY_VAR_DIR), which must be migrated.
"""

import os
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import django
import time_machine

from gateway_project.shared import clock

if TYPE_CHECKING:
    from reporting.records import UsageEventRecord

Shares = dict[str, tuple[int, list[str]]]
"""How much of the traffic is of each key, by its id, and the key's tags."""

HOUR_S = 3600
DAYS = 30
MODELS = {
    # model: (share, input price, output price in nano-dollars per token, typical latency in ms)
    "gpt-4o-mini": (55, 150, 600, 900),
    "gpt-4o": (25, 2500, 10_000, 1800),
    "text-embedding-3-small": (12, 20, 0, 220),
    "o3-mini": (5, 1100, 4400, 6500),
    "our-llama-70b": (3, 0, 0, 2600),
}
KEYS: tuple[tuple[str, list[str], int, dict[str, Any]], ...] = (
    # name, tags, share, limits
    ("Support assistant", ["support", "production"], 46, {"request_limit": 600, "request_window_unit": "m"}),
    ("Search indexing", ["batch"], 24, {"cost_window_limit_nano": 5_000_000_000, "cost_window_unit": "d"}),
    ("Anna's notebook", ["research"], 12, {"cost_limit_nano": 20_000_000_000, "ttl_text": "90d"}),
    ("Invoice reader", ["finance", "production"], 14, {}),
    (
        "Trial of a partner",
        ["trial"],
        3,
        {"request_limit": 2, "request_window_unit": "m", "cost_limit_nano": 250_000_000},
    ),
    ("Old prototype", [], 1, {}),
)


def make(*, seed: int = 7, per_hour: int = 9) -> dict[str, str]:
    """Settings, keys and a month of events, booked as the worker books them. Secrets of the keys by name."""
    from reporting.services import Batch, roll_up_days, store_batch
    from tests.reporting.builders import payload_of

    chance = random.Random(seed)
    now = clock.now()
    with time_machine.travel(now - 41 * 86_400):
        secrets, keys = settings_and_keys(chance)
    payloads = [payload_of(record) for record in events(chance, keys, now, per_hour)]
    position = 0
    for first in range(0, len(payloads), 500):
        some = payloads[first : first + 500]
        store_batch(batch=Batch("history", position, position + len(some), "demo"), payloads=some)
        position += len(some)
    roll_up_days()
    return secrets


def settings_and_keys(chance: random.Random) -> tuple[dict[str, str], Shares]:
    from keys.services import create_key, revoke_key
    from providers.services import create_setting

    openai = create_setting(provider="openai", setting={"apikey": "sk-canary-provider-secret"}, name="Main account")
    create_setting(
        provider="vllm",
        setting={"url": "http://llama.internal:8000/v1", "apikey": "canary-of-the-vllm-host"},
        name="Own GPUs",
        allowed_models=["our-llama-70b"],
        cost_map={"promptCostPerModel": {"our-llama-70b": 0}, "completionCostPerModel": {"our-llama-70b": 0}},
    )
    azure = create_setting(
        provider="azure", setting={"resourceName": "contoso-eu", "apikey": "canary-of-azure"}, name="Azure, Europe"
    )
    secrets: dict[str, str] = {}
    keys: Shares = {}
    for name, tags, share, limits in KEYS:
        setting_ids = [openai.pk, azure.pk] if "support" in tags else [openai.pk]
        with time_machine.travel(clock.now() + chance.randrange(9 * 86_400)):
            key, secrets[name] = create_key(name=name, tags=tags, setting_ids=setting_ids, **limits)
        keys[str(key.pk)] = (share, tags)
    revoke_key(next(reversed(keys)), reason="Replaced by the support assistant.")
    make_route(next(iter(keys)))
    return secrets, keys


def make_route(key_id: str) -> None:
    from routes.services import create_route

    create_route(
        name="Support, with a spare",
        path="/support/chat/completions",
        key_ids=[key_id],
        steps=[
            {"provider": "openai", "model": "gpt-4o-mini", "retries": 2, "timeout": "30s"},
            {
                "provider": "azure",
                "model": "gpt-4o-mini",
                "params": {"deploymentId": "gpt-4o-mini-eu", "apiVersion": "2024-10-21"},
            },
        ],
        cache_enabled=True,
        cache_ttl="1h",
    )


def events(chance: random.Random, keys: Shares, now: int, per_hour: int) -> Iterator["UsageEventRecord"]:
    """Busier by day than by night and on weekdays, with a bad hour of the provider two days ago."""
    for hour in range(DAYS * 24, -1, -1):
        begin = now - now % HOUR_S - hour * HOUR_S
        day_of_week, hour_of_day = begin // 86_400 % 7, begin // HOUR_S % 24
        busy = (0.25 + max(0.0, 1 - abs(hour_of_day - 13) / 7)) * (0.35 if day_of_week in (2, 3) else 1)
        for _ in range(round(per_hour * busy * chance.uniform(0.7, 1.3))):
            at = begin + chance.randrange(HOUR_S)
            if at <= now:
                yield event(chance, keys, at, trouble=hour == 46)


def event(chance: random.Random, keys: Shares, at: int, *, trouble: bool) -> "UsageEventRecord":
    from reporting.records import Charge
    from tests.reporting.builders import a_record

    model = chance.choices(list(MODELS), [share for share, *_ in MODELS.values()])[0]
    _, input_price, output_price, typical_ms = MODELS[model]
    key_id = chance.choices(list(keys), [share for share, _ in keys.values()])[0]
    embedding = "embedding" in model
    ending, status = ending_of(chance, trouble=trouble)
    answered = ending in ("completed", "client_left")
    prompt = int(chance.lognormvariate(6.2, 0.9)) if answered else 0
    output = int(chance.lognormvariate(5.2, 0.8)) if answered and not embedding else 0
    latency = int(typical_ms * chance.lognormvariate(0, 0.45)) if ending != "refused" else chance.randrange(2, 9)
    streamed = answered and not embedding and chance.random() < 0.6
    return a_record(
        id=event_id(chance, at),
        created_at=at,
        key_id=key_id,
        path=f"/api/providers/openai/v1/{'embeddings' if embedding else 'chat/completions'}",
        operation="embeddings" if embedding else "chat.completions",
        status=status,
        ending=ending,
        requests=int(ending != "refused"),
        charges=(Charge("total", 0, 0),) if ending != "refused" else (),
        tags=tuple(keys[key_id][1]),
        provider="vllm" if model == "our-llama-70b" else "openai",
        request_model=model,
        response_model=f"{model}-2024-08-06" if answered and model == "gpt-4o" else model if answered else "",
        stream=streamed,
        error_code={"refused": "rate_limit_reached", "upstream_failed": "upstream_failed"}.get(ending, ""),
        input_tokens=prompt,
        cache_read_tokens=prompt // 3 if answered and chance.random() < 0.3 else 0,
        output_tokens=output,
        reasoning_tokens=output // 2 if model == "o3-mini" else 0,
        usage_source="upstream" if answered else "none",
        cost_nano=prompt * input_price + output * output_price,
        price_status="priced" if answered else "free",
        latency_ms=latency,
        upstream_latency_ms=latency - 3 if ending != "refused" else None,
        time_to_first_chunk_ms=latency // 4 if streamed else None,
        attempts=int(ending != "refused"),
        custom_id=f"ticket-{chance.randrange(4000, 9000)}" if chance.random() < 0.2 else "",
        user_id=f"user-{chance.randrange(40)}" if chance.random() < 0.5 else "",
    )


def ending_of(chance: random.Random, *, trouble: bool) -> tuple[str, int]:
    if trouble and chance.random() < 0.55:
        return "upstream_failed", 502
    return chance.choices(
        [("completed", 200), ("refused", 429), ("completed", 400), ("client_left", 200), ("upstream_failed", 504)],
        [93, 3, 2, 1.2, 0.5],
    )[0]


def event_id(chance: random.Random, at: int) -> str:
    """A version 7 id of the event's own time, as the proxy makes them."""
    value = (at * 1000 + chance.randrange(1000)) << 80 | 0x7 << 76 | chance.getrandbits(12) << 64
    text = f"{value | 0x2 << 62 | chance.getrandbits(62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    django.setup()
    make()
