"""Tests of a Bedrock setting without credentials: requests are signed with what the gateway finds by itself."""

import time
from typing import Any

import httpx
import pytest

from tests.provider_settings import setting_at
from tests.proxy_gateway import PlainDoors, RunningProxy, proxy_in_thread
from tests.upstream import Upstream

BODY: Any = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
PATH = "/api/providers/bedrock/model/amazon.nova-lite-v1:0/converse"


@pytest.fixture(autouse=True)
def _identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAFAKETEMPORARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake-temporary-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "fake-session-token")


def doors_to(upstream: Upstream) -> PlainDoors:
    setting = setting_at(upstream.url, "bedrock", secrets={})
    parameters = {**setting.parameters, "awsCredentialChain": "true"}
    return PlainDoors(settings={"s": setting_at(upstream.url, "bedrock", id="s", secrets={}, parameters=parameters)})


def asked(gateway: RunningProxy) -> httpx.Response:
    return httpx.post(gateway.url + PATH, json=BODY, headers=gateway.caller(setting_ids=("s",)).headers)


def test_the_first_request_after_the_start_is_signed(upstream: Upstream) -> None:
    with proxy_in_thread(doors_to(upstream)) as gateway:
        assert asked(gateway).status_code == 200
    assert upstream.last().header("x-amz-security-token") == "fake-session-token"
    assert "Credential=ASIAFAKETEMPORARY/" in (upstream.last().header("authorization") or "")


def test_a_setting_that_is_added_later_is_signed_for_soon(upstream: Upstream) -> None:
    doors = doors_to(upstream)
    later, doors.settings = doors.settings, {}
    with proxy_in_thread(doors) as gateway:
        doors.settings = later
        doors.version += 1
        deadline = time.monotonic() + 30
        while (answer := asked(gateway)).status_code != 200 and time.monotonic() < deadline:
            assert answer.status_code in (403, 503), answer.text
            time.sleep(0.05)
        assert answer.status_code == 200
