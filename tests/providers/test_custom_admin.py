"""The admin pages of custom providers: what they show, and who may change it."""

import pytest
from pytest_django import Settings

from gateway_project.models import ConfigVersion
from providers.models import CustomProvider, ProviderSetting
from providers.services import create_setting
from tests.admin_site import operator, page, queries, signed_in
from tests.providers.custom_configs import SECRET, new_provider, plain_config, route_config
from tests.providers.custom_pages import LIST, change, form, stored

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rings(settings: Settings) -> None:
    settings.DATA_KEYS = (("test", b"d" * 32),)


def test_it_lists_providers_with_their_paths_and_settings() -> None:
    new_provider("acme", plain_config(path="/a"), plain_config(path="/b"), authentication_param="token")
    create_setting(provider="acme", setting={"token": SECRET})
    text = page(operator(), LIST)
    for shown in ("acme", "/a", "/b", "token", "?provider=acme"):
        assert shown in text


def test_it_needs_no_more_queries_for_more_providers() -> None:
    client = operator()
    new_provider("one")
    with queries() as for_one:
        page(client, LIST)
    for number in range(5):
        new_provider(f"more-{number}", plain_config(path="/a"), plain_config(path="/b"))
    with queries() as for_six:
        page(client, LIST)
    assert len(for_one) == len(for_six) <= 5


@pytest.mark.parametrize("query", ["wanted", "/wanted/path", "wanted.example"])
def test_it_finds_a_provider(query: str) -> None:
    new_provider("wanted", plain_config(path="/wanted/path", target_url="https://wanted.example/x"))
    new_provider("other")
    response = operator().get(LIST, {"q": query})
    assert [row.provider for row in response.context["cl"].result_list] == ["wanted"]


def test_one_that_settings_use_is_not_deleted() -> None:
    row, client = new_provider(), operator()
    create_setting(provider="acme", setting={"apikey": SECRET})
    assert "used by provider settings" in page(client, f"{LIST}{row.pk}/delete/")
    client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert CustomProvider.objects.exists()
    ProviderSetting.objects.all().delete()
    client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert not CustomProvider.objects.exists()


def test_several_are_deleted_through_their_service() -> None:
    rows = [new_provider(name) for name in ("a", "b")]
    before = ConfigVersion.objects.get(pk=1).snapshot_version
    chosen = {"action": "delete_selected", "_selected_action": [str(row.pk) for row in rows], "post": "yes"}
    operator().post(LIST, chosen)
    assert not CustomProvider.objects.exists()
    assert ConfigVersion.objects.get(pk=1).snapshot_version == before + 2


def test_who_may_look_may_not_change() -> None:
    row = new_provider("acme", route_config())
    client = signed_in("providers.view_customprovider")
    text = page(client, change(row))
    assert "messages.#.content" in text
    assert '<input type="text"' not in text
    assert client.post(change(row), form(*stored(row))).status_code == 403
    assert signed_in().get(LIST).status_code == 403
