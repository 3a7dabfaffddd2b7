"""Tests of refusals and failures with Anthropic's official SDK: the right exception, and as many tries as we say."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

from keys.records import PathRule
from tests.end_to_end import claude
from tests.end_to_end.claude import ASKED, HAIKU, OPUS, fault
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, proxy_in_thread
from tests.upstream import Upstream

Refusal = type[anthropic.APIStatusError]


@pytest.fixture(scope="module")
def served(running_upstream: Upstream) -> Iterator[RunningProxy]:
    with claude.claude_gateway(running_upstream.url) as gateway:
        yield gateway


@pytest.fixture
def gateway(served: RunningProxy, upstream: Upstream) -> RunningProxy:
    """The proxy, before an upstream that remembers nothing."""
    return served


def told(caught: pytest.ExceptionInfo[Any]) -> tuple[str, str, str]:
    error = caught.value
    return error.type, error.error_code, error.body["request_id"]


def check_own(caught: pytest.ExceptionInfo[Any], kind: str, code: str) -> None:
    """An error of the gateway's own, in Anthropic's shape, with an id that its log and events have too."""
    own_id = caught.value.response.headers["x-request-id"]
    assert caught.value.body["type"] == "error"
    assert told(caught) == (kind, code, own_id)
    assert caught.value.request_id == own_id
    assert caught.value.response.headers["x-gateway-error"] == "true"


@pytest.mark.parametrize(
    ("changes", "raised", "said"),
    [
        ({"revoked": True}, anthropic.AuthenticationError, ("authentication_error", "key_revoked")),
        ({"expires_at": 1_000_000}, anthropic.AuthenticationError, ("authentication_error", "key_expired")),
        ({"setting_ids": ()}, anthropic.PermissionDeniedError, ("permission_error", "no_setting")),
        ({"setting_ids": ("narrow",)}, anthropic.PermissionDeniedError, ("permission_error", "model_not_allowed")),
        ({"cost_limit_nano": 1}, anthropic.PaymentRequiredError, ("billing_error", "cost_limit_reached")),
        (
            {"allowed_paths": (PathRule("POST", "/api/providers/anthropic/v1/complete"),)},
            anthropic.PermissionDeniedError, ("permission_error", "path_not_allowed"),
        ),
    ],
)  # fmt: skip
def test_what_the_gateway_refuses(
    gateway: RunningProxy, upstream: Upstream, changes: dict[str, Any], raised: Refusal, said: tuple[str, str]
) -> None:
    caller = gateway.caller(**changes)
    with pytest.raises(raised) as caught:
        claude.sdk(caller, max_retries=2).messages.create(**ASKED)
    check_own(caught, *said)
    assert caller.event().error_code == said[1]
    assert upstream.count() == 0


def test_no_such_key(gateway: RunningProxy) -> None:
    with (
        anthropic.Anthropic(api_key="wrong", base_url=gateway.url + claude.PREFIX, max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.messages.create(**ASKED)
    check_own(caught, "authentication_error", "invalid_api_key")
    assert "wrong" not in str(caught.value.body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b'{"model":5,"max_tokens":1,"messages":[]}', "invalid_member"),
        (b'{"model":"a","max_tokens":"many","messages":[]}', "invalid_member"),
        (b'{"model":"a","max_tokens":1,"messages":[],"metadata":{"user_id":7}}', "invalid_member"),
        (b'{"model":"claude-haiku-4-5","model":"claude-opus-4-8","max_tokens":1,"messages":[]}', "duplicate_member"),
        (b'{"max_tokens":1,"max_tokens":99,"model":"claude-opus-4-8","messages":[]}', "duplicate_member"),
        (b'{"model":"a","max_tokens":1,"messages":[],"system":"a","system":"b"}', "duplicate_member"),
    ],
)
def test_bodies_the_gateway_does_not_take(gateway: RunningProxy, upstream: Upstream, body: bytes, code: str) -> None:
    caller = gateway.caller()
    headers = {"x-api-key": caller.secret, "content-type": "application/json"}
    answer = httpx.post(f"{gateway.url}{claude.PREFIX}/v1/messages", content=body, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["details"]["error_code"]) == (400, "invalid_request_error", code)
    assert upstream.count() == 0


def test_a_body_that_is_too_large(upstream: Upstream) -> None:
    with claude.claude_gateway(upstream.url, max_body_bytes=500) as gateway:
        with pytest.raises(anthropic.ContentTooLargeError) as caught:
            claude.sdk(gateway.caller()).messages.create(**{**ASKED, "system": "x" * 1000})
        check_own(caught, "request_too_large", "body_too_large")


def test_a_model_that_is_allowed(gateway: RunningProxy) -> None:
    client = claude.sdk(gateway.caller(setting_ids=("narrow",)))
    assert client.messages.create(**{**ASKED, "model": HAIKU}).model == HAIKU
    with pytest.raises(anthropic.PermissionDeniedError):
        client.models.retrieve(OPUS)


@pytest.mark.parametrize(
    "more",
    [
        {"fallbacks": [{"model": OPUS}]},
        {"fallbacks": "default"},
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": OPUS}]},
    ],
)
def test_models_that_answer_a_part_are_checked_as_well(
    gateway: RunningProxy, upstream: Upstream, more: dict[str, Any]
) -> None:
    asked: Any = {**ASKED, "model": HAIKU}
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        claude.sdk(gateway.caller(setting_ids=("narrow",))).messages.create(**asked, extra_body=more)
    check_own(caught, "permission_error", "model_not_allowed")
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        claude.sdk(gateway.caller(cost_limit_nano=10**12)).messages.create(**asked, extra_body=more)
    check_own(caught, "permission_error", "unmetered_path")
    assert upstream.count() == 0
    assert claude.sdk(gateway.caller()).messages.create(**asked, extra_body=more).model == HAIKU


def test_models_of_a_batch_are_checked(gateway: RunningProxy, upstream: Upstream) -> None:
    requests: Any = [
        {"custom_id": "1", "params": {**ASKED, "model": HAIKU}},
        {"custom_id": "2", "params": ASKED},
    ]
    batches = claude.sdk(gateway.caller(setting_ids=("narrow",))).messages.batches
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        batches.create(requests=requests)
    check_own(caught, "permission_error", "model_not_allowed")
    assert upstream.count() == 0
    assert batches.create(requests=requests[:1]).type == "message_batch"
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        claude.sdk(gateway.caller(cost_limit_nano=10**12)).messages.batches.create(requests=requests[:1])
    check_own(caught, "permission_error", "unmetered_path")


def test_too_many_requests_are_told_when_to_come_back(
    gateway: RunningProxy, upstream: Upstream, well_before_midnight: None
) -> None:
    caller = gateway.caller(request_limit=1, request_window_unit="d")
    client = claude.sdk(caller, max_retries=5)
    client.messages.create(**ASKED)
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**ASKED)
    check_own(caught, "rate_limit_error", "rate_limit_reached")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert int(caught.value.response.headers["retry-after"]) > 0
    body: Any = caught.value.body
    assert body["error"]["details"]["limit"]["unit"] == "requests"


def test_a_short_wait_is_waited_for(gateway: RunningProxy, upstream: Upstream) -> None:
    client = claude.sdk(gateway.caller(request_limit=1, request_window_unit="s"), max_retries=4)
    for _ in range(2):
        client.messages.create(**ASKED)
    assert upstream.count() == 2


@pytest.mark.parametrize(
    ("name", "raised", "kind"),
    [
        ("bad-status=400", anthropic.BadRequestError, "invalid_request_error"),
        ("bad-status=401", anthropic.AuthenticationError, "authentication_error"),
        ("bad-status=402", anthropic.PaymentRequiredError, "billing_error"),
        ("bad-status=403", anthropic.PermissionDeniedError, "permission_error"),
        ("bad-status=404", anthropic.NotFoundError, "not_found_error"),
        ("bad-status=409", anthropic.ConflictError, "conflict_error"),
        ("bad-status=413", anthropic.ContentTooLargeError, "request_too_large"),
        ("bad-status=422", anthropic.UnprocessableEntityError, "invalid_request_error"),
        ("429=9", anthropic.RateLimitError, "rate_limit_error"),
        ("bad-status=500", anthropic.InternalServerError, "api_error"),
        ("503=4", anthropic.ServiceUnavailableError, "api_error"),
        ("bad-status=504", anthropic.GatewayTimeoutError, "timeout_error"),
        ("bad-status=529", anthropic.OverloadedError, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_of_the_upstream_pass_as_they_are(
    gateway: RunningProxy, name: str, raised: Refusal, kind: str, streamed: bool
) -> None:
    caller = gateway.caller()
    with pytest.raises(raised) as caught:
        claude.sdk(caller).messages.create(**ASKED, stream=streamed, extra_headers=fault(name))
    error = caught.value
    assert error.type == kind
    assert (error.request_id or "").startswith("req_")
    body: Any = error.body
    assert body["request_id"] == error.request_id
    assert "x-gateway-error" not in error.response.headers
    assert "anthropic-organization-id" not in error.response.headers
    assert error.response.headers["x-upstream-ratelimit-requests-limit"] == "4000"
    event = caller.event()
    assert (event.status, event.ending, event.cost_nano, event.price_status) == (
        error.status_code, "completed", 0, "free",
    )  # fmt: skip
    assert event.upstream_request_id == error.request_id


def test_an_upstream_that_is_overloaded_is_asked_again(gateway: RunningProxy, upstream: Upstream) -> None:
    upstream.fail("bad-status=529")
    caller = gateway.caller()
    assert claude.sdk(caller, max_retries=1).messages.create(**ASKED).content
    assert [(event.status, event.cost_nano > 0) for event in caller.events()] == [(529, False), (200, True)]


def test_an_upstream_that_breaks_off(gateway: RunningProxy) -> None:
    with pytest.raises(anthropic.InternalServerError) as caught:
        claude.sdk(gateway.caller()).messages.create(**ASKED, extra_headers=fault("drop"))
    assert caught.value.status_code == 502
    check_own(caught, "api_error", "upstream_failed")


def test_an_upstream_that_does_not_answer(gateway: RunningProxy) -> None:
    caller = gateway.caller()
    with pytest.raises(anthropic.GatewayTimeoutError) as caught:
        claude.sdk(caller).messages.create(**ASKED, extra_headers=fault("hang", **{"x-request-timeout": "300ms"}))
    check_own(caught, "timeout_error", "upstream_timed_out")
    assert caller.event().input_tokens > 0


def test_an_upstream_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with proxy_in_thread(PlainDoors(settings={"setting-1": claude.setting(f"http://127.0.0.1:{port}")})) as gateway:
        caller = gateway.caller()
        with pytest.raises(anthropic.InternalServerError) as caught:
            claude.sdk(caller).messages.create(**ASKED)
        check_own(caught, "api_error", "upstream_unreachable")
        assert caller.event().cost_nano == 0


def test_a_model_without_a_price(gateway: RunningProxy) -> None:
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        claude.sdk(gateway.caller(cost_limit_nano=10**12)).messages.create(**{**ASKED, "model": "claude-next"})
    check_own(caught, "permission_error", "model_unpriced")


def test_a_full_disk_is_an_overloaded_gateway(gateway: RunningProxy, caller_of_full_disk: Caller) -> None:
    with pytest.raises(anthropic.ServiceUnavailableError) as caught:
        claude.sdk(caller_of_full_disk).messages.create(**ASKED)
    check_own(caught, "overloaded_error", "spool_full")
    assert caught.value.response.headers["retry-after"] == "5"


@pytest.fixture
def caller_of_full_disk(gateway: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    """The disk has less room than must be left."""
    with monkeypatch.context() as patch:
        patch.setattr("proxy.recorder.ROOM_BYTES", 1 << 60)
        wait_until(gateway, full=True)
        yield gateway.caller()
    wait_until(gateway, full=False)


def wait_until(gateway: RunningProxy, *, full: bool) -> None:
    deadline = time.monotonic() + 5
    while bool(gateway.proxy.trouble()) is not full:
        assert time.monotonic() < deadline
        time.sleep(0.02)
