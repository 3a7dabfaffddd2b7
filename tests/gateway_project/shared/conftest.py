import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway_project.shared.counters import CounterStore
from gateway_project.shared.memory_counters import MemoryCounters
from gateway_project.shared.redis_counters import RedisCounters


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[CounterStore]:
    """Each kind of counters, knowing nothing."""
    counters = MemoryCounters() if request.param == "memory" else RedisCounters(request.getfixturevalue("redis_url"))
    yield counters
    await counters.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
