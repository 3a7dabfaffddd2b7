"""The forms of a route and its steps: errors at their fields, orders kept, what was typed shown again."""

from typing import Any

import pytest

from providers.catalog import CATALOG
from routes.admin_forms import PARAMS, ObjectField, StepForm, param_field, step_provider_choices
from routes.models import Route
from routes.queries import fields_of, get_route
from routes.step_rules import route_providers
from tests.admin_site import errors_of, operator
from tests.routes.admin_pages import ADD, change, form_of, stored_steps
from tests.routes.builders import a_route

pytestmark = pytest.mark.django_db

AZURE_ROW = {
    "provider": "azure",
    "model": "gpt-4o",
    "param_deploymentId": "gpt-4o-eu",
    "param_apiVersion": "2024-10-21",
}


def test_there_is_a_field_for_each_parameter_of_the_catalogue() -> None:
    needed = {name for kind in CATALOG.values() for name in kind.route_params}
    assert set(PARAMS) == needed
    assert {param_field(name) for name in needed} <= set(StepForm.base_fields)


def test_only_providers_that_can_be_a_step_can_be_chosen() -> None:
    names = [name for name, _ in step_provider_choices()]
    assert {"openai", "azure"} <= set(names)
    assert sorted(names) == sorted(route_providers())


@pytest.mark.parametrize(
    ("text", "value"), [("", {}), (' {"a": 1} ', {"a": 1}), ('{"a": {"b": null}}', {"a": {"b": None}})]
)
def test_an_object_is_read_and_written(text: str, value: dict[str, Any]) -> None:
    field = ObjectField(required=False)
    assert field.clean(text) == value
    assert field.clean(field.prepare_value(value)) == value
    assert not field.has_changed(value, field.prepare_value(value))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"path": "no-slash"}, "path"),
        ({"path": "/taken"}, "path"),
        ({"name": ""}, "name"),
        ({"key_ids": []}, "key_ids"),
        ({"key_ids": ["nonsense"]}, "key_ids"),
        ({"deadline_text": "soon"}, "deadline_text"),
        ({"cache_ttl_text": "0s"}, "cache_ttl_text"),
        ({"retry_strategy": "linear"}, "retry_strategy"),
    ],
)
def test_it_shows_an_error_at_its_field(key_id: str, fields: dict[str, Any], field: str) -> None:
    a_route(key_id, path="/taken")
    response = operator().post(ADD, {**form_of({}, key_ids=[key_id]), **fields})
    assert list(errors_of(response)) == [field]
    assert Route.objects.count() == 1


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"timeout_text": "0s"}, "timeout_text"),
        ({"retry_interval_text": "x"}, "retry_interval_text"),
        ({"retries": "11"}, "retries"),
        ({"request_params": '{"n": "1"}'}, "request_params"),
        ({"request_params": "[1]"}, "request_params"),
        ({"request_params": "{"}, "request_params"),
        ({"request_params": '{"a": "\\u0000"}'}, "request_params"),
        ({"model": "text-embedding-3-small"}, "model"),
        ({"provider": "nobody"}, "provider"),
        ({**AZURE_ROW, "param_deploymentId": ""}, "param_deploymentId"),
        ({"param_apiVersion": "2024-10-21"}, "param_apiVersion"),
    ],
)
def test_it_shows_an_error_at_the_field_of_its_step(key_id: str, row: dict[str, str], field: str) -> None:
    response = operator().post(ADD, form_of({"model": "gpt-4o", "position": "1"}, row, {}, key_ids=[key_id]))
    assert response.status_code == 200
    (steps,) = response.context["inline_admin_formsets"]
    assert [list(errors) for errors in steps.formset.errors] == [[], [field], []]
    assert not Route.objects.exists()


def test_a_page_that_was_refused_shows_what_was_typed(key_id: str) -> None:
    response = operator().post(ADD, form_of({"model": "typed-model", "timeout_text": "0s"}, key_ids=[key_id]))
    text = response.content.decode()
    assert 'value="typed-model"' in text
    assert ">both<" in text
    assert "Must be above 0s" in text
    assert "steps.[0]" not in text


def test_it_keeps_the_order_of_keys(key_id: str, openai_key_id: str) -> None:
    route = a_route(key_id, key_ids=[openai_key_id, key_id])
    operator().post(change(route), form_of(*stored_steps(route), key_ids=[key_id, openai_key_id], name="renamed"))
    assert [str(each) for each in fields_of(get_route(route.pk))["key_ids"]] == [openai_key_id, key_id]


def test_a_route_made_elsewhere_with_another_format_can_be_saved(key_id: str) -> None:
    route = a_route(key_id, request_format="openai")
    client = operator()
    form = form_of(*stored_steps(route), key_ids=[key_id], request_format="openai", name="renamed")
    assert client.post(change(route), form).status_code == 302
    assert get_route(route.pk).request_format == "openai"
