"""The admin pages of routes: what they show, what they change, and who may."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from gateway_project.models import ConfigVersion
from keys.services import update_key
from routes.models import Route
from routes.queries import fields_of, get_route
from routes.services import purge_cache
from tests.admin_site import errors_of, operator, page, queries, signed_in
from tests.routes.admin_pages import ADD, LIST, change, form_of, stored_steps
from tests.routes.builders import AZURE, OPENAI, a_route

pytestmark = pytest.mark.django_db

AZURE_ROW = {
    "provider": "azure",
    "model": "gpt-4o",
    "param_deploymentId": "gpt-4o-eu",
    "param_apiVersion": "2024-10-21",
}


def models_of(route: Route) -> list[str]:
    return [step["model"] for step in fields_of(get_route(route.pk))["steps"]]


def test_it_lists_routes_with_their_steps(key_id: str) -> None:
    a_route(key_id, name="support", path="/support/chat", steps=[OPENAI, AZURE], cache_enabled=True, cache_ttl="5s")
    text = page(operator(), LIST)
    for shown in ("support", "/support/chat", "Chat", "openai gpt-4o-mini", "azure gpt-4o", "5s"):
        assert shown in text


def test_it_says_when_nobody_may_call_a_route(key_id: str) -> None:
    route = a_route(key_id)
    assert "nobody" not in page(operator(), LIST)
    route.key_links.all().delete()
    assert "nobody" in page(operator(), LIST)


def test_it_needs_no_more_queries_for_more_routes(key_id: str, openai_key_id: str) -> None:
    client = operator()
    a_route(key_id, path="/0")
    with queries() as for_one:
        page(client, LIST)
    for number in range(1, 6):
        a_route(key_id, path=f"/{number}", steps=[OPENAI, AZURE])
    with queries() as for_six:
        page(client, LIST)
    assert len(for_one) == len(for_six) <= 5


@pytest.mark.parametrize(
    "query",
    [
        {"q": "wanted-name"},
        {"q": "/wanted/path"},
        {"q": "text-embedding-3-small"},
        {"q": "id"},
    ],
)
def test_it_finds_a_route(key_id: str, query: dict[str, str]) -> None:
    steps = [{**OPENAI, "model": "text-embedding-3-small"}] * 2
    wanted = a_route(key_id, name="wanted-name", path="/wanted/path", steps=steps, cache_enabled=True)
    a_route(key_id, name="other", path="/other", steps=[AZURE])
    query = {"q": str(wanted.pk)} if query == {"q": "id"} else query
    text = page(operator(), LIST, **query)
    assert text.count("gh-strong") == 1
    assert "wanted-name" in text


def test_it_counts_keys_right_whatever_is_searched(key_id: str, openai_key_id: str) -> None:
    a_route(key_id, key_ids=[key_id, openai_key_id], steps=[OPENAI, OPENAI, OPENAI])
    client = operator()
    response = client.get(LIST, {"q": "gpt-4o"})
    assert [route.key_count for route in response.context["cl"].result_list] == [2]


def test_it_makes_a_route_with_its_steps_in_order(key_id: str, openai_key_id: str) -> None:
    client = operator()
    text = page(client, ADD)
    for shown in ("Who may call it", "Only for Azure OpenAI", "Purge cache"):
        assert (shown in text) == (shown != "Purge cache")
    form = form_of(
        {"model": "third"},
        {**AZURE_ROW, "position": "2"},
        {"model": "first", "position": "1", "retries": "3", "timeout_text": "30s", "request_params": '{"n": 1}'},
        key_ids=[key_id],
        retry_strategy="exponential",
        deadline_text="90s",
        cache_enabled="on",
        cache_ttl_text="5s",
        cache_single_flight="on",
    )
    response = client.post(ADD, form)
    assert response.status_code == 302, errors_of(response)
    route = Route.objects.get()
    fields = fields_of(get_route(route.pk))
    assert [step["model"] for step in fields["steps"]] == ["first", "gpt-4o", "third"]
    assert fields["steps"][0] == {
        "provider": "openai",
        "model": "first",
        "params": {},
        "request_params": {"n": 1},
        "retries": 3,
        "retry_interval": "1s",
        "timeout": "30s",
    }
    assert fields["steps"][1]["params"] == {"deploymentId": "gpt-4o-eu", "apiVersion": "2024-10-21"}
    assert (fields["retry_strategy"], fields["deadline"]) == ("exponential", "90s")
    assert (fields["cache_enabled"], fields["cache_ttl"], fields["cache_single_flight"]) == (True, "5s", True)
    assert LogEntry.objects.get().object_id == str(route.pk)
    assert str(route.pk) in page(client, LIST)


def test_it_changes_a_route_and_traffic_hears_of_it(key_id: str, openai_key_id: str) -> None:
    route = a_route(key_id, steps=[OPENAI, AZURE], key_ids=[key_id])
    client = operator()
    text = page(client, change(route))
    for shown in ('value="gpt-4o-eu"', 'value="/a/chat"', "POST http://localhost:", "/api/routes/a/chat", ">both<"):
        assert shown in text
    before = ConfigVersion.objects.get().snapshot_version
    rows = stored_steps(route)
    rows[0] |= {"model": "gpt-4.1", "position": "5"}
    rows.append({"model": "gpt-new"})
    form = form_of(*rows, key_ids=[key_id, openai_key_id], name="renamed")
    response = client.post(change(route), form)
    assert "has no setting of azure" in errors_of(response)["key_ids"][0]
    assert ConfigVersion.objects.get().snapshot_version == before
    form["key_ids"] = [key_id]
    response = client.post(change(route), form)
    assert response.status_code == 302, errors_of(response)
    assert (get_route(route.pk).name, models_of(route)) == ("renamed", ["gpt-4o", "gpt-4.1", "gpt-new"])
    assert ConfigVersion.objects.get().snapshot_version > before
    message = LogEntry.objects.get().get_change_message()
    for told in (
        "Changed name",
        "Added route step “openai gpt-new”",
        "Changed model and order for route step “openai gpt-4.1”",
    ):
        assert told.lower() in message.lower(), message


def test_it_takes_a_step_away(key_id: str) -> None:
    route = a_route(key_id, steps=[OPENAI, AZURE])
    rows = stored_steps(route)
    rows[1] |= {"DELETE": "on", "model": "", "retries": "what is taken away may be wrong"}
    client = operator()
    assert client.post(change(route), form_of(*rows, key_ids=[key_id])).status_code == 302
    assert models_of(route) == ["gpt-4o-mini"]
    assert "Deleted route step “azure" in LogEntry.objects.get().get_change_message()
    (row,) = stored_steps(route)
    response = client.post(change(route), form_of({**row, "DELETE": "on"}, key_ids=[key_id]))
    assert response.status_code == 200
    assert "steps must be 1 to 50" in response.content.decode()
    assert models_of(route) == ["gpt-4o-mini"]


def test_it_says_which_keys_cannot_use_every_step(key_id: str, openai_setting: str) -> None:
    route = a_route(key_id, steps=[OPENAI, AZURE])
    client = operator()
    assert "cannot use every step" not in page(client, change(route))
    update_key(key_id, setting_ids=[openai_setting])
    assert "has no setting of azure" in page(client, change(route))


def test_it_purges_a_cache_but_not_by_a_link(key_id: str) -> None:
    route = a_route(key_id, cache_enabled=True)
    client = operator()
    assert "Purge cache" in page(client, change(route))
    assert client.get(f"{LIST}{route.pk}/purge/").status_code == 302
    assert get_route(route.pk).cache_epoch == 0
    response = client.post(f"{LIST}{route.pk}/purge/", follow=True)
    assert "was purged" in response.content.decode()
    assert get_route(route.pk).cache_epoch == 1
    assert LogEntry.objects.get().get_change_message() == "Purged the cache."


def test_it_purges_several_caches(key_id: str) -> None:
    routes = [a_route(key_id, path=f"/{number}", cache_enabled=True) for number in range(3)]
    chosen = {"action": "purge_caches", "_selected_action": [str(route.pk) for route in routes[:2]], "index": "0"}
    operator().post(LIST, chosen)
    assert [get_route(route.pk).cache_epoch for route in routes] == [1, 1, 0]


def test_it_deletes_routes_through_their_service(key_id: str) -> None:
    client = operator()
    one, two, three = (a_route(key_id, path=f"/{number}", name=f"route {number}") for number in range(3))
    before = ConfigVersion.objects.get().snapshot_version
    assert "route 0" in page(client, f"{LIST}{one.pk}/delete/")
    client.post(f"{LIST}{one.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [str(two.pk), str(three.pk)]}
    client.post(LIST, {**chosen, "index": "0"})
    assert Route.objects.count() == 2
    client.post(LIST, {**chosen, "post": "yes"})
    assert not Route.objects.exists()
    assert ConfigVersion.objects.get().snapshot_version == before + 3


def test_who_may_look_may_not_change(key_id: str) -> None:
    params = {"stop": ["<b>end</b>"]}
    route = a_route(key_id, steps=[{**AZURE, "request_params": params}], name="<i>r</i>", cache_enabled=True)
    client = signed_in("routes.view_route")
    text = client.get(change(route)).content.decode()
    for shown in ("&lt;i&gt;r", "gpt-4o-eu", "&lt;b&gt;end", "both"):
        assert shown in text
    assert 'name="name"' not in text
    assert "Purge cache" not in text
    form = form_of({}, key_ids=[key_id], name="stolen")
    for path in (change(route), ADD, f"{LIST}{route.pk}/purge/", f"{LIST}{route.pk}/delete/"):
        assert client.post(path, form).status_code == 403, path
    client.post(LIST, {"action": "purge_caches", "_selected_action": [str(route.pk)]})
    stored = get_route(route.pk)
    assert (stored.name, stored.cache_epoch) == ("<i>r</i>", 0)


def test_who_may_change_routes_may_change_their_steps(key_id: str) -> None:
    route = a_route(key_id)
    client = signed_in("routes.change_route", "routes.view_route")
    rows = [{**row, "model": "gpt-4.1"} for row in stored_steps(route)]
    assert client.post(change(route), form_of(*rows, key_ids=[key_id])).status_code == 302
    assert models_of(route) == ["gpt-4.1"]
    assert client.post(ADD, form_of({}, key_ids=[key_id], path="/new")).status_code == 403
    adds = signed_in("routes.add_route")
    assert adds.post(ADD, form_of({}, key_ids=[key_id], path="/new")).status_code == 302
    assert Route.objects.filter(path="/new").exists()


def test_who_may_not_look_sees_nothing(key_id: str) -> None:
    route = a_route(key_id)
    client = signed_in()
    for path in (LIST, ADD, change(route), f"{LIST}{route.pk}/purge/"):
        assert client.get(path).status_code == 403, path
    assert Client(HTTP_HOST="localhost").get(LIST).status_code == 302


def test_a_route_that_is_not_there_is_no_error() -> None:
    client = operator()
    for name in ("change", "purge"):
        for route_id in ("nonsense", "00000000-0000-4000-8000-000000000000"):
            assert client.post(f"{LIST}{route_id}/{name}/").status_code in (302, 404), (name, route_id)


def test_keys_are_found_as_one_types(key_id: str, openai_key_id: str) -> None:
    asked = {"app_label": "routes", "model_name": "route", "field_name": "keys", "term": "bot"}
    found = operator().get("/admin/autocomplete/", asked).json()["results"]
    assert found == [{"id": key_id, "text": "both"}]
    assert signed_in("routes.change_route").get("/admin/autocomplete/", asked).status_code == 403


def test_a_purge_between_does_not_come_back(key_id: str) -> None:
    """The page was opened before somebody purged; saving it must not take the purge back."""
    route = a_route(key_id, cache_enabled=True)
    form = form_of(*stored_steps(route), key_ids=[key_id], name="renamed", cache_enabled="on")
    purge_cache(route.pk)
    operator().post(change(route), form)
    stored = get_route(route.pk)
    assert (stored.name, stored.cache_epoch) == ("renamed", 1)
