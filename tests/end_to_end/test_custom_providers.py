"""Tests of providers that operators describe: what is forwarded, counted, priced and refused, over real sockets."""

import time
from dataclasses import replace
from typing import Any

import pytest
from openai import OpenAI

from fake_upstream.text import words
from providers.records import CustomProviderRecord, ProviderRecord
from providers.tokens import count_tokens
from tests.end_to_end.acme import OWN, SAID, TEXT, assert_counted, error_of, last, new_caller, send
from tests.proxy_gateway import Caller, RunningProxy
from tests.services import free_port
from tests.upstream import Upstream


@pytest.fixture
def gateway(running_acme: RunningProxy, upstream: Upstream) -> RunningProxy:
    """The proxy that knows acme, before an upstream that remembers nothing."""
    return running_acme


@pytest.fixture
def caller(gateway: RunningProxy) -> Caller:
    return new_caller(gateway)


def test_a_request_arrives_as_it_was_sent_with_the_settings_secret(caller: Caller, upstream: Upstream) -> None:
    content = b'{ "unknown":[1.0,1e2,{}],\t"engine" : {"name":"m-1"}, "input":{"turns":[{"say":"Hello \\u00e4"}]}}\n'
    headers = {"content-type": "application/json", "x-own": "kept", "cookie": "no", "x-api-key": caller.secret}
    answer = send(caller, "acme/v1/generate?a=1&b=%2F", content=content, headers=headers)
    assert answer.status_code == 200
    assert answer.json() == {"result": {"pieces": words(16)}}
    seen = last(upstream)
    assert (seen.method, seen.target, seen.body) == ("POST", "/own/generate?a=1&b=%2F", content)
    assert seen.header("authorization") == "Bearer acme-secret"
    assert (seen.header("x-own"), seen.header("cookie"), seen.header("x-api-key")) == ("kept", None, None)
    assert caller.secret not in str(seen.headers)


def test_tokens_are_counted_and_priced(caller: Caller) -> None:
    assert send(caller).status_code == 200
    event = caller.event()
    assert_counted(event, TEXT)
    assert (event.provider, event.operation, event.request_model, event.setting_id) == (
        "acme", "custom", "m-1", "acme-1",
    )  # fmt: skip
    assert (event.path, event.ending, event.stream) == ("/api/custom/providers/acme/v1/generate", "completed", False)


def test_an_answer_without_text_where_it_should_be_is_counted_as_a_whole(gateway: RunningProxy) -> None:
    caller = new_caller(gateway)
    answer = send(caller, "acme/elsewhere")  # echoed: there is no `result` in it
    assert caller.event().output_tokens == count_tokens(answer.text, "m-1") > 10


def test_the_setting_s_cost_map_prices_as_well(gateway: RunningProxy) -> None:
    caller = new_caller(gateway, "acme-mapped")
    send(caller, members={"engine": {"name": "Mapped"}})
    event = caller.event()
    assert event.cost_nano == 5 * count_tokens(SAID, "m-1") + 7 * count_tokens(TEXT, "m-1")


def test_a_model_without_a_price_is_recorded_so_and_refused_where_cost_is_limited(
    gateway: RunningProxy, upstream: Upstream
) -> None:
    free, limited = new_caller(gateway), new_caller(gateway, cost_limit_nano=10**9)
    members = {"engine": {"name": "nobody-priced-this"}}
    assert send(free, members=members).status_code == 200
    assert (free.event().price_status, free.event().cost_nano) == ("unpriced", 0)
    upstream.reset()
    answer = send(limited, members=members)
    assert (answer.status_code, error_of(answer)["code"]) == (403, "model_unpriced")
    assert "nobody-priced-this" in error_of(answer)["message"]
    assert upstream.count() == 0


def test_a_cost_limit_refuses_what_may_cost_more_than_is_left(gateway: RunningProxy, upstream: Upstream) -> None:
    # 512 tokens at 2 nano-dollars are reserved for the answer of a model whose maximum nobody knows.
    caller = new_caller(gateway, cost_limit_nano=1_000)
    answer = send(caller)
    assert (answer.status_code, error_of(answer)["code"]) == (402, "cost_limit_reached")
    assert upstream.count() == 0
    assert send(caller, members={"engine": {"name": "m-short"}}).status_code == 200
    answer = send(caller, members={"most": 20})
    assert answer.json()["result"]["pieces"] == words(16)


def test_spend_stays_within_the_limit(gateway: RunningProxy) -> None:
    limit = 2_000
    caller = new_caller(gateway, cost_limit_nano=limit)
    statuses = [send(caller, members={"live": number % 2 == 0}).status_code for number in range(60)]
    assert set(statuses) == {200, 402}
    spent = sum(event.cost_nano for event in caller.events())
    assert limit - 1_250 < spent <= limit


def test_models_that_are_not_allowed_are_refused(gateway: RunningProxy, upstream: Upstream) -> None:
    caller = new_caller(gateway, "acme-narrow")
    assert send(caller).status_code == 200
    upstream.reset()
    engines: tuple[Any, ...] = ({"name": "m-2"}, {}, None)
    for engine in engines:
        answer = send(caller, members={"engine": engine})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "model_not_allowed")
    assert upstream.count() == 0


