"""Routes as the seed's clients create and read them, and what we add."""

import json
from typing import Any, ClassVar
from uuid import UUID

import pytest
from django.test import Client

from routes.models import Route
from routes.snapshot import load_routes
from tests.rest_resource import RestClient, RestResource, assert_error, stopped_database
from tests.routes.builders import a_body

pytestmark = pytest.mark.django_db

PATH = "/api/routes"
NOBODY = "00000000-0000-4000-8000-000000000000"
MEMBERS = {
    "id": str,
    "createdAt": int,
    "updatedAt": int,
    "name": str,
    "path": str,
    "retryStrategy": str,
    "requestFormat": str,
    "operation": str,
    "deadline": str,
    "keyIds": list,
    "steps": list,
    "cacheConfig": dict,
}
SEEDS_STEP = {"retries": 2, "provider": "openai", "params": {}, "model": "gpt-3.5-turbo", "timeout": "1s"}
AZURE_STEP = {
    "provider": "azure",
    "model": "gpt-4",
    "retries": 2,
    "params": {"deploymentId": "ada-test", "apiVersion": "2022-12-01"},
}


class TestRouteResource(RestResource):
    path: ClassVar[str] = PATH
    create_method: ClassVar[str] = "POST"
    required: ClassVar[tuple[str, ...]] = ("name", "path", "keyIds", "steps", "cacheConfig")
    list_queries: ClassVar[int] = 3

    @pytest.fixture(autouse=True)
    def _key(self, key_id: str) -> None:
        self.key_id = key_id

    def new_body(self, number: int) -> dict[str, Any]:
        return a_body(self.key_id, path=f"/production/{number}")

    def changes(self) -> dict[str, Any]:
        return {
            "name": "another name",
            "path": "/another/path",
            "retryStrategy": "exponential",
            "deadline": "45s",
            "cacheConfig": {"enabled": True, "ttl": "5s", "singleFlight": True},
        }

    def test_it_reads_one(self, rest: RestClient) -> None:
        created = self.create(rest)
        for path in (self.one(created), f"{self.one(created)}/"):
            response = rest.get(path)
            assert (response.status_code, response.json()) == (200, created)

    def test_it_answers_404_to_a_read_of_an_unknown_id(self, rest: RestClient) -> None:
        for unknown in (NOBODY, "no-uuid"):
            error = assert_error(rest.get(f"{PATH}/{unknown}"), 404, names=unknown, instance=f"{PATH}/{unknown}")
            assert (error["type"], error["title"]) == ("/errors/route-not-found", "route not found error")

    def test_it_deletes_and_forgives_a_second_time(self, rest: RestClient) -> None:
        created = self.create(rest)
        for _ in range(2):
            response = rest.delete(self.one(created))
            assert (response.status_code, response.content) == (200, b"")
        assert_error(rest.get(self.one(created)), 404)
        assert rest.get(PATH).json() == []

    @pytest.mark.django_db(transaction=True)
    def test_what_we_add_answers_503_while_the_database_is_down(self, rest: RestClient) -> None:
        one = self.one(self.create(rest))
        with stopped_database():
            for method, path in (("GET", one), ("DELETE", one), ("DELETE", f"{one}/cache")):
                assert_error(rest.send(method, path), 503, names="database", instance=path)

    def test_everything_wants_the_admin_password(self, rest: RestClient, settings: Any) -> None:
        one = self.one(self.create(rest))
        settings.ADMIN_PASS = "open sesame"
        for method, path in (("GET", one), ("DELETE", one), ("DELETE", f"{one}/cache")):
            assert_error(rest.send(method, path), 401, instance=path)
        assert Route.objects.get().cache_epoch == 0


@pytest.fixture
def rest() -> RestClient:
    return RestClient()


def post(rest: RestClient, body: dict[str, Any]) -> Any:
    return rest.send("POST", PATH, json.dumps(body).encode())


