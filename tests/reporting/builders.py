"""Builders of usage records: minimal and valid, with what a test changes named."""

from typing import Any
from uuid import uuid4

import msgspec

from gateway_project.shared.ids import new_event_id
from reporting.records import Charge, UsageEventRecord

AT = 1_763_640_000  # 2025-11-20 12:00 UTC
TOTAL = Charge("total", 0, 0)


def a_record(**changes: Any) -> UsageEventRecord:
    """An admitted chat request that cost 1,000 nano-dollars."""
    values: dict[str, Any] = {
        "id": new_event_id(),
        "created_at": AT,
        "key_id": str(uuid4()),
        "method": "POST",
        "path": "/api/providers/openai/v1/chat/completions",
        "status": 200,
        "ending": "completed",
        "requests": 1,
        "charges": (TOTAL,),
        "tags": ("team-a",),
        "provider": "openai",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "input_tokens": 10,
        "cache_read_tokens": 3,
        "output_tokens": 5,
        "reasoning_tokens": 2,
        "cost_nano": 1_000,
        "price_status": "priced",
        "latency_ms": 120,
        "attempts": 1,
    }
    return UsageEventRecord(**{**values, **changes})


def payload_of(record: UsageEventRecord) -> bytes:
    return msgspec.json.encode(record)
