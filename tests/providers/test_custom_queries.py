"""The read side of custom providers, down to the records of the request path."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from providers.custom_queries import (
    CustomProviderNotFound,
    get_custom_provider,
    list_custom_providers,
    route_config,
    sorted_methods,
)
from providers.models import CustomProvider
from providers.records import CustomProviderRecord, CustomRouteRecord
from providers.snapshot import load_custom_providers
from tests.providers import custom_configs
from tests.providers.custom_configs import new_provider, plain_config

pytestmark = pytest.mark.django_db


def test_records_hold_what_was_described() -> None:
    row = new_provider("acme", custom_configs.route_config(), plain_config(path="/b", methods=["PUT", "POST"]))
    plain = {name: value for name, value in plain_config().items() if name != "path"}
    assert load_custom_providers() == {
        "acme": CustomProviderRecord(
            id=str(row.pk),
            name="acme",
            authentication_param="apikey",
            routes={
                "/chat/completions": CustomRouteRecord(**custom_configs.route_config()),
                "/b": CustomRouteRecord(path="/b", methods=frozenset({"PUT", "POST"}), **plain),
            },
        )
    }


def test_however_many_there_are_it_takes_two_queries() -> None:
    for name in ("one", "two", "three"):
        new_provider(name, plain_config(path="/a"), plain_config(path="/b"))
    with CaptureQueriesContext(connection) as queries:
        assert len(load_custom_providers()) == 3
    assert len(queries) == 2


def test_they_are_listed_oldest_first_and_found_by_id() -> None:
    rows = [new_provider(name) for name in ("b", "a")]
    CustomProvider.objects.filter(provider="b").update(created_at=1)
    assert [row.provider for row in list_custom_providers()] == ["b", "a"]
    assert get_custom_provider(str(rows[1].pk)).provider == "a"
    with pytest.raises(CustomProviderNotFound, match="nobody"):
        get_custom_provider("nobody")


def test_a_route_config_is_what_was_sent_with_its_methods() -> None:
    row = new_provider("acme", custom_configs.route_config(methods=["PUT", "GET"]))
    (route,) = row.routes.all()
    assert route_config(route) == custom_configs.route_config(methods=["GET", "PUT"])
    assert sorted_methods({"DELETE", "POST", "GET"}) == ["GET", "POST", "DELETE"]
