"""Routes that an operator makes over REST, called with the official SDK a moment later, on SQLite and on services."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from openai import OpenAI

from tests.end_to_end.gateways import Whole

pytestmark = pytest.mark.end_to_end

# Twice what is promised: test_revocation measures the promise.
WITHIN_S = 2.0
# Each on a connection of its own, which the kernel gives to any of the processes.
ASKED = 6


class Operator:
    """Makes routes with paths of their own, and a key that may call them."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        self.secret = f"secret {uuid4()}"
        self.key_id = whole.new_key(self.secret)

    def make(self, *models: str, **members: Any) -> dict[str, Any]:
        body = {
            "name": "a test's",
            "path": f"/{uuid4().hex[:12]}/chat/completions",
            "keyIds": [self.key_id],
            "steps": [{"provider": "openai", "model": model} for model in models],
            "cacheConfig": {"enabled": False},
            **members,
        }
        made: dict[str, Any] = self.whole.admin.post("/api/routes", body)
        return made

    def change(self, route: dict[str, Any], **members: Any) -> None:
        self.whole.admin.patch(f"/api/routes/{route['id']}", members)

    def client(self, route: dict[str, Any]) -> OpenAI:
        """As a caller sets it up: the SDK adds /chat/completions to the base URL."""
        base = f"{self.whole.url}/api/routes{route['path'].removesuffix('/chat/completions')}"
        return OpenAI(base_url=base, api_key=self.secret, max_retries=0)

    def answers(self, route: dict[str, Any], *, secret: str = "", spelling: str = "routes") -> list[httpx.Response]:
        """What each of several fresh connections is answered."""
        address = f"{self.whole.url}/api/{spelling}{route['path']}"
        headers = {"authorization": f"Bearer {secret or self.secret}"}
        body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
        return [httpx.post(address, json=body, headers=headers, trust_env=False) for _ in range(ASKED)]


@pytest.fixture(params=["embedded", "on_services"])
def operator(request: pytest.FixtureRequest) -> Operator:
    return Operator(request.getfixturevalue(request.param))


@pytest.fixture
def client(operator: Operator) -> Iterator[Callable[[dict[str, Any]], OpenAI]]:
    made: list[OpenAI] = []

    def of(route: dict[str, Any]) -> OpenAI:
        made.append(operator.client(route))
        return made[-1]

    yield of
    for each in made:
        each.close()


def statuses(answers: list[httpx.Response]) -> set[int]:
    return {answer.status_code for answer in answers}


def told(answers: list[httpx.Response], header: str) -> list[str]:
    return [answer.headers.get(header, "") for answer in answers]


def test_a_route_can_be_called_soon_after_it_was_made(
    operator: Operator, client: Callable[[dict[str, Any]], OpenAI]
) -> None:
    route = operator.make("gpt-4o-mini", "gpt-4o")
    time.sleep(WITHIN_S)
    answer = client(route).chat.completions.create(model="whatever", messages=[{"role": "user", "content": "Hello"}])
    assert answer.choices[0].message.content
    assert answer.model == "gpt-4o-mini"
    stream = client(route).chat.completions.create(
        model="whatever", messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    for spelling in ("routes", "route"):
        answers = operator.answers(route, spelling=spelling)
        assert statuses(answers) == {200}
        assert set(told(answers, "x-gateway-model")) == {"gpt-4o-mini"}


def test_embeddings_have_routes_too(operator: Operator, client: Callable[[dict[str, Any]], OpenAI]) -> None:
    route = operator.make("text-embedding-3-small", path=f"/{uuid4().hex[:12]}/embeddings")
    assert route["operation"] == "embeddings"
    time.sleep(WITHIN_S)
    route["path"] = route["path"].removesuffix("/embeddings")
    found = client(route).embeddings.create(model="whatever", input=["a", "b"])
    assert len(found.data) == 2


def test_changes_and_the_end_of_a_route_reach_traffic(operator: Operator) -> None:
    route = operator.make("gpt-4o-mini")
    time.sleep(WITHIN_S)
    assert set(told(operator.answers(route), "x-gateway-model")) == {"gpt-4o-mini"}
    operator.change(route, steps=[{"provider": "openai", "model": "gpt-4o"}])
    time.sleep(WITHIN_S)
    assert set(told(operator.answers(route), "x-gateway-model")) == {"gpt-4o"}
    operator.change(route, path=f"{route['path']}/moved")
    time.sleep(WITHIN_S)
    assert statuses(operator.answers(route)) == {404}
    moved = {**route, "path": f"{route['path']}/moved"}
    assert statuses(operator.answers(moved)) == {200}
    operator.whole.admin.delete(f"/api/routes/{route['id']}")
    time.sleep(WITHIN_S)
    assert statuses(operator.answers(moved)) == {404}


def test_only_the_keys_of_a_route_may_call_it(operator: Operator) -> None:
    route = operator.make("gpt-4o-mini")
    stranger = f"secret {uuid4()}"
    stranger_id = operator.whole.new_key(stranger)
    time.sleep(WITHIN_S)
    refused = operator.answers(route, secret=stranger)
    assert {answer.json()["error"]["code"] for answer in refused} == {"route_not_allowed"}
    operator.change(route, keyIds=[operator.key_id, stranger_id])
    time.sleep(WITHIN_S)
    assert statuses(operator.answers(route, secret=stranger)) == {200}


def test_a_purge_ends_what_was_kept(operator: Operator) -> None:
    route = operator.make("gpt-4o-mini", cacheConfig={"enabled": True, "ttl": "1h"})
    time.sleep(WITHIN_S)
    asked = ASKED * 3
    first = [answer for _ in range(3) for answer in operator.answers(route)]
    assert len(first) == asked
    assert statuses(first) == {200}
    assert "miss" in told(first, "x-gateway-cache")
    assert told(first, "x-gateway-cache")[-1] == "hit"
    operator.whole.admin.delete(f"/api/routes/{route['id']}/cache")
    time.sleep(WITHIN_S)
    again = told(operator.answers(route), "x-gateway-cache")
    assert again[0] == "miss"
    assert set(again) <= {"hit", "miss"}
    operator.change(route, cacheConfig={"enabled": False})
    time.sleep(WITHIN_S)
    assert "hit" not in told(operator.answers(route), "x-gateway-cache")