def made(rest: RestClient, body: dict[str, Any]) -> dict[str, Any]:
    response = post(rest, body)
    assert response.status_code == 200, response.content
    created: dict[str, Any] = response.json()
    return created


def test_it_takes_the_seeds_own_example(rest: RestClient, key_id: str) -> None:
    created = made(rest, a_body(key_id, steps=[SEEDS_STEP, AZURE_STEP], cacheConfig={"enabled": False, "ttl": "5s"}))
    assert {name: type(value) for name, value in created.items()} == MEMBERS
    assert UUID(created["id"])
    assert created["steps"][0] == {**SEEDS_STEP, "retryInterval": "1s", "requestParams": {}}
    assert created["steps"][1] == {**AZURE_STEP, "retryInterval": "1s", "requestParams": {}, "timeout": "5m"}
    assert created["cacheConfig"] == {"enabled": False, "ttl": "5s", "singleFlight": False}
    assert created["keyIds"] == [key_id]
    assert (created["operation"], created["deadline"]) == ("chat", "10m")
    assert rest.get(PATH).json() == [created]


def test_it_shows_the_seeds_defaults(rest: RestClient, key_id: str) -> None:
    created = made(rest, a_body(key_id, cacheConfig={"enabled": True}))
    assert created["cacheConfig"]["ttl"] == "168h"
    assert (created["steps"][0]["timeout"], created["steps"][0]["retries"]) == ("5m", 0)


def test_null_and_empty_are_the_defaults(rest: RestClient, key_id: str) -> None:
    step = {**SEEDS_STEP, "timeout": "", "retries": None, "params": None, "requestParams": {"stop": None}}
    body = a_body(key_id, steps=[step], cacheConfig={"enabled": True, "ttl": ""}, requestFormat=None, deadline="")
    created = made(rest, body)
    assert created["steps"][0]["timeout"] == "5m"
    assert created["steps"][0]["requestParams"] == {}
    assert (created["requestFormat"], created["deadline"], created["cacheConfig"]["ttl"]) == ("", "10m", "168h")


def test_numbers_may_be_strings_and_one_key_a_string(rest: RestClient, key_id: str) -> None:
    created = made(rest, a_body(key_id, keyIds=key_id, steps=[{**SEEDS_STEP, "retries": "3"}]))
    assert (created["keyIds"], created["steps"][0]["retries"]) == ([key_id], 3)


