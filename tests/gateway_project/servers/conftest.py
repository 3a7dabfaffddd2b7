from collections.abc import Iterator

import pytest

from tests.gateway_project.servers.server_contract import Served


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    """The server that the test module is about."""
    return str(request.module.KIND)


@pytest.fixture(scope="module")
def served(kind: str) -> Iterator[Served]:
    """A server that the tests of a module share; nobody stops it."""
    server = Served(kind)
    yield server
    server.close()


@pytest.fixture
def own(kind: str) -> Iterator[Served]:
    """A server that the test may stop."""
    server = Served(kind)
    yield server
    server.close()
