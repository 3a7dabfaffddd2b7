"""What a method and a path mean: a provider's operation, a custom provider's, or a route."""

from collections.abc import Sequence

from gateway_project.shared.problems import NotFound
from providers.adapters.base import Adapter
from providers.adapters.custom import PREFIX, CustomAdapter
from providers.adapters.openai import ROUTED_TAILS
from proxy import paths
from proxy.flow import Call, IncomingRequest
from proxy.snapshot import Snapshot, SnapshotHolder

CALLS_KEPT = 4096
LONGEST_PATH_KEPT = 200
ROUTE_PREFIXES = ("/api/routes/", "/api/route/")


class CallFinder:
    """Finds calls. Most requests go to a handful of paths, so those seen are kept while the configuration stays."""

    def __init__(self, adapters: Sequence[Adapter], snapshots: SnapshotHolder) -> None:
        self._adapters = adapters
        self._routed = next(adapter for adapter in adapters if adapter.provider == "openai")
        self._snapshots = snapshots
        self._known: dict[tuple[str, str], Call] = {}
        self._known_of: Snapshot | None = None

    def find(self, request: IncomingRequest) -> Call:
        """What is called. Raises NotFound, or BadRequest for a path that nobody may send."""
        snapshot = self._snapshots.current
        if snapshot is not self._known_of:
            self._known, self._known_of = {}, snapshot
        name = (request.method, request.path)
        call = self._known.get(name)
        if call is None:
            call = self._look(request, snapshot)
            if len(self._known) >= CALLS_KEPT:
                self._known.clear()
            if len(request.path) <= LONGEST_PATH_KEPT:  # nobody has shown a key yet: what they fill must stay small
                self._known[name] = call
        return call

    def _look(self, request: IncomingRequest, snapshot: Snapshot) -> Call:
        path = request.path
        for adapter in self._adapters:
            prefix = adapter.path_prefix
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] == "/":
                paths.check_path(path)
                tail = path[len(prefix) :]
                return Call(adapter, adapter.operation(request.method, tail), tail)
        if path.startswith(PREFIX):
            return self._custom(request, snapshot)
        for prefix in ROUTE_PREFIXES:
            if path.startswith(prefix):
                return self._route(request, path[len(prefix) - 1 :], snapshot)
        raise NotFound(f"{path} is no path of this gateway.", code="path_not_found")

    def _custom(self, request: IncomingRequest, snapshot: Snapshot) -> Call:
        paths.check_path(request.path)
        name, slash, rest = request.path[len(PREFIX) :].partition("/")
        provider = snapshot.custom_providers.get(name)
        if provider is None:
            raise NotFound("There is no custom provider of this name.", code="custom_provider_not_found")
        path = slash + rest
        route = provider.routes.get(path)
        if route is None or request.method not in route.methods:
            raise NotFound(
                f"The custom provider {name} has no path {path} for {request.method}.", code="custom_path_not_found"
            )
        adapter = CustomAdapter(provider, route)
        return Call(adapter, adapter.operation(request.method, path), path)

    def _route(self, request: IncomingRequest, path: str, snapshot: Snapshot) -> Call:
        paths.check_path(request.path)
        route = snapshot.routes.get(path)
        if route is None or request.method != "POST":
            raise NotFound(f"There is no route {path} for {request.method}.", code="route_not_found")
        tail = ROUTED_TAILS[route.operation]
        return Call(self._routed, self._routed.operation("POST", tail), tail, route)
