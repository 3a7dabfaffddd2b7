"""Tests of the seed's flow against a running gateway: describe a provider, store a setting, make a key, call it."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.end_to_end.acme import OWN, body
from tests.end_to_end.gateways import Whole
from tests.upstream import Upstream, running_upstream

PATH = "/api/custom/providers"
WITHIN_S = 5.0
CONFIG = {
    **{name: getattr(OWN, name) for name in OWN.__slots__ if name not in ("methods", "target_url")},
    "methods": ["POST"],
}
PRICES = {"promptCostPerModel": {"m-1": 0.001}, "completionCostPerModel": {"m-1": 0.002}}


def call(whole: Whole, name: str, secret: str, **members: Any) -> httpx.Response:
    url = f"{whole.url}{PATH}/{name}/v1/generate"
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.post(url, json=body(**members), headers=headers, timeout=20, trust_env=False)


def called_until(whole: Whole, name: str, secret: str, status: int, **members: Any) -> httpx.Response:
    """The first answer with the status: a change reaches every proxy within a second, on a slow machine later."""
    deadline = time.monotonic() + WITHIN_S
    while (answer := call(whole, name, secret, **members)).status_code != status:
        assert time.monotonic() < deadline, f"{answer.status_code} {answer.text}"
        time.sleep(0.05)
    return answer


@pytest.fixture(scope="module")
def target() -> Iterator[Upstream]:
    """A process of its own: the gateways keep their connections to it for longer than a test."""
    with running_upstream() as upstream:
        yield upstream


@pytest.mark.parametrize("kind", ["embedded", "on_services"])
def test_a_provider_that_is_described_over_rest_is_called(
    request: pytest.FixtureRequest, kind: str, target: Upstream
) -> None:
    whole: Whole = request.getfixturevalue(kind)
    admin, name, secret = whole.admin, f"acme-{secrets.token_hex(3)}", f"sk-{secrets.token_hex(8)}"
    config = {**CONFIG, "target_url": f"{target.url}/own/generate"}
    created = admin.post(PATH, {"provider": name, "route_configs": [config], "authentication_param": "token"})
    setting = {"provider": name, "setting": {"token": "acme-secret"}, "costMap": PRICES}
    setting_id = admin.put("/api/provider-settings", setting)["id"]
    key_id = whole.admin.new_key(secret, setting_id, costLimitInUsd=1)
    assert called_until(whole, name, secret, 200).json()["result"]["pieces"]
    assert target.last().header("authorization") == "Bearer acme-secret"
    assert called_until(whole, name, secret, 200, live=True).text.endswith("data: <<end>>\n\n")
    whole.books.wait_until_all_is_stored()
    spent = {event.cost_nano for event in whole.books.events(key_id) if event.status == 200}
    assert len(spent) == 1  # the same words, plain and streamed
    assert spent.pop() > 16 * 2_000
    move(whole, target, created["id"], (name, secret), setting_id)
    refused = admin.client.delete(f"{PATH}/{created['id']}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/errors/custom-provider-in-use")
    listed = [each["provider"] for each in admin.get(PATH)]
    assert name in listed


def move(whole: Whole, target: Upstream, provider_id: str, caller: tuple[str, str], setting_id: str) -> None:
    """Point the path at another host: the secret does not follow until it is entered again."""
    elsewhere = target.url.replace("127.0.0.1", "localhost")
    change = {"path": "/v1/generate", "target_url": f"{elsewhere}/own/generate"}
    whole.admin.patch(f"{PATH}/{provider_id}", {"route_configs": [change]})
    assert called_until(whole, *caller, 403).json()["error"]["code"] == "no_setting"
    whole.admin.patch(f"/api/provider-settings/{setting_id}", {"setting": {"token": "entered again"}})
    called_until(whole, *caller, 200)
    host = elsewhere.removeprefix("http://")
    arrived = [seen.header("authorization") for seen in target.requests() if seen.header("host") == host]
    assert set(arrived) == {"Bearer entered again"}
