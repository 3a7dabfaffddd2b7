"""Provider settings over REST: the seed's paths, members and errors, and never a secret."""

import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from providers.models import ProviderSetting
from providers.rules import COST_MAP_MEMBERS
from providers.services import secrets_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("providers.api.urls")]

PATH = "/api/provider-settings"
SECRET = "sk-canary-6c21"
MEMBERS = {
    "createdAt": int,
    "updatedAt": int,
    "provider": str,
    "id": str,
    "name": str,
    "allowedModels": list,
    "costMap": dict,
    "setting": dict,
    "streamUsage": str,
    "priority": int,
    "weight": int,
}


class Rest:
    """The admin REST from this machine. Keeps every answer, for the search after canaries."""

    def __init__(self) -> None:
        self.client = Client(headers={"host": "localhost"}, raise_request_exception=False)
        self.answers: list[str] = []

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        answer = self.client.generic(method, path, "" if body is None else data, headers=headers)
        self.answers.append(f"{dict(answer.headers)} {answer.content.decode()}")
        assert answer.headers["Content-Type"].startswith("application/json")
        return answer.status_code, answer.json()

    def create(self, **body: Any) -> dict[str, Any]:
        status, created = self.call("PUT", PATH, {"provider": "openai", "setting": {"apikey": SECRET}, **body})
        assert status == 200, created
        return created


@pytest.fixture
def rest() -> Rest:
    return Rest()


def stored(created: dict[str, Any]) -> ProviderSetting:
    return ProviderSetting.objects.get(pk=created["id"])


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("spelling", ["apikey", "apiKey"])
def test_it_creates_a_setting_as_the_quick_start_does(rest: Rest, method: str, spelling: str) -> None:
    status, created = rest.call(method, PATH, {"provider": "openai", "setting": {spelling: SECRET}})
    assert status == 200
    assert secrets_of(stored(created)) == {"apikey": SECRET}


def test_it_needs_no_content_type(rest: Rest) -> None:
    body = json.dumps({"provider": "openai", "setting": {"apikey": SECRET}})
    answer = rest.client.generic("PUT", PATH, body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200


def test_it_answers_the_seeds_members_with_their_types(rest: Rest) -> None:
    created = rest.create(
        name="team",
        allowedModels=["gpt-4o"],
        costMap={"promptCostPerModel": {"gpt-4o": 0.0025}},
        setting={"apikey": SECRET, "url": "http://localhost:9000"},
    )
    assert {name: type(value) for name, value in created.items()} == MEMBERS
    assert created["setting"] == {"url": "http://localhost:9000"}
    assert created["costMap"] == {"promptCostPerModel": {"gpt-4o": 0.0025}}


def test_it_leaves_an_empty_setting_out_and_shows_no_cost_map_as_null(rest: Rest) -> None:
    created = rest.create()
    assert "setting" not in created
    assert created["costMap"] is None
    assert (created["name"], created["allowedModels"]) == ("", [])


@pytest.mark.parametrize(
    ("provider", "setting", "shown"),
    [
        ("anthropic", {"apikey": SECRET}, {}),
        ("azure", {"resourceName": "acme", "apikey": SECRET}, {"resourceName": "acme"}),
        (
            "bedrock",
            {"awsAccessKeyId": "AKIA-canary", "awsSecretAccessKey": SECRET, "awsRegion": "us-east-1"},
            {"awsRegion": "us-east-1"},
        ),
        ("vllm", {"url": "http://gpu:8000"}, {"url": "http://gpu:8000"}),
        ("deepinfra", {"apikey": SECRET}, {}),
        ("openai", {"apikey": SECRET, "organization": "org-canary"}, {}),
    ],
)
def test_it_shows_only_what_is_no_secret(
    rest: Rest, provider: str, setting: dict[str, str], shown: dict[str, str]
) -> None:
    created = rest.create(provider=provider, setting=setting)
    assert created.get("setting", {}) == shown
    assert "canary" not in " ".join(rest.answers)


REFUSED = [
    ({"setting": {"apikey": "a"}}, "provider"),
    ({"provider": "", "setting": {"apikey": "a"}}, "provider"),
    ({"provider": None, "setting": {"apikey": "a"}}, "provider"),
    ({"provider": 5, "setting": {"apikey": "a"}}, "provider"),
    ({"provider": "nope", "setting": {"apikey": "a"}}, "provider"),
    ({"provider": "openai"}, "setting.apikey"),
    ({"provider": "openai", "setting": {}}, "setting.apikey"),
    ({"provider": "openai", "setting": {"apikey": ""}}, "setting.apikey"),
    ({"provider": "openai", "setting": {"apikey": 1}}, "setting.apikey"),
    ({"provider": "openai", "setting": {"apikey": None}}, "setting.apikey"),
    ({"provider": "openai", "setting": "sk"}, "setting"),
    ({"provider": "openai", "setting": ["sk"]}, "setting"),
    ({"provider": "openai", "setting": {"apikey": "a", "url": "http://169.254.169.254"}}, "setting.url"),
    ({"provider": "openai", "setting": {"apikey": "a", "url": "ftp://host"}}, "setting.url"),
    ({"provider": "azure", "setting": {"apikey": "a"}}, "setting.resourceName"),
    ({"provider": "azure", "setting": {"apikey": "a", "resourceName": "Bad_Name"}}, "setting.resourceName"),
    ({"provider": "bedrock", "setting": {"awsRegion": "us-east-1"}}, "setting.awsAccessKeyId"),
    ({"provider": "vllm", "setting": {"apikey": "a"}}, "setting.url"),
    ({"provider": "vllm"}, "setting.url"),
    ({"name": 5}, "name"),
    ({"name": "x" * 256}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"allowedModels": "gpt-4o"}, "allowedModels"),
    ({"allowedModels": {"a": 1}}, "allowedModels"),
    ({"allowedModels": ["a", 5]}, "allowedModels[1]"),
    ({"allowedModels": [""]}, "allowedModels[0]"),
    ({"costMap": []}, "costMap"),
    ({"costMap": "x"}, "costMap"),
    ({"costMap": {"prompt": {}}}, "costMap.prompt"),
    ({"costMap": {"promptCostPerModel": {"m": -0.1}}}, "costMap.promptCostPerModel.m"),
    ({"costMap": {"completionCostPerModel": {"m": "1"}}}, "costMap.completionCostPerModel.m"),
    ({"costMap": {"embeddingsCostPerModel": 5}}, "costMap.embeddingsCostPerModel"),
    ({"costMap": {"promptCostPerModel": {"a\0": 1}}}, "costMap.promptCostPerModel"),
    ({"streamUsage": "sometimes"}, "streamUsage"),
    ({"priority": -1}, "priority"),
    ({"weight": 0}, "weight"),
    ({"weight": True}, "weight"),
]


