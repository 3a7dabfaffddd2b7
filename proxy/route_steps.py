"""What a step of a route makes of a request: the call it is there, and the body with the step's own members."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import orjson

from gateway_project.shared.problems import BadRequest, PermissionDenied, Unavailable
from keys.records import KeyRecord
from providers.adapters.base import Adapter
from proxy.flow import Body, Call, IncomingRequest, Plan
from proxy.json_edit import has_duplicate, insert_member, member_names, replace_member
from proxy.snapshot import Snapshot
from proxy.stages.plan import SettingChooser
from proxy.stages.reserve import check_metered
from proxy.visit import Visit
from routes.records import RouteRecord, RouteStepRecord

CALLS_KEPT = 4096


class Spoken(NamedTuple):
    """A request in the words of one step. request: as a client would send it to the step's provider."""

    request: IncomingRequest
    call: Call
    body: Body


class Steps:
    """Translates requests for steps."""

    def __init__(self, adapters: Sequence[Adapter], chooser: SettingChooser) -> None:
        # Of several for one provider the first is asked.
        self._adapters = {adapter.provider: adapter for adapter in reversed(adapters)}
        self._chooser = chooser
        self._calls: dict[tuple[str, str, str], Call] = {}

    def speak(self, visit: Visit, route: RouteRecord, step: RouteStepRecord, body: Body) -> Spoken:
        """The request for one step. Raises Unavailable for a step that cannot be taken, BadRequest for a bad member."""
        model = step.model or body.facts.model
        adapter = self._adapters.get(step.provider)
        target = adapter.route_target(route.operation, model, step.params) if adapter is not None else None
        if adapter is None or target is None:
            raise Unavailable(
                f"The route {route.path} has a step for {step.provider}, which does not serve {route.operation}.",
                code="route_unusable",
            )
        call = self._call(route, adapter, target.tail)
        changes = {"model": step.model, **step.request_params} if step.model else step.request_params
        content, document = edited(body, changes)
        try:
            facts = adapter.read_body(call.operation, document)
        except ValueError as error:
            raise BadRequest(f"{error}.", code="invalid_member") from error
        if facts.model != model:
            facts = msgspec.structs.replace(facts, model=model)
        request = visit.request
        if request.query != target.query:
            request = msgspec.structs.replace(request, query=target.query)
        return Spoken(request, call, Body(content, facts, document))

    def plan(self, key: KeyRecord, spoken: Spoken, snapshot: Snapshot) -> Plan:
        """One attempt. Raises PermissionDenied when the key may not make it."""
        plan = self._chooser.plan(spoken.request, key, spoken.call, spoken.body, snapshot)
        check_metered(key, spoken.call, spoken.body, plan)
        return plan

    def _call(self, route: RouteRecord, adapter: Adapter, tail: str) -> Call:
        """The same call for the same route, since what is known of a call is kept under it."""
        name = (route.id, adapter.provider, tail)
        call = self._calls.get(name)
        if call is None or call.route is not route:
            if len(self._calls) >= CALLS_KEPT:
                self._calls.clear()
            call = self._calls[name] = Call(adapter, adapter.operation("POST", tail), tail, route)
        return call


def check_access(key: KeyRecord, route: RouteRecord) -> None:
    """Raises PermissionDenied for a key the route does not name."""
    if key.id not in route.key_ids:
        raise PermissionDenied(f"The keyIds of the route {route.path} do not name this key.", code="route_not_allowed")


def check_members(route: RouteRecord, body: Body) -> None:
    """Raises BadRequest when a member some step replaces is there twice: a provider may read the other one."""
    names = {name for step in route.steps for name in step.request_params}
    if not names:
        return
    try:
        twice = has_duplicate(body.content, _pattern(tuple(sorted(names))))
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.", code="invalid_json") from error
    if twice is not None:
        raise BadRequest(f"The body has the member {twice} twice.", code="duplicate_member")


@lru_cache(1024)
def _pattern(names: Iterable[str]) -> Any:
    return member_names(names)


def edited(body: Body, changes: Mapping[str, Any]) -> tuple[bytes, Mapping[str, Any]]:
    """(content, document) with members replaced, or put in front; every other byte as the client sent it."""
    content, document = body.content, dict(body.document or {})
    for name, value in changes.items():
        if name not in document:
            content = insert_member(content, orjson.dumps(name) + b":" + orjson.dumps(value))
        elif document[name] != value or type(document[name]) is not type(value):
            content = replace_member(content, name, orjson.dumps(value))
        document[name] = value
    return content, document