def test_what_is_created_is_what_traffic_reads(rest: RestClient, key_id: str) -> None:
    body = a_body(key_id, steps=[SEEDS_STEP, AZURE_STEP], cacheConfig={"enabled": True, "ttl": "5s"})
    created = made(rest, body)
    record = load_routes()["/production/chat/completion"]
    assert (record.id, record.key_ids) == (created["id"], {key_id})
    assert [(step.provider, step.model, step.retries, step.timeout_s) for step in record.steps] == [
        ("openai", "gpt-3.5-turbo", 2, 1.0),
        ("azure", "gpt-4", 2, 300.0),
    ]
    assert record.cache is not None
    assert record.cache.ttl_s == 5


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": 5}, "name"),
    ({"path": ""}, "path"),
    ({"path": "no-slash"}, "path"),
    ({"path": "/a b"}, "path"),
    ({"path": "/a/../b"}, "path"),
    ({"keyIds": []}, "keyIds"),
    ({"keyIds": [NOBODY]}, "keyIds"),
    ({"keyIds": [5]}, "keyIds.[0]"),
    ({"keyIds": ["nonsense"]}, "keyIds"),
    ({"steps": []}, "steps"),
    ({"steps": {}}, "steps"),
    ({"steps": "openai"}, "steps"),
    ({"steps": ["openai"]}, "steps.[0]"),
    ({"steps": [SEEDS_STEP, {"model": "gpt-4"}]}, "steps.[1].provider"),
    ({"steps": [{"provider": "openai"}]}, "steps.[0].model"),
    ({"steps": [{**SEEDS_STEP, "provider": "nobody"}]}, "steps.[0].provider"),
    ({"steps": [{**SEEDS_STEP, "provider": 5}]}, "steps.[0].provider"),
    ({"steps": [{**SEEDS_STEP, "retries": -1}]}, "steps.[0].retries"),
    ({"steps": [{**SEEDS_STEP, "retries": 11}]}, "steps.[0].retries"),
    ({"steps": [{**SEEDS_STEP, "retries": 1.5}]}, "steps.[0].retries"),
    ({"steps": [{**SEEDS_STEP, "retries": 2**70}]}, "steps.[0].retries"),
    ({"steps": [{**SEEDS_STEP, "retryInterval": "x"}]}, "steps.[0].retryInterval"),
    ({"steps": [{**SEEDS_STEP, "timeout": "0s"}]}, "steps.[0].timeout"),
    ({"steps": [{**SEEDS_STEP, "timeout": 5}]}, "steps.[0].timeout"),
    ({"steps": [{**SEEDS_STEP, "params": []}]}, "steps.[0].params"),
    ({"steps": [{**SEEDS_STEP, "requestParams": "n=1"}]}, "steps.[0].requestParams"),
    ({"steps": [{**SEEDS_STEP, "requestParams": {"n": "1"}}]}, "steps.[0].requestParams.n"),
    ({"steps": [SEEDS_STEP, {**AZURE_STEP, "params": {"apiVersion": "2022-12-01"}}]}, "steps.[1].params.deploymentId"),
    ({"steps": [{**AZURE_STEP, "params": {"deploymentId": "d"}}]}, "steps.[0].params.apiVersion"),
    ({"steps": [{"provider": "azure", "model": "gpt-4"}]}, "steps.[0].params.deploymentId"),
    ({"steps": [SEEDS_STEP, {**SEEDS_STEP, "model": "text-embedding-ada-002"}]}, "steps.[1].model"),
    ({"cacheConfig": {}}, "cacheConfig.enabled"),
    ({"cacheConfig": True}, "cacheConfig"),
    ({"cacheConfig": {"enabled": "yes"}}, "cacheConfig.enabled"),
    ({"cacheConfig": {"enabled": True, "ttl": "721h"}}, "cacheConfig.ttl"),
    ({"cacheConfig": {"enabled": True, "ttl": "0s"}}, "cacheConfig.ttl"),
    ({"cacheConfig": {"enabled": True, "ttl": "soon"}}, "cacheConfig.ttl"),
    ({"cacheConfig": {"enabled": True, "ttl": 5}}, "cacheConfig.ttl"),
    ({"cacheConfig": {"enabled": True, "singleFlight": 1}}, "cacheConfig.singleFlight"),
    ({"retryStrategy": "linear"}, "retryStrategy"),
    ({"requestFormat": "anthropic"}, "requestFormat"),
    ({"deadline": "0s"}, "deadline"),
    ({"deadline": "-1m"}, "deadline"),
]


@pytest.mark.parametrize(("members", "field"), REFUSED, ids=str)
def test_it_names_the_wrong_member_in_the_seeds_body(
    rest: RestClient, key_id: str, members: dict[str, Any], field: str
) -> None:
    error = assert_error(post(rest, a_body(key_id, **members)), 400, names=field, instance=PATH)
    assert (error["type"], error["title"]) == ("/errors/validation", "route validation failed")
    assert field in error["fields"]
    assert not Route.objects.exists()


def test_it_names_all_members_of_a_wrong_shape_at_once(rest: RestClient, key_id: str) -> None:
    body = a_body(key_id, name=..., path=5, steps=[SEEDS_STEP, {"provider": 1}], cacheConfig={"ttl": 1})
    error = assert_error(post(rest, body), 400)
    assert set(error["fields"]) == {
        *("name", "path", "steps.[1].provider", "steps.[1].model", "cacheConfig.enabled", "cacheConfig.ttl"),
    }  # fmt: skip
    assert all(field in error["detail"] for field in error["fields"])