@pytest.mark.parametrize(("body", "field"), REFUSED)
def test_it_refuses_a_wrong_member_by_name_in_the_seeds_body(rest: Rest, body: dict[str, Any], field: str) -> None:
    whole = {"provider": "openai", "setting": {"apikey": "a"}, **body} if "provider" not in body else body
    if body == REFUSED[0][0]:
        whole = body
    status, error = rest.call("PUT", PATH, whole)
    assert (status, error["status"]) == (400, 400)
    assert error["type"] == "/errors/validation"
    assert error["title"] == "provider setting validation failed"
    assert error["instance"] == PATH
    assert field in error["fields"]
    assert field.rsplit(".", 1)[-1] in error["detail"]
    assert not ProviderSetting.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b'{"provider": "openai"', b"\xff\xfe"])
def test_it_refuses_what_is_no_json_object(rest: Rest, body: bytes) -> None:
    for method, path in (("PUT", PATH), ("POST", PATH), ("PATCH", f"{PATH}/{uuid4()}")):
        status, error = rest.call(method, path, body)
        assert (status, error["type"]) == (400, "/errors/json-unmarshal")


def test_it_lists_all_settings_without_ids(rest: Rest) -> None:
    created = [rest.create(name=name) for name in ("a", "b")]
    status, listed = rest.call("GET", PATH)
    assert status == 200
    assert sorted(listed, key=lambda each: each["name"]) == created


@pytest.mark.parametrize("query", ["ids={1}&ids={0}", "ids={1},{0}", "ids={1}&ids={0},"])
def test_it_lists_the_settings_asked_for_in_their_order(rest: Rest, query: str) -> None:
    first, second, _ = (rest.create(name=name)["id"] for name in ("a", "b", "c"))
    status, listed = rest.call("GET", f"{PATH}?{query.format(first, second)}")
    assert status == 200
    assert [each["id"] for each in listed] == [second, first]


@pytest.mark.parametrize("unknown", ["nope", "00000000-0000-0000-0000-000000000000"])
def test_it_answers_404_for_an_unknown_id(rest: Rest, unknown: str) -> None:
    known = rest.create()["id"]
    status, error = rest.call("GET", f"{PATH}?ids={known},{unknown}")
    assert (status, error["type"], error["title"]) == (404, "/errors/not-found", "provider setting is not found")
    status, error = rest.call("PATCH", f"{PATH}/{unknown}", {"name": "x"})
    assert (status, error["type"], error["title"]) == (404, "/errors/not-found", "provider setting is not found")


def test_it_answers_400_for_an_id_with_a_nul(rest: Rest) -> None:
    status, error = rest.call("GET", f"{PATH}?ids=%00")
    assert (status, error["type"]) == (400, "/errors/validation")


def test_it_merges_a_change_by_name(rest: Rest) -> None:
    created = rest.create(setting={"apikey": SECRET, "organization": "org-1"}, allowedModels=["a"], name="n")
    status, changed = rest.call("PATCH", f"{PATH}/{created['id']}", {"setting": {"apikey": "sk-new"}})
    assert status == 200
    assert secrets_of(stored(created)) == {"apikey": "sk-new", "organization": "org-1"}
    assert (changed["name"], changed["allowedModels"]) == ("n", ["a"])


