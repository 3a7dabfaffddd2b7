"""Tests of refusals and failures with the official SDK: the right exception, and as many tries as our headers say."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from gateway_project.shared import clock
from keys.records import PathRule
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, openai_setting, proxy_in_thread, waited_for
from tests.upstream import Upstream

HI: Any = [{"role": "user", "content": "hi"}]


def chat(client: OpenAI, **changes: Any) -> Any:
    return client.chat.completions.create(**{"model": "gpt-4o", "messages": HI, "max_tokens": 16, **changes})


def seconds_left_of_the_minute() -> int:
    return 60 - clock.now() % 60


@pytest.fixture
def early_in_the_minute() -> None:
    """A test that needs several requests within one minute does not start at its end."""
    if seconds_left_of_the_minute() < 5:
        time.sleep(seconds_left_of_the_minute() + 0.1)


def test_no_such_key(gateway: RunningProxy, upstream: Upstream) -> None:
    with (
        OpenAI(api_key="wrong", base_url=gateway.openai_url) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        chat(client)
    assert (caught.value.status_code, caught.value.code) == (401, "invalid_api_key")
    assert caught.value.type == "authentication_error"
    assert "wrong" not in str(caught.value.body)
    assert caught.value.response.headers["x-gateway-error"] == "true"
    assert upstream.count() == 0


def test_no_key_at_all(gateway: RunningProxy) -> None:
    answer = httpx.post(f"{gateway.openai_url}/chat/completions", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "missing_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"revoked": True, "revoked_reason": "left the team"}, "key_revoked"),
        ({"expires_at": 1_000_000}, "key_expired"),
    ],
)
def test_a_key_that_is_no_longer_valid(
    gateway: RunningProxy, upstream: Upstream, changes: dict[str, Any], code: str
) -> None:
    caller = gateway.caller(**changes)
    with pytest.raises(openai.AuthenticationError) as caught:
        chat(caller.sdk(max_retries=2))
    assert caught.value.code == code
    event = caller.event()
    assert (event.status, event.ending, event.error_code, event.requests, event.cost_nano) == (
        401, "refused", code, 0, 0,
    )  # fmt: skip
    assert upstream.count() == 0


def test_a_path_the_key_may_not_use(gateway: RunningProxy) -> None:
    rule = PathRule("POST", "/api/providers/openai/v1/chat/completions")
    caller = gateway.caller(allowed_paths=(rule,))
    with pytest.raises(openai.PermissionDeniedError) as caught:
        caller.sdk(max_retries=2).models.list()
    assert (caught.value.code, caught.value.type) == ("path_not_allowed", "permission_error")
    chat(caller.sdk())
    assert [event.status for event in caller.events()] == [403, 200]


def test_a_model_the_setting_does_not_allow(gateway: RunningProxy, upstream: Upstream) -> None:
    doors = gateway.doors
    doors.settings["narrow"] = openai_setting(upstream.url, id="narrow", allowed_models=frozenset({"gpt-4o-mini"}))
    doors.version += 1
    caller = gateway.caller(setting_ids=("narrow",))
    time.sleep(0.15)  # the next poll takes the setting into the snapshot
    client = caller.sdk(max_retries=2)
    with pytest.raises(openai.PermissionDeniedError) as caught:
        chat(client)
    assert caught.value.code == "model_not_allowed"
    with pytest.raises(openai.PermissionDeniedError):
        client.models.retrieve("gpt-4o")
    assert chat(client, model="gpt-4o-mini").choices
    assert upstream.count() == 1


def test_a_path_of_no_provider(caller: Caller) -> None:
    with (
        OpenAI(api_key=caller.secret, base_url=f"{caller.gateway.url}/nowhere/v1") as client,
        pytest.raises(openai.NotFoundError) as caught,
    ):
        chat(client)
    assert caught.value.code == "path_not_found"


def test_an_error_of_the_upstream_passes_through(caller: Caller) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        chat(caller.sdk(), model="does-not-exist")
    assert (caught.value.code, caught.value.type) == ("model_not_found", "invalid_request_error")
    assert "x-gateway-error" not in caught.value.response.headers
    event = caller.event()
    assert (event.status, event.ending, event.cost_nano, event.price_status) == (404, "completed", 0, "free")
    assert event.upstream_request_id


def test_a_body_the_upstream_refuses(caller: Caller) -> None:
    with pytest.raises(openai.BadRequestError, match="messages"):
        caller.sdk().post("/chat/completions", body={"model": "gpt-4o"}, cast_to=object)


def test_a_body_the_gateway_refuses(caller: Caller, upstream: Upstream) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        caller.sdk().post("/chat/completions", body={"model": 5, "messages": HI}, cast_to=object)
    assert caught.value.code == "invalid_member"
    assert "model" in caught.value.message
    assert upstream.count() == 0


def test_too_many_requests_are_told_when_to_come_back_and_not_to_try_meanwhile(
    gateway: RunningProxy, upstream: Upstream, well_before_midnight: None
) -> None:
    caller = gateway.caller(request_limit=2, request_window_unit="d")
    client = caller.sdk(max_retries=5)
    first = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HI)
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    chat(client)
    with pytest.raises(openai.RateLimitError) as caught:
        chat(client)
    headers = caught.value.response.headers
    assert caught.value.code == "rate_limit_reached"
    assert 60 < int(headers["retry-after"]) <= 86_400
    assert headers["x-should-retry"] == "false"
    body: Any = caught.value.body
    assert body["metadata"]["limit"] | {"resets_at": 0} == {
        "scope": "key", "unit": "requests", "limit": 2, "used": 2, "resets_at": 0,
    }  # fmt: skip
    events = caller.events()
    assert [(event.status, event.requests) for event in events] == [(200, 1), (200, 1), (429, 0)]
    assert upstream.count() == 2


def test_a_short_wait_is_waited_for(gateway: RunningProxy, upstream: Upstream) -> None:
    caller = gateway.caller(request_limit=1, request_window_unit="s")
    client = caller.sdk(max_retries=3)
    started = time.monotonic()
    for _ in range(2):
        chat(client)
    assert time.monotonic() - started < 3
    assert upstream.count() == 2


def test_a_spent_key_is_told_to_stop(gateway: RunningProxy, upstream: Upstream) -> None:
    # A chat costs 8 + 2 x 16; at most, a token per byte of its body, the envelope, and 2 x 16.
    caller = gateway.caller(cost_limit_nano=280)
    client = caller.sdk(max_retries=5)
    chat(client)
    chat(client)
    chat(client)
    with pytest.raises(openai.APIStatusError) as caught:
        chat(client)
    assert (caught.value.status_code, caught.value.code) == (402, "cost_limit_reached")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert "max_tokens" in caught.value.message
    events = caller.events()
    assert events[-1].status == 402
    assert [event.cost_nano for event in events] == [40, 40, 40, 0]
    assert upstream.count() == 3  # the refused call was made once, and never reached the upstream


def test_a_model_without_a_price_is_refused_where_cost_is_limited(gateway: RunningProxy) -> None:
    with pytest.raises(openai.PermissionDeniedError) as caught:
        chat(gateway.caller(cost_limit_nano=10**12).sdk(), model="gpt-7")
    assert caught.value.code == "model_unpriced"
    assert "gpt-7" in caught.value.message
    caller = gateway.caller()
    chat(caller.sdk(), model="gpt-7")
    event = caller.event()
    assert (event.price_status, event.cost_nano, event.output_tokens) == ("unpriced", 0, 16)


def test_what_nobody_can_bound_is_refused_where_cost_is_limited(gateway: RunningProxy) -> None:
    with pytest.raises(openai.PermissionDeniedError) as caught:
        gateway.caller(cost_limit_nano=10**12).sdk().vector_stores.create(name="x")
    assert caught.value.code == "unmetered_path"
    assert gateway.caller(cost_limit_nano=10**12, allow_unmetered=True).sdk().vector_stores.create(name="x").id


def test_an_upstream_that_breaks_off(caller: Caller) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(caller.sdk(), extra_headers={"x-fake-fault": "drop"})
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_failed")
    event = caller.event()
    assert (event.status, event.ending, event.usage_source) == (502, "upstream_failed", "counted")


def test_an_upstream_that_is_not_there(upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    doors = PlainDoors(settings={"setting-1": openai_setting(f"http://127.0.0.1:{port}")})
    with proxy_in_thread(doors) as gateway:
        caller = gateway.caller()
        with pytest.raises(openai.InternalServerError) as caught:
            chat(caller.sdk())
        assert (caught.value.status_code, caught.value.code) == (502, "upstream_unreachable")
        event = caller.event()
        assert (event.cost_nano, event.input_tokens, event.usage_source) == (0, 0, "none")


def test_an_upstream_that_does_not_answer(caller: Caller, upstream: Upstream) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(caller.sdk(), extra_headers={"x-fake-fault": "hang", "x-request-timeout": "300ms"})
    assert (caught.value.status_code, caught.value.code) == (504, "upstream_timed_out")
    event = caller.event()
    assert (event.status, event.ending) == (504, "upstream_failed")
    assert event.input_tokens > 0
    assert upstream.wait_for_ending("client-left")


@pytest.mark.parametrize("text", ["soon", "-1s", "0s", "5", "30h", ""])
def test_a_timeout_nobody_can_read(caller: Caller, text: str) -> None:
    if not text:
        chat(caller.sdk(), extra_headers={"x-request-timeout": text})
        return
    with pytest.raises(openai.BadRequestError) as caught:
        chat(caller.sdk(), extra_headers={"x-request-timeout": text})
    assert caught.value.code == "invalid_timeout"


@pytest.fixture
def full_disk(gateway: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The disk has less room than must be left."""
    with monkeypatch.context() as patch:
        patch.setattr("proxy.recorder.ROOM_BYTES", 1 << 60)
        waited_for(gateway.proxy.trouble)
        yield
    waited_for(lambda: not gateway.proxy.trouble())


def test_a_full_disk_refuses_new_requests(caller: Caller, upstream: Upstream, full_disk: None) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(caller.sdk())
    assert (caught.value.status_code, caught.value.code) == (503, "spool_full")
    assert caught.value.response.headers["retry-after"] == "5"
    assert upstream.count() == 0


def test_a_429_of_the_upstream_is_retried_when_it_says(caller: Caller, upstream: Upstream) -> None:
    upstream.fail("429=1")
    assert chat(caller.sdk(max_retries=1)).choices
    first, second = caller.events()
    assert (first.status, first.cost_nano, second.status) == (429, 0, 200)
    assert upstream.count() == 2
