"""One fake upstream for these tests, fresh for each, and the official SDK pointed at it."""

from collections.abc import Iterator

import pytest
from anthropic import Anthropic
from openai import OpenAI

from tests.upstream import Upstream, upstream_in_thread


@pytest.fixture(scope="session")
def running() -> Iterator[Upstream]:
    with upstream_in_thread() as upstream:
        yield upstream


@pytest.fixture
def upstream(running: Upstream) -> Upstream:
    running.reset()
    return running


@pytest.fixture(scope="session")
def sdk(running: Upstream) -> Iterator[OpenAI]:
    with OpenAI(api_key="sk-any", base_url=running.base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def client(sdk: OpenAI, upstream: Upstream) -> OpenAI:
    """The SDK against a provider that remembers nothing."""
    return sdk


@pytest.fixture
def claude(upstream: Upstream) -> Iterator[Anthropic]:
    """Anthropic's official SDK, likewise."""
    with Anthropic(api_key="sk-any", base_url=upstream.url, max_retries=0) as client:
        yield client
