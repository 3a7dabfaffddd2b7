"""What batches and runs tell of themselves once they have ended."""

from typing import Any

import pytest

from providers.adapters.openai import OpenAIAdapter
from providers.adapters.openai_late import late_usage_of
from providers.records import TokenUsage

BATCH: dict[str, Any] = {
    "id": "batch_1",
    "object": "batch",
    "status": "completed",
    "model": "gpt-5-2025-08-07",
    "created_at": 100,
    "completed_at": 200,
    "usage": {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 10},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 37,
    },
}
RUN: dict[str, Any] = {
    "id": "run_1",
    "object": "thread.run",
    "status": "incomplete",
    "model": "gpt-4o",
    "created_at": 100,
    "completed_at": None,
    "failed_at": 300,
    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
}


def test_a_batch_that_has_ended_tells_its_usage() -> None:
    late = late_usage_of(BATCH)
    assert late is not None
    assert (late.name, late.ended_at, late.model) == ("batch_1", 200, "gpt-5-2025-08-07")
    assert late.usage == TokenUsage(20, cache_read_tokens=10, output_tokens=7, reasoning_tokens=2, service_tier="batch")


def test_a_run_that_has_ended_tells_its_usage() -> None:
    late = OpenAIAdapter().late_usage(RUN)
    assert late is not None
    assert (late.name, late.ended_at, late.usage) == ("run_1", 300, TokenUsage(3, output_tokens=4))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "in_progress"},
        {"status": ["completed"]},
        {"status": None},
        {"usage": None},
        {"usage": {"input_tokens": 0, "output_tokens": 0}},
        {"usage": {}},
        {"model": None},
        {"id": ""},
        {"id": 5},
        {"object": "response"},
        {"created_at": None, "completed_at": True},
    ],
)
def test_nothing_else_tells_any(changes: dict[str, Any]) -> None:
    assert late_usage_of({**BATCH, **changes}) is None


@pytest.mark.parametrize(
    ("method", "tail", "late"),
    [
        ("GET", "/batches/batch_1", True),
        ("HEAD", "/batches/batch_1", False),
        ("GET", "/batches", False),
        ("POST", "/batches", False),
        ("POST", "/batches/batch_1/cancel", False),
        ("GET", "/threads/t/runs/r", True),
        ("GET", "/threads/t/runs", False),
        ("GET", "/threads/t/runs/r/steps", False),
        ("POST", "/threads/t/runs", True),
        ("POST", "/threads/runs", True),
        ("POST", "/threads/t/runs/r", False),
        ("POST", "/threads/t/runs/r/submit_tool_outputs", True),
    ],
)
def test_only_what_shows_one_of_them_is_looked_at(method: str, tail: str, late: bool) -> None:
    assert OpenAIAdapter().operation(method, tail).tells_late is late