def test_a_path_is_taken_once(rest: RestClient, key_id: str) -> None:
    first, second = made(rest, a_body(key_id, path="/")), made(rest, a_body(key_id, path="/b"))
    assert_error(post(rest, a_body(key_id, path="/")), 400, names="path is not unique")
    assert_error(rest.send("PATCH", f"{PATH}/{second['id']}", b'{"path": "/"}'), 400, names="path is not unique")
    assert rest.send("PATCH", f"{PATH}/{first['id']}", b'{"path": "/"}').status_code == 200


def test_a_key_without_a_setting_of_a_provider_is_refused(rest: RestClient, openai_key_id: str) -> None:
    body = a_body(openai_key_id, steps=[SEEDS_STEP, AZURE_STEP])
    error = assert_error(post(rest, body), 400, names="no setting of azure")
    assert error["fields"] == ["keyIds"]
    assert openai_key_id in error["detail"]


def test_a_change_replaces_steps_and_keys_and_merges_caching(rest: RestClient, key_id: str, openai_key_id: str) -> None:
    created = made(rest, a_body(key_id, steps=[SEEDS_STEP, AZURE_STEP], cacheConfig={"enabled": True, "ttl": "5s"}))
    path = f"{PATH}/{created['id']}"
    changed = rest.patch(path, cacheConfig={"enabled": False}).json()
    assert changed["cacheConfig"] == {"enabled": False, "ttl": "5s", "singleFlight": False}
    changed = rest.patch(path, steps=[SEEDS_STEP], keyIds=[openai_key_id]).json()
    assert [step["provider"] for step in changed["steps"]] == ["openai"]
    assert changed["keyIds"] == [openai_key_id]
    assert rest.get(path).json() == changed
    assert_error(rest.patch(path, steps=[]), 400, names="steps", instance=path)
    assert_error(rest.patch(path, keyIds=[]), 400, names="keyIds", instance=path)


def test_a_change_of_nothing_changes_nothing(rest: RestClient, key_id: str) -> None:
    created = made(rest, a_body(key_id))
    for body in ({}, dict.fromkeys(MEMBERS), {"operation": "embeddings", "id": NOBODY}):
        changed = rest.send("PATCH", f"{PATH}/{created['id']}", json.dumps(body).encode()).json()
        assert {**changed, "updatedAt": created["updatedAt"]} == created


def test_a_purge_is_heard_by_traffic(rest: RestClient, key_id: str) -> None:
    created = made(rest, a_body(key_id, cacheConfig={"enabled": True}))
    path = f"{PATH}/{created['id']}/cache"
    for epoch in (1, 2):
        response = rest.delete(path)
        assert (response.status_code, response.content) == (200, b"")
        cache = load_routes()[created["path"]].cache
        assert cache is not None
        assert cache.epoch == epoch
    assert rest.get(f"{PATH}/{created['id']}").json() == created
    error = assert_error(rest.delete(f"{PATH}/{NOBODY}/cache"), 404, names=NOBODY)
    assert error["type"] == "/errors/route-not-found"
    assert_error(rest.get(path), 405, instance=path)


def test_it_takes_what_the_seed_answers_to_a_create(rest: RestClient, key_id: str) -> None:
    """A script that copies a route sends back what it read."""
    created = made(rest, a_body(key_id, steps=[SEEDS_STEP, AZURE_STEP]))
    copy = made(rest, {**created, "path": "/copy"})
    same = set(MEMBERS) - {"id", "path", "createdAt", "updatedAt"}
    assert {name: copy[name] for name in same} == {name: created[name] for name in same}
    assert copy["id"] != created["id"]


def test_the_description_of_the_api_has_every_path(client: Client) -> None:
    described = client.get("/api/openapi.json", headers={"host": "localhost"}).json()["paths"]
    assert set(described["/api/routes"]) == {"get", "post"}
    assert set(described["/api/routes/{route_id}"]) == {"get", "patch", "delete"}
    assert set(described["/api/routes/{route_id}/cache"]) == {"delete"}
