"""A fake upstream for the benchmark's own tests."""

from collections.abc import Iterator

import pytest

from tests.upstream import Upstream, upstream_in_thread


@pytest.fixture(scope="session")
def running_upstream() -> Iterator[Upstream]:
    with upstream_in_thread() as upstream:
        yield upstream


@pytest.fixture
def upstream(running_upstream: Upstream) -> Upstream:
    running_upstream.reset()
    return running_upstream
