"""Access control on every provider: which paths, which models, and only settings of the provider that is called."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from keys.records import PathRule
from providers.catalog import CATALOG
from providers.records import CustomProviderRecord, CustomRouteRecord, ProviderRecord
from routes.records import RouteRecord, RouteStepRecord
from tests.provider_settings import setting_at
from tests.proxy_gateway import UNENCRYPTED, Caller, PlainDoors, RunningProxy, proxy_in_thread
from tests.upstream import Upstream

HELLO = [{"role": "user", "content": "hi"}]
MINE, OTHER = "mine-1", "other-1"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that names a model: `{model}` in the path, or the body's member. provider: whose setting it needs."""

    provider: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    member: str = "model"
    form: bool = False

    @property
    def name(self) -> str:
        """A test's name."""
        return f"{self.provider} {self.path.partition('?')[0].rpartition('/')[2]}"

    def target(self, model: str) -> str:
        return self.path.replace("{model}", model)

    def options(self, model: str) -> dict[str, Any]:
        """What httpx sends."""
        body = self.body if "{model}" in self.path else {**self.body, self.member: model}
        return {"data": body, "files": {"file": b"RIFF"}} if self.form else {"json": body}


def chat(provider: str, path: str = "v1/chat/completions", **more: Any) -> Asked:
    return Asked(provider, f"/api/providers/{provider}/{path}", {"messages": HELLO, **more})


ASKED = [
    chat("openai"),
    chat("openai", stream=True),
    Asked("openai", "/api/providers/openai/v1/responses", {"input": "hi"}),
    Asked("openai", "/api/providers/openai/v1/completions", {"prompt": "hi"}),
    Asked("openai", "/api/providers/openai/v1/embeddings", {"input": "hi"}),
    Asked("openai", "/api/providers/openai/v1/images/generations", {"prompt": "hi"}),
    Asked("openai", "/api/providers/openai/v1/audio/speech", {"input": "hi", "voice": "alloy"}),
    Asked("openai", "/api/providers/openai/v1/audio/transcriptions", {}, form=True),
    Asked("openai", "/api/providers/openai/v1/fine_tuning/jobs", {"training_file": "file-1"}),
    chat("anthropic", "v1/messages", max_tokens=5),
    chat("anthropic", "v1/messages/count_tokens"),
    chat("anthropic"),
    Asked("anthropic", "/api/providers/anthropic/v1/complete", {"prompt": "hi", "max_tokens_to_sample": 5}),
    Asked(
        "azure", "/api/providers/azure/openai/deployments/{model}/chat/completions?api-version=1", {"messages": HELLO}
    ),
    Asked("azure", "/api/providers/azure/openai/deployments/{model}/embeddings?api-version=1", {"input": "hi"}),
    chat("azure", "openai/v1/chat/completions"),
    chat("bedrock", "anthropic/v1/messages", max_tokens=5),
    Asked("bedrock", "/api/providers/bedrock/model/{model}/invoke", {"messages": HELLO, "max_tokens": 5}),
    Asked("bedrock", "/api/providers/bedrock/model/{model}/invoke-with-response-stream", {"max_tokens": 5}),
    Asked("bedrock", "/api/providers/bedrock/model/{model}/converse", {"messages": []}),
    Asked("bedrock", "/api/providers/bedrock/model/{model}/converse-stream", {"messages": []}),
    *(chat(name) for name, kind in CATALOG.items() if kind.dialect is not None or name == "vllm"),
    Asked("acme", "/api/custom/providers/acme/generate", {"say": "hi"}, member="engine"),
]
asked = pytest.mark.parametrize("asked", ASKED, ids=lambda each: each.name)
ACME = CustomRouteRecord("/generate", "set by the fixture", model_location="engine", request_prompt_location="say")


