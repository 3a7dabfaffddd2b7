"""Usage of batches and runs, which work between calls. Source: OpenAI API reference, objects `batch`, `thread.run`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from providers.adapters.base import LateUsage
from providers.adapters.openai_usage import usage_of

# A tuple: a status may be a list, which a set cannot look up.
_ENDED = ("completed", "incomplete", "failed", "expired", "cancelled")
_TIMES = ("completed_at", "failed_at", "expired_at", "cancelled_at", "created_at")


def late_usage_of(payload: Mapping[str, Any]) -> LateUsage | None:
    """What a batch or a run that has ended used; None for one that goes on, tells no usage, or is neither."""
    kind, name, model, told = (payload.get(member) for member in ("object", "id", "model", "usage"))
    if kind not in ("batch", "thread.run") or payload.get("status") not in _ENDED or not isinstance(told, dict):
        return None
    usage, ended_at = usage_of(told), _ended_at(payload)
    if usage is None or not (usage.prompt_tokens or usage.completion_tokens) or not ended_at:
        return None
    if not isinstance(name, str) or not isinstance(model, str) or not name:
        return None
    if kind == "batch":
        usage = msgspec.structs.replace(usage, service_tier="batch")
    return LateUsage(name, ended_at, usage, model)


def _ended_at(payload: Mapping[str, Any]) -> int:
    """The first of its times that it has, which is the same whenever one looks; 0 for none."""
    return next((at for name in _TIMES if (at := payload.get(name)).__class__ is int and at), 0)
