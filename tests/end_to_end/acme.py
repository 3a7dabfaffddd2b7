"""A provider that an operator described, called acme, whose dialect is its own; and its callers."""

import json
from dataclasses import replace
from typing import Any

import httpx

from fake_upstream.text import words
from providers.records import CostMap, CustomProviderRecord, CustomRouteRecord, ProviderRecord
from providers.tokens import count_tokens
from reporting.records import UsageEventRecord
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, openai_setting, price
from tests.upstream import SeenRequest, Upstream

SAID = "Tell me about foxes, please."
TEXT = "".join(words(16))
OWN = CustomRouteRecord(
    path="/v1/generate",
    target_url="set by the fixture",
    methods=frozenset({"POST", "PUT", "GET", "DELETE"}),
    model_location="engine.name",
    request_prompt_location="input.turns.#.say",
    max_tokens_location="most",
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


def new_caller(gateway: RunningProxy, setting_id: str = "acme-1", **key_changes: Any) -> Caller:
    return gateway.caller(setting_ids=(setting_id,), **key_changes)


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


def acme_doors(url: str) -> PlainDoors:
    """Doors to acme, and to `open`, which is the same without authentication."""
    setting = ProviderRecord(id="acme-1", provider="acme", secrets={"token": "acme-secret"})
    own_prices = CostMap(input_pico={"mapped": 5_000}, output_pico={"mapped": 7_000})
    return PlainDoors(
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