@pytest.fixture(scope="module")
def guarded(running_upstream: Upstream) -> Iterator[RunningProxy]:
    """Every provider has a setting for any model, and one only for MINE."""
    settings = [setting_at(running_upstream.url, name) for name in CATALOG]
    settings.append(ProviderRecord(id="setting-acme", provider="acme", secrets={"token": "acme-token"}))
    narrow = [replace(each, id=f"narrow-{each.provider}", allowed_models=frozenset({MINE})) for each in settings]
    acme = replace(ACME, target_url=f"{running_upstream.url}/own/generate")
    route = RouteRecord(
        "r-1", "ours", "/ours", "chat", (RouteStepRecord("openai", OTHER), RouteStepRecord("groq", MINE))
    )
    doors = PlainDoors(
        settings={each.id: each for each in (*settings, *narrow)},
        custom={"acme": CustomProviderRecord("c-1", "acme", "token", {acme.path: acme})},
        routes={"/ours": replace(route, key_ids=frozenset({ROUTE_KEY}))},
    )
    with proxy_in_thread(doors) as running:
        yield running


ROUTE_KEY = "00000000-0000-4000-8000-0000000000bb"


@pytest.fixture
def gateway(guarded: RunningProxy, upstream: Upstream) -> RunningProxy:
    return guarded


def call(caller: Caller, asked: Asked, model: str, *, method: str = "POST", target: str = "") -> httpx.Response:
    url = caller.gateway.url + (target or asked.target(model))
    return httpx.request(method, url, headers=caller.headers, timeout=10, verify=UNENCRYPTED, **asked.options(model))


def code_of(answer: httpx.Response) -> str:
    """The gateway's own code, in whatever shape the provider's clients expect errors."""
    assert answer.headers.get("x-gateway-error") == "true", answer.text
    document = answer.json()
    error = document.get("error", document)
    code: str = error["code"] if "code" in error else error["details"]["error_code"]
    return code


def assert_refused(answer: httpx.Response, code: str, caller: Caller, upstream: Upstream) -> None:
    """Nothing was sent, and the refusal is on record."""
    assert (answer.status_code, code_of(answer)) == (403, code)
    assert upstream.count() == 0
    event = caller.event()
    assert (event.status, event.ending, event.error_code, event.cost_nano) == (403, "refused", code, 0)


def assert_passed(answer: httpx.Response, upstream: Upstream) -> None:
    assert "x-gateway-error" not in answer.headers, answer.text
    assert upstream.count() == 1


@asked
def test_a_setting_serves_only_the_paths_of_its_own_provider(
    asked: Asked, gateway: RunningProxy, upstream: Upstream
) -> None:
    others = [each for each in gateway.doors.settings if not each.endswith(f"-{asked.provider}")]
    caller = gateway.caller(setting_ids=tuple(others))
    assert_refused(call(caller, asked, MINE), "no_setting", caller, upstream)
    both = gateway.caller(setting_ids=(*others, f"setting-{asked.provider}"))
    assert_passed(call(both, asked, MINE), upstream)
    assert both.event().setting_id == f"setting-{asked.provider}"


@asked
def test_only_allowed_models_may_be_named(asked: Asked, gateway: RunningProxy, upstream: Upstream) -> None:
    caller = gateway.caller(setting_ids=(f"narrow-{asked.provider}",))
    assert_refused(call(caller, asked, OTHER), "model_not_allowed", caller, upstream)
    assert_passed(call(gateway.caller(setting_ids=(f"narrow-{asked.provider}",)), asked, MINE), upstream)


@asked
def test_a_model_that_one_setting_refuses_may_be_another_ones(
    asked: Asked, gateway: RunningProxy, upstream: Upstream
) -> None:
    caller = gateway.caller(setting_ids=(f"narrow-{asked.provider}", f"setting-{asked.provider}"))
    assert_passed(call(caller, asked, OTHER), upstream)
    assert caller.event().setting_id == f"setting-{asked.provider}"


@asked
def test_only_allowed_paths_may_be_called(asked: Asked, gateway: RunningProxy, upstream: Upstream) -> None:
    path, setting = asked.target(MINE).partition("?")[0], (f"setting-{asked.provider}",)
    for rule in (PathRule("POST", path + "x"), PathRule("GET", path), PathRule("POST", "/api/providers/nobody/*")):
        caller = gateway.caller(setting_ids=setting, allowed_paths=(rule,))
        assert_refused(call(caller, asked, MINE), "path_not_allowed", caller, upstream)
    for number, rule in enumerate((PathRule("POST", path), PathRule("*", path.rpartition("/")[0] + "/*")), start=1):
        caller = gateway.caller(setting_ids=setting, allowed_paths=(rule,))
        assert "x-gateway-error" not in call(caller, asked, MINE).headers
        assert upstream.count() == number


