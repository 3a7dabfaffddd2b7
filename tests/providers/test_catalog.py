"""The catalogue of providers holds together."""

import pytest

from providers.catalog import CATALOG, ProviderKind, provider_choices
from providers.destinations import check_url
from providers.models import ProviderSetting


@pytest.mark.parametrize("kind", CATALOG.values(), ids=CATALOG)
def test_it_knows_which_members_are_secrets(kind: ProviderKind) -> None:
    assert set(kind.secrets).isdisjoint(kind.parameters)
    assert set(kind.parameters) <= {*kind.required, *kind.optional}
    assert any("key" in name.lower() for name in kind.secrets)


@pytest.mark.parametrize("kind", CATALOG.values(), ids=CATALOG)
def test_it_lets_every_provider_have_a_url(kind: ProviderKind) -> None:
    assert "url" in {*kind.required, *kind.optional}


@pytest.mark.parametrize("kind", [kind for kind in CATALOG.values() if kind.base_url], ids=lambda kind: kind.name)
def test_it_has_addresses_that_an_operator_could_enter(kind: ProviderKind) -> None:
    assert check_url(kind.base_url.format(resourceName="acme", awsRegion="us-east-1"))


def test_it_offers_every_provider_in_forms_without_a_migration() -> None:
    field = ProviderSetting._meta.get_field("provider")
    assert [name for name, _ in provider_choices()] == list(CATALOG)
    assert field.deconstruct()[3]["choices"] is provider_choices
