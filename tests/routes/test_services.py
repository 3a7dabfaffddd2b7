"""Changes of routes: what is stored, what is refused, and that traffic hears of it."""

import threading
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from gateway_project.models import ConfigVersion
from keys.services import create_key, delete_key, update_key
from providers.services import SettingInUse, delete_setting
from routes.models import Route, RouteKey, RouteStep
from routes.queries import fields_of, get_route
from routes.rules import RouteInvalid, RouteNotFound
from routes.services import create_route, delete_route, purge_cache, update_route
from tests.routes.builders import AZURE, OPENAI, a_route

pytestmark = pytest.mark.django_db


def snapshot_version() -> int:
    return ConfigVersion.objects.get().snapshot_version


def test_it_stores_a_route_with_its_defaults(key_id: str) -> None:
    with time_machine.travel(1_700_000_000, tick=False):
        route = create_route(name="r", path="/r", key_ids=[key_id], steps=[OPENAI, AZURE])
    stored = get_route(route.pk)
    assert (stored.operation, stored.created_at, stored.updated_at) == ("chat", 1_700_000_000, 1_700_000_000)
    fields = fields_of(stored)
    assert {name: value for name, value in fields.items() if name not in ("steps", "key_ids")} == {
        "name": "r",
        "path": "/r",
        "request_format": "",
        "retry_strategy": "",
        "deadline": "10m",
        "cache_enabled": False,
        "cache_ttl": "168h",
        "cache_single_flight": False,
    }
    defaults = {"params": {}, "request_params": {}, "retries": 0, "retry_interval": "1s", "timeout": "5m"}
    assert fields["steps"] == [{**defaults, **OPENAI}, {**defaults, **AZURE}]
    assert [str(each) for each in fields["key_ids"]] == [key_id]


def test_it_keeps_the_order_of_steps_and_keys(key_id: str, openai_key_id: str) -> None:
    steps = [{**OPENAI, "model": f"gpt-{number}"} for number in (3, 1, 2)]
    route = a_route(key_id, key_ids=[openai_key_id, key_id], steps=steps)
    fields = fields_of(get_route(route.pk))
    assert [step["model"] for step in fields["steps"]] == ["gpt-3", "gpt-1", "gpt-2"]
    assert [str(each) for each in fields["key_ids"]] == [openai_key_id, key_id]


def test_every_change_reaches_traffic(key_id: str) -> None:
    versions = [snapshot_version()]
    route = a_route(key_id)
    versions.append(snapshot_version())
    update_route(route.pk, name="renamed")
    versions.append(snapshot_version())
    purge_cache(route.pk)
    versions.append(snapshot_version())
    delete_route(route.pk)
    versions.append(snapshot_version())
    assert versions == sorted(set(versions))
    assert delete_route(route.pk) is False
    assert snapshot_version() == versions[-1]


def test_it_changes_what_is_given_and_nothing_else(key_id: str) -> None:
    route = a_route(key_id, steps=[OPENAI, AZURE], cache_enabled=True, cache_ttl="5s", deadline="30s")
    before = fields_of(get_route(route.pk))
    update_route(route.pk, retry_strategy="exponential")
    assert fields_of(get_route(route.pk)) == {**before, "retry_strategy": "exponential"}
    update_route(route.pk, steps=[{**OPENAI, "model": "text-embedding-3-small"}])
    changed = get_route(route.pk)
    assert changed.operation == "embeddings"
    assert RouteStep.objects.count() == 1
    assert RouteKey.objects.count() == 1


def test_an_empty_duration_is_its_default(key_id: str) -> None:
    route = a_route(key_id, deadline="5s", cache_ttl="5s")
    changed = update_route(route.pk, deadline="", cache_ttl="")
    assert (changed.deadline_text, changed.cache_ttl_text) == ("10m", "168h")


@pytest.mark.parametrize("missing", ["name", "path", "key_ids", "steps"])
def test_it_needs_name_path_keys_and_steps(key_id: str, missing: str) -> None:
    fields: Any = {"name": "r", "path": "/r", "key_ids": [key_id], "steps": [OPENAI]}
    del fields[missing]
    with pytest.raises(RouteInvalid) as caught:
        create_route(**fields)
    assert caught.value.fields == ({"key_ids": "keyIds"}.get(missing, missing),)
    assert not Route.objects.exists()


def test_a_path_belongs_to_one_route(key_id: str) -> None:
    one, other = a_route(key_id, path="/one"), a_route(key_id, path="/other")
    with pytest.raises(RouteInvalid, match="path is not unique"):
        a_route(key_id, path="/one")
    with pytest.raises(RouteInvalid, match="path is not unique"):
        update_route(other.pk, path="/one")
    update_route(one.pk, path="/one", name="its own path is no clash")
    assert set(Route.objects.values_list("path", flat=True)) == {"/one", "/other"}