@pytest.mark.parametrize(
    ("path", "method", "code"),
    [
        ("nobody/v1/generate", "POST", "custom_provider_not_found"),
        ("ACME/v1/generate", "POST", "custom_provider_not_found"),
        ("acme", "POST", "custom_path_not_found"),
        ("acme/", "POST", "custom_path_not_found"),
        ("acme/v1/generate/", "POST", "custom_path_not_found"),
        ("acme/v1/generate/more", "POST", "custom_path_not_found"),
        ("acme/V1/generate", "POST", "custom_path_not_found"),
        ("acme/v1/generate", "PATCH", "custom_path_not_found"),
        ("acme/lines", "GET", "custom_path_not_found"),
    ],
)
def test_name_path_and_method_are_those_of_the_configuration(
    caller: Caller, upstream: Upstream, path: str, method: str, code: str
) -> None:
    answer = send(caller, path, method)
    assert (answer.status_code, error_of(answer)["code"]) == (404, code)
    assert upstream.count() == 0


def test_a_path_that_could_be_read_as_another_is_refused(caller: Caller) -> None:
    answer = send(caller, "acme/%2e%2e/generate")
    assert (answer.status_code, error_of(answer)["code"]) == (400, "bad_path")


def test_settings_serve_their_own_provider_only(gateway: RunningProxy, upstream: Upstream) -> None:
    for setting_id, path in (("setting-1", "acme/v1/generate"), ("acme-1", "open/v1/generate")):
        answer = send(new_caller(gateway, setting_id), path)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "no_setting")
    answer = new_caller(gateway, "acme-1").post(json={"model": "gpt-4o", "messages": []})
    assert (answer.status_code, error_of(answer)["code"]) == (403, "no_setting")
    assert upstream.count() == 0


def test_the_methods_of_the_route_config_are_served(caller: Caller, upstream: Upstream) -> None:
    assert send(caller, method="PUT").json() == {"result": {"pieces": words(16)}}
    assert_counted(caller.event(), TEXT)
    for number, method in enumerate(("GET", "DELETE"), 2):
        assert send(caller, "acme/elsewhere?page=2", method).status_code == 200
        assert (last(upstream).method, last(upstream).target) == (method, "/own/elsewhere?page=2")
        assert last(upstream).header("authorization") == "Bearer acme-secret"
        assert caller.event(number=number).price_status == "free"


def test_what_is_free_takes_no_body(caller: Caller, upstream: Upstream) -> None:
    answer = send(caller, "acme/elsewhere", "GET", content=b'{"input":"for nothing"}')
    assert (answer.status_code, error_of(answer)["code"]) == (400, "unexpected_body")
    assert upstream.count() == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"engine":{"name":"m-1","name":"m-2"}}', "duplicate_member"),
        (b'{"engine":{"name":"m-1"},"input":{"turns":[{"say":"a","say":"b"}]}}', "duplicate_member"),
        (b'{"engine":{"name":7}}', "invalid_member"),
        (b'{"engine":', "invalid_json"),
        (b"[]", "invalid_json"),
        (b"", "invalid_json"),
        (b"[" * 5000, "invalid_json"),
    ],
)
def test_bodies_that_could_be_read_in_two_ways_are_refused(
    caller: Caller, upstream: Upstream, content: bytes, code: str
) -> None:
    answer = send(caller, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == (400, code)
    assert upstream.count() == 0


def test_an_error_of_the_provider_passes_and_costs_nothing(caller: Caller, upstream: Upstream) -> None:
    upstream.fail("bad-status=418")
    answer = send(caller, members={"live": True})
    assert answer.status_code == 418
    assert "x-gateway-error" not in answer.headers
    assert (caller.event().cost_nano, caller.event().price_status) == (0, "free")


def test_a_provider_that_cannot_be_reached_is_told_in_openais_shape(gateway: RunningProxy) -> None:
    doors = gateway.doors
    nowhere = replace(OWN, target_url=f"http://127.0.0.1:{free_port()}/never")
    doors.custom["nowhere"] = CustomProviderRecord("custom-2", "nowhere", "", {OWN.path: nowhere})
    doors.settings["nowhere-1"] = ProviderRecord(id="nowhere-1", provider="nowhere")
    caller = new_caller(gateway, "nowhere-1")
    deadline = time.monotonic() + 5
    while (answer := send(caller, "nowhere/v1/generate")).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (answer.status_code, error_of(answer)["code"]) == (502, "upstream_unreachable")


def test_a_provider_without_authentication_gets_none(gateway: RunningProxy, upstream: Upstream) -> None:
    gateway.doors.settings["open-1"] = ProviderRecord(id="open-1", provider="open")
    caller = new_caller(gateway, "open-1")
    deadline = time.monotonic() + 5
    while (answer := send(caller, "open/v1/generate")).status_code == 403 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert answer.status_code == 200
    assert last(upstream).header("authorization") is None


def test_the_openai_sdk_works_against_one_that_speaks_its_dialect(caller: Caller) -> None:
    url = f"{caller.gateway.url}/api/custom/providers/acme/openai"
    with OpenAI(api_key=caller.secret, base_url=url, max_retries=0) as sdk:
        answer = sdk.chat.completions.create(model="m-1", messages=[{"role": "user", "content": SAID}])
        assert answer.choices[0].message.content == TEXT
        assert answer.usage is not None
        event = caller.event()
        assert (event.input_tokens, event.output_tokens) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
        stream = sdk.chat.completions.create(model="m-1", messages=[{"role": "user", "content": SAID}], stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == TEXT
    assert_counted(caller.event(number=2), TEXT)
