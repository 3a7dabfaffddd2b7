"""Tests of providers that operators describe: a dialect nobody knows, plain and streaming, over real sockets."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from openai import OpenAI

from fake_upstream.text import words
from providers.records import CostMap, CustomProviderRecord, CustomRouteRecord, ProviderRecord
from providers.tokens import count_tokens
from reporting.records import UsageEventRecord
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, openai_setting, price, proxy_in_thread
from tests.upstream import SeenRequest, Upstream

SAID = "Tell me about foxes, please."
TEXT = "".join(words(16))
LIMIT_NANO = 10**9
OWN = CustomRouteRecord(
    path="/v1/generate",
    target_url="set by the fixture",
    methods=frozenset({"POST", "PUT", "GET", "DELETE"}),
    model_location="engine.name",
    request_prompt_location="input.turns.#.say",
    response_completion_location="result.pieces",
    stream_location="live",
    stream_response_completion_location="piece",
    stream_end_word="<<end>>",
    stream_max_empty_messages=6,
)
OPENAI_LIKE = CustomRouteRecord(
    path="/openai/chat/completions",
    target_url="set by the fixture",
    model_location="model",
    request_prompt_location="messages.#.content",
    response_completion_location="choices.#.message.content",
    stream_location="stream",
    stream_response_completion_location="choices.#.delta.content",
    stream_end_word="[DONE]",
    stream_max_empty_messages=10,
)


def acme(url: str) -> CustomProviderRecord:
    routes = (
        replace(OWN, target_url=f"{url}/own/generate"),
        replace(OWN, path="/lines", target_url=f"{url}/own/lines", methods=frozenset({"POST"})),
        replace(OWN, path="/elsewhere", target_url=f"{url}/own/elsewhere"),
        replace(OPENAI_LIKE, target_url=f"{url}/v1/chat/completions"),
    )
    return CustomProviderRecord("custom-1", "acme", "token", {route.path: route for route in routes})


@pytest.fixture(scope="module")
def running_acme(running_upstream: Upstream) -> Iterator[RunningProxy]:
    url = running_upstream.url
    setting = ProviderRecord(id="acme-1", provider="acme", secrets={"token": "acme-secret"})
    own_prices = CostMap(input_pico={"mapped": 5_000}, output_pico={"mapped": 7_000})
    doors = PlainDoors(
        settings={
            "acme-1": setting,
            "acme-mapped": replace(setting, id="acme-mapped", cost_map=own_prices),
            "acme-narrow": replace(setting, id="acme-narrow", allowed_models=frozenset({"m-1"})),
            "setting-1": openai_setting(url),
        },
        prices={
            ("acme", "m-1"): price(provider="acme", model="m-1"),
            ("acme", "m-short"): price(provider="acme", model="m-short", max_output_tokens=64),
        },
        custom={"acme": acme(url), "open": replace(acme(url), name="open", authentication_param="")},
    )
    with proxy_in_thread(doors, default_max_output_tokens=512) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_acme: RunningProxy, upstream: Upstream) -> RunningProxy:
    return running_acme


def new_caller(gateway: RunningProxy, setting_id: str = "acme-1", **key_changes: Any) -> Caller:
    return gateway.caller(setting_ids=(setting_id,), **key_changes)


@pytest.fixture
def caller(gateway: RunningProxy) -> Caller:
    return new_caller(gateway)


def body(**members: Any) -> dict[str, Any]:
    return {"engine": {"name": "m-1"}, "input": {"turns": [{"say": SAID}]}, **members}


def send(caller: Caller, path: str = "acme/v1/generate", method: str = "POST", **options: Any) -> httpx.Response:
    url = f"{caller.gateway.url}/api/custom/providers/{path}"
    if "content" not in options and method in ("POST", "PUT"):
        options["json"] = body(**options.pop("members", {}))
    return httpx.request(method, url, headers={**caller.headers, **options.pop("headers", {})}, timeout=10, **options)


def error_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["x-gateway-error"] == "true"
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    return error


def said_in(stream: str) -> str:
    """The text of a stream of events or lines, which is as a client of that provider would read it."""
    lines = [line.removeprefix("data: ") for line in stream.split("\n") if line]
    return "".join(json.loads(line).get("piece", "") for line in lines if line.startswith("{"))


def assert_counted(event: UsageEventRecord, text: str, *, said: str = SAID) -> None:
    """The event has the tokens of the prompt and of the text, at 1 and 2 nano-dollars each."""
    expected = count_tokens(said, "m-1"), count_tokens(text, "m-1")
    assert (event.input_tokens, event.output_tokens, event.usage_source) == (*expected, "counted")
    assert (event.cost_nano, event.price_status) == (expected[0] + 2 * expected[1], "priced")


def last(upstream: Upstream) -> SeenRequest:
    return upstream.last()


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


def test_an_explicit_false_is_no_stream(caller: Caller) -> None:
    assert send(caller, members={"live": False}).json()["result"]["pieces"]
    assert_counted(caller.event(), TEXT)


@pytest.mark.parametrize(
    ("path", "frame", "kind"),
    [("v1/generate", "data: {}\n\n", "text/event-stream"), ("lines", "{}\n", "application/stream+json")],
)
def test_a_stream_ends_at_its_end_word(caller: Caller, path: str, frame: str, kind: str) -> None:
    answer = send(caller, f"acme/{path}", members={"live": True})
    assert answer.headers["content-type"].startswith(kind)
    assert said_in(answer.text) == TEXT
    assert answer.text.endswith(frame.format("<<end>>"))
    assert answer.text.startswith(frame.format('{"began":true}') + frame.format('{"piece":""}'))
    event = caller.event()
    assert_counted(event, TEXT)
    assert (event.ending, event.stream) == ("completed", True)


@pytest.mark.parametrize("path", ["v1/generate", "lines"])
def test_a_stream_comes_as_it_is_sent_and_what_came_is_charged_when_the_client_leaves(
    caller: Caller, upstream: Upstream, path: str
) -> None:
    upstream.fail("hang=5")
    url = f"{caller.gateway.url}/api/custom/providers/acme/{path}"
    with httpx.stream("POST", url, json=body(live=True), headers=caller.headers, timeout=10) as answer:
        seen = ""
        for part in answer.iter_text():
            seen += part
            if said_in(seen[: seen.rfind("\n") + 1]) == "".join(words(5)):
                break
    event = caller.event(within_s=10)
    assert event.ending == "client_left"
    assert_counted(event, "".join(words(5)))
    upstream.wait_for_ending("client-left")


@pytest.mark.parametrize("path", ["v1/generate", "lines"])
def test_a_stream_without_text_for_too_long_is_ended(caller: Caller, upstream: Upstream, path: str) -> None:
    # Two messages without text begin every stream; the sixth in a row ends it.
    answer = send(caller, f"acme/{path}", members={"live": True, "silent": 500})
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n") if line]
    assert json.loads(lines[-1])["error"]["code"] == "gateway_stream_empty"
    assert len(lines) == 6 + 1
    event = caller.event()
    assert (event.ending, event.error_code) == ("upstream_failed", "stream_empty")
    assert_counted(event, "")


def test_a_stream_may_be_without_text_for_a_while(caller: Caller) -> None:
    assert said_in(send(caller, members={"live": True, "silent": 3}).text) == TEXT
    assert caller.event().ending == "completed"


@pytest.mark.parametrize("path", ["v1/generate", "lines"])
def test_a_stream_that_breaks_ends_with_an_error_in_its_own_framing(
    caller: Caller, upstream: Upstream, path: str
) -> None:
    upstream.fail("cut=4")
    answer = send(caller, f"acme/{path}", members={"live": True})
    *_, error = [line.removeprefix("data: ") for line in answer.text.split("\n") if line]
    assert json.loads(error)["error"]["code"] == "gateway_upstream_stream_broken"
    event = caller.event()
    assert (event.ending, event.error_code) == ("upstream_failed", "upstream_stream_broken")
    assert_counted(event, "".join(words(4)))


def test_a_stream_that_ends_without_its_end_word_has_ended(caller: Caller, upstream: Upstream) -> None:
    upstream.fail("cut-clean=4")
    assert said_in(send(caller, members={"live": True}).text) == "".join(words(4))
    event = caller.event()
    assert event.ending == "completed"
    assert_counted(event, "".join(words(4)))


def test_a_compressed_stream_goes_out_plain(caller: Caller, upstream: Upstream) -> None:
    upstream.fail("gzip")
    answer = send(caller, members={"live": True})
    assert "content-encoding" not in answer.headers
    assert said_in(answer.text) == TEXT
    assert_counted(caller.event(), TEXT)


@pytest.mark.parametrize("live", [True, False])
def test_usage_that_can_mean_one_thing_is_taken(caller: Caller, live: bool) -> None:
    send(caller, members={"live": live, "told": True})
    event = caller.event()
    assert (event.input_tokens, event.output_tokens, event.usage_source) == (1000, 16, "upstream")
    assert event.cost_nano == 1032


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
    free, limited = new_caller(gateway), new_caller(gateway, cost_limit_nano=LIMIT_NANO)
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


def test_spend_stays_within_the_limit(gateway: RunningProxy) -> None:
    limit = 2_000
    caller = new_caller(gateway, cost_limit_nano=limit)
    statuses = [send(caller, members={"live": number % 2 == 0}).status_code for number in range(60)]
    assert set(statuses) == {200, 402}
    spent = sum(event.cost_nano for event in caller.events())
    assert limit - 1_250 < spent <= limit


@pytest.mark.parametrize(("path", "end"), [("v1/generate", "data: <<end>>\n\n"), ("lines", "<<end>>\n")])
def test_a_stream_whose_lease_cannot_grow_is_ended_with_its_end_word(
    gateway: RunningProxy, upstream: Upstream, path: str, end: str
) -> None:
    limit = 8_000
    caller = new_caller(gateway, cost_limit_nano=limit)
    upstream.fail("tokens=20000")
    answer = send(caller, f"acme/{path}", members={"live": True})
    assert answer.text.endswith(end)
    event = caller.event()
    assert (event.ending, event.error_code) == ("cut", "cost_limit_reached")
    assert 3_000 < event.cost_nano <= limit
    assert event.output_tokens == pytest.approx(count_tokens(said_in(answer.text), "m-1"), abs=2)


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
    nowhere = replace(OWN, target_url="http://127.0.0.1:9/never")
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
