"""Tests of what a method and a path mean."""

from dataclasses import replace

import pytest

from gateway_project.shared.problems import BadRequest, NotFound
from providers.adapters.registry import ADAPTERS
from providers.records import CustomProviderRecord, CustomRouteRecord
from proxy.calls import CALLS_KEPT, LONGEST_PATH_KEPT, CallFinder
from proxy.flow import IncomingRequest
from proxy.snapshot import Snapshot, SnapshotHolder
from routes.records import RouteRecord, RouteStepRecord

MODELS = "/api/providers/openai/v1/models"
ROUTE = RouteRecord(
    id="r", name="r", path="/prod/chat", operation="chat", steps=(RouteStepRecord("openai", "gpt-4o-mini"),)
)


GENERATE = CustomRouteRecord(
    path="/v1/generate", target_url="https://acme.example/x", methods=frozenset({"POST", "GET"})
)
ACME = CustomProviderRecord(id="c", name="acme", routes={GENERATE.path: GENERATE})
CUSTOM = "/api/custom/providers/acme/v1/generate"


def request(path: str, method: str = "POST") -> IncomingRequest:
    return IncomingRequest(id="i", method=method, path=path, query="", headers=(), started=0.0, arrived_at=0, read={})


@pytest.fixture
def holder() -> SnapshotHolder:
    made = SnapshotHolder()
    made.replace(Snapshot(version=1, routes={ROUTE.path: ROUTE}, custom_providers={"acme": ACME}))
    return made


@pytest.fixture
def finder(holder: SnapshotHolder) -> CallFinder:
    return CallFinder(ADAPTERS, holder)


def test_a_call_that_was_found_is_kept_and_what_is_kept_stays_small(finder: CallFinder) -> None:
    assert finder.find(request(MODELS, "GET")) is finder.find(request(MODELS, "GET"))
    long = f"/api/providers/openai/v1/{'x' * LONGEST_PATH_KEPT}"
    assert finder.find(request(long, "GET")) is not finder.find(request(long, "GET"))
    first = finder.find(request(MODELS, "GET"))
    for number in range(CALLS_KEPT):
        finder.find(request(f"{MODELS}/{number}", "GET"))
    assert finder.find(request(MODELS, "GET")) is not first


@pytest.mark.parametrize("prefix", ["/api/routes", "/api/route"])
def test_a_route_is_found_by_its_exact_path(finder: CallFinder, prefix: str) -> None:
    call = finder.find(request(f"{prefix}/prod/chat"))
    assert (call.route, call.operation.name, call.tail) == (ROUTE, "chat", "/chat/completions")
    for path, method in ((f"{prefix}/prod/chat/", "POST"), (f"{prefix}/prod", "POST"), (f"{prefix}/prod/chat", "GET")):
        with pytest.raises(NotFound, match="no route"):
            finder.find(request(path, method))
    with pytest.raises(BadRequest):
        finder.find(request(f"{prefix}/../prod/chat"))


def test_a_custom_provider_is_found_by_its_exact_name_path_and_method(finder: CallFinder) -> None:
    call = finder.find(request(CUSTOM))
    assert (call.adapter.provider, call.operation.name, call.operation.metering) == ("acme", "custom", "estimated")
    assert finder.find(request(CUSTOM)) is call
    assert finder.find(request(CUSTOM, "GET")).operation.metering == "free"
    for path, method in ((f"{CUSTOM}/", "POST"), (CUSTOM, "PUT"), (CUSTOM.replace("acme", "Acme"), "POST")):
        with pytest.raises(NotFound):
            finder.find(request(path, method))
    with pytest.raises(BadRequest):
        finder.find(request(CUSTOM.replace("/v1", "/%2e%2e/v1")))


def test_a_changed_configuration_is_looked_at_anew(finder: CallFinder, holder: SnapshotHolder) -> None:
    assert finder.find(request("/api/routes/prod/chat")).route is ROUTE
    changed = replace(ROUTE, name="other")
    holder.replace(Snapshot(version=2, routes={changed.path: changed}))
    assert finder.find(request("/api/routes/prod/chat")).route is changed
    holder.replace(Snapshot(version=3))
    with pytest.raises(NotFound):
        finder.find(request("/api/routes/prod/chat"))
    with pytest.raises(NotFound):
        finder.find(request(CUSTOM))