@pytest.mark.django_db(transaction=True)
def test_of_creates_with_one_path_at_once_one_wins(key_id: str) -> None:
    barrier, results = threading.Barrier(4), []

    def create() -> None:
        barrier.wait(10)
        try:
            results.append(str(a_route(key_id, path="/race").pk))
        except RouteInvalid as problem:
            results.append(problem.detail)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len([each for each in results if "path is not unique" in each]) == 3
    assert [str(route.pk) for route in Route.objects.all()] == [each for each in results if "path" not in each]


def test_keys_must_exist(key_id: str) -> None:
    nobody = str(uuid4())
    with pytest.raises(RouteInvalid, match=f"specified key ids are not found: {nobody}") as caught:
        a_route(key_id, key_ids=[key_id, nobody])
    assert caught.value.fields == ("keyIds",)
    route = a_route(key_id)
    with pytest.raises(RouteInvalid, match="not found"):
        update_route(route.pk, key_ids=[nobody])


def test_every_key_must_have_a_setting_of_every_provider(key_id: str, openai_key_id: str) -> None:
    with pytest.raises(RouteInvalid, match=r"'one' \(.*\) has no setting of azure") as caught:
        a_route(key_id, key_ids=[key_id, openai_key_id], steps=[OPENAI, AZURE])
    assert caught.value.fields == ("keyIds",)
    route = a_route(key_id, key_ids=[openai_key_id])
    with pytest.raises(RouteInvalid, match="has no setting of azure"):
        update_route(route.pk, steps=[AZURE])
    update_route(route.pk, steps=[AZURE], key_ids=[key_id])


def test_settings_that_a_key_lost_refuse_no_new_name(key_id: str, openai_setting: str) -> None:
    route = a_route(key_id, steps=[OPENAI, AZURE])
    update_key(key_id, setting_ids=[openai_setting])
    assert update_route(route.pk, name="renamed").name == "renamed"
    with pytest.raises(RouteInvalid, match="has no setting of azure"):
        update_route(route.pk, key_ids=[key_id])


def test_a_deleted_key_leaves_its_routes(key_id: str, openai_key_id: str) -> None:
    route = a_route(key_id, key_ids=[key_id, openai_key_id])
    delete_key(key_id)
    assert [str(link.key_id) for link in get_route(route.pk).key_links.all()] == [openai_key_id]
    delete_key(openai_key_id)
    assert list(get_route(route.pk).key_links.all()) == []
    with pytest.raises(RouteInvalid, match="keyIds"):
        update_route(route.pk, name="nobody may call it")


def test_a_setting_of_a_routes_key_is_not_deleted(key_id: str, azure_setting: str) -> None:
    a_route(key_id, steps=[AZURE])
    with pytest.raises(SettingInUse):
        delete_setting(azure_setting)


def test_a_purge_is_counted_and_changes_nothing_else(key_id: str) -> None:
    route = a_route(key_id, cache_enabled=True)
    before = fields_of(get_route(route.pk))
    for _ in range(2):
        purge_cache(route.pk)
    after = get_route(route.pk)
    assert after.cache_epoch == 2
    assert (fields_of(after), after.updated_at) == (before, route.updated_at)
    update_route(route.pk, name="renamed")
    assert get_route(route.pk).cache_epoch == 2


@pytest.mark.parametrize("unknown", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_there_is_nothing_to_do_to_a_route_that_is_not_there(unknown: str) -> None:
    for act in (get_route, purge_cache, update_route):
        with pytest.raises(RouteNotFound, match=unknown):
            act(unknown)
    assert delete_route(unknown) is False


def test_a_refused_change_leaves_nothing_behind(key_id: str) -> None:
    route = a_route(key_id)
    before, version = fields_of(get_route(route.pk)), snapshot_version()
    with pytest.raises(RouteInvalid):
        update_route(route.pk, name="new", steps=[OPENAI, {**OPENAI, "timeout": "never"}])
    assert (fields_of(get_route(route.pk)), snapshot_version()) == (before, version)


def test_many_keys_are_looked_up_at_once(key_id: str, openai_setting: str) -> None:
    ids = [str(create_key(name=f"k{number}", setting_ids=[openai_setting])[0].id) for number in range(40)]
    with CaptureQueriesContext(connection) as few:
        a_route(key_id, path="/few", key_ids=ids[:1])
    with CaptureQueriesContext(connection) as many:
        a_route(key_id, path="/many", key_ids=ids)
    assert len(few) == len(many)
