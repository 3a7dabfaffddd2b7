"""All providers there are, and where their secrets are sent."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from providers.catalog import CATALOG
from providers.destinations import destinations_of
from providers.kinds import all_kinds, kind_of, lacks_secret, provider_names
from providers.services import create_setting
from tests.providers.custom_configs import new_provider, plain_config

pytestmark = pytest.mark.django_db


def test_a_provider_of_the_catalogue_costs_no_query() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert kind_of("openai") is CATALOG["openai"]
    assert len(queries) == 0


def test_an_operators_provider_is_a_kind_of_its_own() -> None:
    new_provider(
        "acme",
        plain_config(path="/a", target_url="https://b.example/a"),
        plain_config(path="/b", target_url="http://A.example:8080/b"),
        plain_config(path="/c", target_url="https://b.example:443/c"),
        authentication_param="token",
    )
    kind = kind_of("acme")
    assert (kind.name, kind.required, kind.secrets, kind.parameters) == ("acme", ("token",), ("token",), ())
    assert destinations_of(kind, {}) == ("http://a.example:8080", "https://b.example:443")
    assert lacks_secret(kind, {})
    assert not lacks_secret(kind, {"token": "x"})
    assert not lacks_secret(CATALOG["openai"], {})


def test_an_unknown_one_is_none() -> None:
    with pytest.raises(KeyError):
        kind_of("nobody")


def test_all_of_them_cost_two_queries() -> None:
    for name in ("one", "two", "three"):
        new_provider(name)
    with CaptureQueriesContext(connection) as queries:
        assert set(all_kinds()) == {*CATALOG, "one", "two", "three"}
    assert len(queries) == 2
    assert [name for name, _ in provider_names()] == [*CATALOG, "one", "three", "two"]


def test_a_provider_can_be_held_while_a_setting_is_stored_for_it() -> None:
    new_provider("acme")
    with CaptureQueriesContext(connection) as queries:
        create_setting(provider="acme", setting={"apikey": "sk-1"})
    held = [query["sql"] for query in queries if "FOR UPDATE" in query["sql"]]
    assert len(held) == 1
    assert "providers_customprovider" in held[0]
