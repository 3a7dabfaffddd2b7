"""What the contract's tests share."""

from collections.abc import Iterator

import pytest

from tests.providers.adapters.contract_gateway import contract_gateway
from tests.providers.adapters.playback import Playback, playback
from tests.proxy_gateway import Caller, RunningProxy


@pytest.fixture(scope="module")
def upstream() -> Iterator[Playback]:
    with playback() as playing:
        yield playing


@pytest.fixture(scope="module")
def gateway(upstream: Playback) -> Iterator[RunningProxy]:
    with contract_gateway(upstream) as running:
        yield running


@pytest.fixture
def caller(gateway: RunningProxy) -> Caller:
    """A key of its own for every cell, with a setting of every provider."""
    return gateway.caller(setting_ids=tuple(gateway.doors.settings))
