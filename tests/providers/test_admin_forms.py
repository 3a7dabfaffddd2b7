"""The form of a provider setting: secrets go in and never come out."""

import pytest
from pytest_django import Settings

from providers.models import ProviderSetting
from providers.services import secrets_of
from tests.admin_site import errors_of, operator, page
from tests.providers.admin_pages import CANARY, SETTINGS, a_setting, change, form_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rings(settings: Settings) -> None:
    settings.DATA_KEYS = (("test", b"d" * 32),)


def test_blank_keeps_a_secret_and_a_new_one_replaces_it() -> None:
    row, client = a_setting(), operator()
    assert "stored; blank keeps it" in page(client, change(row))
    assert client.post(change(row), form_of(name="renamed")).status_code == 302
    row.refresh_from_db()
    assert (row.name, secrets_of(row)) == ("renamed", {"apikey": CANARY})
    client.post(change(row), form_of(member_apikey="sk-second"))
    row.refresh_from_db()
    assert secrets_of(row) == {"apikey": "sk-second"}


def test_another_destination_wants_the_secret_again() -> None:
    row, client = a_setting(), operator()
    response = client.post(change(row), form_of(member_url="https://elsewhere.example/v1", member_apikey=""))
    assert list(errors_of(response)) == ["member_apikey"]
    assert "must be sent again" in errors_of(response)["member_apikey"][0]
    row.refresh_from_db()
    assert row.parameters == {}
    accepted = client.post(change(row), form_of(member_url="https://elsewhere.example/v1", member_apikey=CANARY))
    assert accepted.status_code == 302
    row.refresh_from_db()
    assert row.parameters == {"url": "https://elsewhere.example/v1"}
    # The way back is one as well: the provider's own address is another destination.
    assert "member_apikey" in errors_of(client.post(change(row), form_of(member_url="")))


def test_a_secret_that_is_not_needed_can_be_removed() -> None:
    row = a_setting(provider="vllm", setting={"url": "http://gpu.example:8000", "apikey": CANARY})
    client = operator()
    assert "Remove the API key" in page(client, change(row))
    client.post(change(row), form_of(member_url="http://gpu.example:8000", remove_apikey="on"))
    row.refresh_from_db()
    assert row.sealed_secrets == {}
    assert "Remove the API key" not in page(client, change(row))


def test_a_key_gives_way_to_a_token_and_a_deployment_gets_its_model() -> None:
    row = a_setting(provider="azure", setting={"resourceName": "acme", "apikey": CANARY})
    client, models = operator(), '{"prod": "gpt-4o"}'
    form = {"member_resourceName": "acme", "member_deploymentModels": models}
    client.post(change(row), form_of(**form, member_entraToken="eyJ.x", remove_apikey="on", member_apikey=""))
    row.refresh_from_db()
    assert (secrets_of(row), row.parameters["deploymentModels"]) == ({"entraToken": "eyJ.x"}, models)
    wrong = client.post(change(row), form_of(**{**form, "member_deploymentModels": "prod"}, member_apikey=""))
    assert list(errors_of(wrong)) == ["member_deploymentModels"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"member_apikey": ""}, "member_apikey"),
        ({"member_apikey": "with\nbreak"}, "member_apikey"),
        ({"member_url": "ftp://x"}, "member_url"),
        ({"member_url": "http://169.254.169.254/"}, "member_url"),
        ({"cost_map": "[1]"}, "cost_map"),
        ({"cost_map": "{"}, "cost_map"),
        ({"cost_map": '{"promptCostPerModel": {"m": -1}}'}, "cost_map"),
        ({"weight": "0"}, "weight"),
        ({"provider": "bedrock"}, "member_awsAccessKeyId"),
        ({"provider": "nobody"}, "provider"),
    ],
)
def test_it_says_what_is_wrong_at_the_field_that_is(fields: dict[str, str], wrong: str) -> None:
    response = operator().post(f"{SETTINGS}add/", form_of(**{"member_apikey": CANARY, **fields}))
    assert list(errors_of(response)) == [wrong]
    assert CANARY not in response.content.decode()
    assert not ProviderSetting.objects.exists()


def test_it_ignores_what_was_entered_for_another_provider() -> None:
    form = form_of(member_apikey=CANARY, member_awsRegion="us-east-1", member_awsSecretAccessKey="left over")
    assert operator().post(f"{SETTINGS}add/", form).status_code == 302
    row = ProviderSetting.objects.get()
    assert (row.parameters, list(row.sealed_secrets)) == ({}, ["apikey"])
