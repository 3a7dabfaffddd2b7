"""Tests of what a step makes of a request."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway_project.shared.problems import BadRequest, PermissionDenied, Problem
from providers.adapters.registry import ADAPTERS
from proxy.config import ProxyConfig
from proxy.flow import Body
from proxy.route_steps import Steps, check_access, check_members, edited
from proxy.snapshot import Snapshot
from proxy.stages.plan import SettingChooser
from proxy.visit import Visit
from routes.records import RouteRecord, RouteStepRecord
from tests.proxy.builders import body_of, visit_of
from tests.proxy_gateway import PEPPER, key, openai_setting, price

ODD = b' {"messages" : [ {"role":"user","content":"\\u00e4"} ],"temperature":1.50,"x":{"model":"inner"},"n":1}'
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}


def steps() -> Steps:

    return Steps(ADAPTERS, SettingChooser(ProxyConfig(peppers=(PEPPER,), spool_root=Path("unused"))))


def route(*made: RouteStepRecord, **changes: Any) -> RouteRecord:
    values = {"id": "route-1", "name": "r", "path": "/r", "operation": "chat", "steps": made}
    return RouteRecord(**{**values, **changes})


@pytest.mark.parametrize(
    ("content", "changes", "expected"),
    [
        (ODD, {}, ODD),
        (ODD, {"n": 1}, ODD),
        (ODD, {"n": True}, ODD.replace(b'"n":1', b'"n":true')),
        (ODD, {"temperature": 0}, ODD.replace(b"1.50", b"0")),
        (ODD, {"model": "m"}, ODD.replace(b'{"messages"', b'{"model":"m","messages"', 1)),
        (b'{"model":"a","n":0}', {"model": "m"}, b'{"model":"m","n":0}'),
        (b'{"model":"a"}', {"stop": ["x"], "logit_bias": {"1": 2}}, b'{"logit_bias":{"1":2},"stop":["x"],"model":"a"}'),
        (b"{}", {"seed": 7}, b'{"seed":7}'),
        (b'{"model":null}', {"model": "m"}, b'{"model":"m"}'),
        (b'{"mo\\u0064el":"a"}', {"model": "m"}, b'{"mo\\u0064el":"m"}'),
        (b'{"n":1}', {"response_format": SCHEMA}, b'{"response_format":' + orjson.dumps(SCHEMA) + b',"n":1}'),
    ],
)
def test_a_body_is_edited_in_place(content: bytes, changes: Mapping[str, Any], expected: bytes) -> None:
    body = body_of(content)
    changed, document = edited(body, changes)
    assert changed == expected
    assert document == orjson.loads(changed)
    assert body.document == orjson.loads(content), "the client's own is needed for the next step"


async def test_a_step_speaks_its_providers_paths() -> None:
    made, visit = steps(), visit_of()
    body = body_of(b'{"model":"mine","messages":[],"stream":true,"max_tokens":5}')
    azure = RouteStepRecord("azure", "gpt-4o", params={"deploymentId": "dep", "apiVersion": "2024-06-01"})
    spoken = made.speak(visit, route(azure), azure, body)
    assert (spoken.call.adapter.provider, spoken.call.operation.name) == ("azure", "chat")
    assert spoken.call.tail == "/deployments/dep/chat/completions"
    assert spoken.request.query == "api-version=2024-06-01"
    assert (spoken.body.facts.model, spoken.body.facts.stream, spoken.body.facts.max_output_tokens) == (
        "gpt-4o", True, 5,
    )  # fmt: skip
    own = RouteStepRecord("openai", "", request_params={"max_tokens": 9})
    spoken = made.speak(visit, route(own), own, body)
    assert (spoken.call.tail, spoken.request.query) == ("/chat/completions", "")
    assert (spoken.body.facts.model, spoken.body.facts.max_output_tokens) == ("mine", 9)


@pytest.mark.parametrize(
    ("operation", "content", "tail"),
    [
        ("chat", b'{"messages":[]}', "/chat/completions"),
        ("text_completion", b'{"prompt":"x"}', "/completions"),
        ("embeddings", b'{"input":"x"}', "/embeddings"),
        ("responses", b'{"input":"x"}', "/responses"),
    ],
)
async def test_every_operation_of_routes_is_planned(operation: Any, content: bytes, tail: str) -> None:
    step = RouteStepRecord("openai", "gpt-4o")
    snapshot = Snapshot(
        settings={"setting-1": openai_setting("http://upstream")},
        prices={("openai", "gpt-4o"): price()},
    )
    made, asking = steps(), route(step, operation=operation)
    spoken = made.speak(visit_of(), asking, step, body_of(content, tail))
    plan = made.plan(key(cost_limit_nano=1), spoken, snapshot)
    assert (plan.request.url, plan.request.method) == (f"http://upstream/v1{tail}", "POST")
    assert orjson.loads(plan.request.body)["model"] == "gpt-4o"
    assert plan.estimate_nano > 0
    again = made.speak(visit_of(), asking, step, body_of(content, tail))
    assert again.call is spoken.call, "plans are kept by call"


async def test_the_key_decides_what_a_step_may_use() -> None:
    step = RouteStepRecord("openai", "gpt-4o")
    snapshot = Snapshot(settings={"setting-1": openai_setting("http://u", allowed_models=frozenset({"gpt-4o-mini"}))})
    made, visit = steps(), visit_of()
    spoken = made.speak(visit, route(step), step, body_of(b'{"messages":[]}'))
    for owner, code in ((key(), "model_not_allowed"), (key(setting_ids=()), "no_setting")):
        with pytest.raises(PermissionDenied) as caught:
            made.plan(owner, spoken, snapshot)
        assert caught.value.code == code


@pytest.mark.parametrize(("provider", "operation"), [("nobody", "chat"), ("anthropic", "embeddings")])
async def test_a_step_that_no_provider_serves_is_unusable(provider: str, operation: Any) -> None:
    step = RouteStepRecord(provider, "m")
    with pytest.raises(Problem) as caught:
        steps().speak(visit_of(), route(step, operation=operation), step, body_of(b"{}"))
    assert caught.value.code == "route_unusable"


async def test_a_member_of_the_wrong_type_is_named() -> None:
    step = RouteStepRecord("openai", "m", request_params={"n": "two"})
    visit: Visit = visit_of()
    with pytest.raises(BadRequest, match="n must be"):
        steps().speak(visit, route(step), step, body_of(b"{}"))


def test_only_keys_the_route_names_may_call_it() -> None:
    check_access(key(), route(key_ids=frozenset({key().id})))
    with pytest.raises(PermissionDenied) as caught:
        check_access(key(), route())
    assert caught.value.code == "route_not_allowed"


def test_what_a_step_replaces_may_not_be_there_twice() -> None:
    asking = route(RouteStepRecord("openai", "m"), RouteStepRecord("openai", "m", request_params={"seed": 1}))
    check_members(asking, body_of(b'{"x":{"seed":1},"seed":1,"y":[{"seed":2}]}'))
    check_members(route(RouteStepRecord("openai", "m")), body_of(b'{"seed":1,"seed":2}'))
    for content in (b'{"seed":1,"seed":2}', b'{"seed":1,"se\\u0065d":2}'):
        with pytest.raises(BadRequest) as caught:
            check_members(asking, body_of(content))
        assert caught.value.code == "duplicate_member"
    with pytest.raises(BadRequest) as caught:
        check_members(asking, Body(b'{"seed":1,"a":' + b"[" * 200_000 + b'"seed"', body_of().facts))
    assert caught.value.code == "invalid_json"