# How somebody might name another model than the one that is looked at: provider, path, body as it is written.
SMUGGLED = [
    ("openai", "/v1/chat/completions", '{"model":"mine-1","model":"other-1","messages":[]}'),
    ("openai", "/v1/chat/completions", '{"mod\\u0065l":"other-1","model":"mine-1","messages":[]}'),
    ("openai", "/v1/chat/completions", '{"messages":[]}'),
    ("openai", "/v1/chat/completions", '{"model":null,"messages":[]}'),
    ("openai", "/v1/chat/completions", '{"model":["mine-1"],"messages":[]}'),
    ("openai", "/v1/chat/completions", '{"model":"mine-1 ","messages":[]}'),
    ("openai", "/v1/chat/completions", '{"model":"MINE-1","messages":[]}'),
    ("openrouter", "/v1/chat/completions", '{"model":"mine-1","models":["other-1"],"messages":[]}'),
    ("openrouter", "/v1/chat/completions", '{"models":["mine-1"],"messages":[]}'),
    ("openrouter", "/v1/chat/completions", '{"model":"mine-1","models":["other-1"],"models":["mine-1"],"messages":[]}'),
    ("anthropic", "/v1/messages", '{"model":"mine-1","model":"other-1","max_tokens":5,"messages":[]}'),
    (
        "anthropic",
        "/v1/messages/batches",
        '{"requests":[{"custom_id":"1","params":{"model":"mine-1"}},{"custom_id":"2","params":{"model":"other-1"}}]}',
    ),
    ("azure", "/openai/deployments/other-1/chat/completions?api-version=1", '{"model":"mine-1","messages":[]}'),
    ("azure", "/openai/deployments/other%2D1/chat/completions?api-version=1", '{"model":"mine-1","messages":[]}'),
    ("azure", "/openai/Deployments/other-1/chat/completions?api-version=1", '{"model":"mine-1","messages":[]}'),
    ("bedrock", "/model/other-1/invoke", '{"model":"mine-1","modelId":"mine-1","max_tokens":5}'),
    ("bedrock", "/model/other%2D1/converse", '{"messages":[],"modelId":"mine-1"}'),
    ("bedrock", "/anthropic/v1/messages", '{"model":"other-1","model":"mine-1","max_tokens":5,"messages":[]}'),
]


@pytest.mark.parametrize(("provider", "path", "body"), SMUGGLED)
def test_no_other_model_can_be_smuggled_in(
    provider: str, path: str, body: str, gateway: RunningProxy, upstream: Upstream
) -> None:
    caller = gateway.caller(setting_ids=(f"narrow-{provider}",))
    headers = {**caller.headers, "content-type": "application/json"}
    url = f"{gateway.url}/api/providers/{provider}{path}"
    answer = httpx.post(url, content=body, headers=headers, timeout=10, verify=UNENCRYPTED)
    assert answer.status_code in (400, 403), answer.text
    assert code_of(answer) in ("model_not_allowed", "duplicate_member", "invalid_member")
    assert upstream.count() == 0


def test_a_route_serves_its_own_keys_only(gateway: RunningProxy, upstream: Upstream) -> None:
    stranger = gateway.caller(setting_ids=("setting-openai", "setting-groq"))
    ours = Asked("openai", "/api/routes/ours", {"messages": HELLO})
    assert_refused(call(stranger, ours, MINE), "route_not_allowed", stranger, upstream)


def test_a_step_goes_only_where_the_settings_allow_its_model(gateway: RunningProxy, upstream: Upstream) -> None:
    caller = gateway.caller(id=ROUTE_KEY, setting_ids=("narrow-openai", "narrow-groq"))
    answer = call(caller, Asked("openai", "/api/route/ours", {"messages": HELLO}), MINE)
    assert answer.status_code == 200, answer.text
    assert upstream.count() == 1
    seen = upstream.last()
    assert (seen.path, json.loads(seen.body)["model"]) == ("/openai/v1/chat/completions", MINE)
    assert caller.event().setting_id == "narrow-groq"