def test_it_changes_options_without_any_secret(rest: Rest) -> None:
    created = rest.create(name="n", allowedModels=["a"], costMap={"promptCostPerModel": {"m": 1}})
    change: dict[str, Any] = {
        "name": "",
        "allowedModels": [],
        "costMap": None,
        "streamUsage": "never",
        "priority": 2,
        "weight": 3,
    }
    status, changed = rest.call("PATCH", f"{PATH}/{created['id']}", change)
    assert status == 200
    assert {name: changed[name] for name in change} == change
    assert secrets_of(stored(created)) == {"apikey": SECRET}


def test_it_keeps_what_null_and_nothing_do_not_name(rest: Rest) -> None:
    created = rest.create(name="n", allowedModels=["a"], costMap={"promptCostPerModel": {"m": 1}})
    changes: list[dict[str, Any]] = [{}, {"name": None, "allowedModels": None, "setting": None}]
    for change in changes:
        status, changed = rest.call("PATCH", f"{PATH}/{created['id']}", change)
        assert status == 200
        assert {**changed, "updatedAt": 0} == {**created, "updatedAt": 0}


def test_it_cannot_change_the_provider(rest: Rest) -> None:
    created = rest.create()
    _, changed = rest.call("PATCH", f"{PATH}/{created['id']}", {"provider": "anthropic"})
    assert changed["provider"] == "openai"


def test_it_wants_the_secret_again_for_another_destination(rest: Rest) -> None:
    created = rest.create()
    path = f"{PATH}/{created['id']}"
    status, error = rest.call("PATCH", path, {"setting": {"url": "http://localhost:9000"}})
    assert (status, error["fields"]) == (400, ["setting.apikey"])
    assert "setting.apikey" in error["detail"]
    status, changed = rest.call("PATCH", path, {"setting": {"url": "http://localhost:9000", "apikey": "sk-new"}})
    assert (status, changed["setting"]) == (200, {"url": "http://localhost:9000"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"setting": {"url": "http://metadata.google.internal"}}, "setting.url"),
        ({"setting": {"apikey": ""}}, "setting.apikey"),
        ({"allowedModels": [1]}, "allowedModels[0]"),
        ({"costMap": {"promptCostPerModel": {"m": -1}}}, "costMap.promptCostPerModel.m"),
    ],
)
def test_it_refuses_a_wrong_change(rest: Rest, change: dict[str, Any], field: str) -> None:
    created = rest.create()
    status, error = rest.call("PATCH", f"{PATH}/{created['id']}", change)
    assert (status, error["title"]) == (400, "provider setting validation failed")
    assert field in error["fields"]


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_it_answers_405_in_the_seeds_body(rest: Rest, method: str) -> None:
    status, error = rest.call(method, PATH, {})
    assert (status, error["type"]) == (405, "/errors/method-not-allowed")


def test_it_is_for_whoever_has_the_password(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ADMIN_PASS", "open sesame", raising=False)
    assert [rest.call(method, PATH, {})[0] for method in ("GET", "PUT", "POST")] == [401, 401, 401]
    assert rest.call("PATCH", f"{PATH}/{uuid4()}", {})[0] == 401
    assert rest.call("GET", PATH, None, **{"x-api-key": "open sesame"})[0] == 200


def test_it_answers_in_the_seeds_body_when_the_database_fails(rest: Rest) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE providers_providersetting RENAME TO elsewhere")
    status, error = rest.call("GET", PATH)
    assert status == 500
    assert {"status", "title", "type", "detail", "instance"} <= set(error)


def test_it_never_answers_or_logs_a_secret(rest: Rest, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    created = rest.create(setting={"apikey": SECRET, "x-canary": SECRET})
    path = f"{PATH}/{created['id']}"
    rest.call("GET", PATH)
    rest.call("GET", f"{PATH}?ids={created['id']}")
    rest.call("PATCH", path, {"setting": {"apikey": f"{SECRET}-2"}})
    rest.call("PATCH", path, {"setting": {"url": f"http://{SECRET}@host"}})
    rest.call("PATCH", path, {"setting": {"apikey": f"{SECRET}\r\n"}})
    rest.call("PATCH", path, {"setting": {"apikey": [SECRET]}})
    rest.call("PATCH", path, {"setting": {"url": "http://localhost:1"}})
    rest.call("PUT", PATH, {"provider": "azure", "setting": {"apikey": SECRET, "resourceName": "Bad_Name"}})
    rest.call("PUT", PATH, {"provider": "openai", "setting": SECRET})
    rest.call("PUT", PATH, f'{{"provider": "openai", "setting": {{"apikey": "{SECRET}"}}')
    assert len(rest.answers) == 11
    assert SECRET not in " ".join(rest.answers)
    assert SECRET not in caplog.text


def test_it_keeps_cost_maps_as_they_were_sent(rest: Rest) -> None:
    cost_map = {name: {"Model-X": 1e-7, "free": 0} for name in COST_MAP_MEMBERS}
    created = rest.create(costMap=cost_map)
    assert rest.call("GET", f"{PATH}?ids={created['id']}")[1][0]["costMap"] == cost_map
