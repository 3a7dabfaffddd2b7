"""The forms of custom providers and of the settings stored for them."""

from typing import Any

import pytest
from pytest_django import Settings

from gateway_project.models import ConfigVersion
from providers.models import CustomProvider, ProviderSetting
from providers.services import secrets_of
from providers.snapshot import load_prices
from tests.admin_site import errors_of, operator, page
from tests.providers.admin_pages import PRICES, SETTINGS, form_of, price_form
from tests.providers.admin_pages import change as setting_page
from tests.providers.custom_configs import SECRET, new_provider, plain_config, route_config
from tests.providers.custom_pages import LIST, change, config_errors, form, paths_of, stored

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rings(settings: Settings) -> None:
    settings.DATA_KEYS = (("test", b"d" * 32),)


def test_it_makes_a_provider_with_its_paths() -> None:
    before = ConfigVersion.objects.get(pk=1).snapshot_version
    response = operator().post(
        f"{LIST}add/", form({"path": "/a", "methods": ["GET", "POST"]}, {"path": "/b"}, provider="Acme")
    )
    assert response.status_code == 302
    row = CustomProvider.objects.get()
    assert (row.provider, row.authentication_param, paths_of(row)) == ("acme", "apikey", ["/a", "/b"])
    first = row.routes.all()[0]
    assert (first.methods, first.stream_max_empty_messages) == (["GET", "POST"], 10)
    assert ConfigVersion.objects.get(pk=1).snapshot_version > before


def test_it_changes_paths_adds_and_removes_them() -> None:
    row = new_provider("acme", plain_config(path="/a"), plain_config(path="/b"))
    first, second = stored(row)
    sent = form({**first, "model_location": "engine.name"}, {**second, "DELETE": "on"}, {"path": "/c"})
    response = operator().post(change(row), {**sent, "authentication_param": "token"})
    assert response.status_code == 302
    assert paths_of(row) == ["/a", "/c"]
    fresh = CustomProvider.objects.get(pk=row.pk)
    assert (fresh.authentication_param, fresh.routes.all()[0].model_location) == ("token", "engine.name")


def test_a_page_shows_what_is_stored_with_examples() -> None:
    row = new_provider("acme", route_config(model_location="engine.name"))
    text = page(operator(), change(row))
    for shown in ("engine.name", "messages.#.content", "choices.#.delta.content", "[DONE]", str(row.pk)):
        assert shown in text


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"target_url": "http://169.254.169.254/"}, "target_url"),
        ({"path": "no-slash"}, "path"),
        ({"model_location": "a|b"}, "model_location"),
        ({"stream_end_word": ""}, "stream_end_word"),
        ({"stream_max_empty_messages": "-1"}, "stream_max_empty_messages"),
        ({"methods": ["BREW"]}, "methods"),
    ],
)
def test_it_says_what_is_wrong_at_the_field_of_the_path_that_is(config: dict[str, Any], field: str) -> None:
    response = operator().post(f"{LIST}add/", form({"path": "/first"}, config))
    assert [list(each) for each in config_errors(response)] == [[], [field]]
    assert not CustomProvider.objects.exists()


def test_it_says_what_is_wrong_with_the_provider() -> None:
    client = operator()
    assert list(errors_of(client.post(f"{LIST}add/", form({}, provider="openai")))) == ["provider"]
    assert list(errors_of(client.post(f"{LIST}add/", form({}, authentication_param="a b")))) == ["authentication_param"]
    new_provider("acme")
    taken = errors_of(client.post(f"{LIST}add/", form({})))
    assert "must be unique" in str(taken)
    nothing = client.post(f"{LIST}add/", form(provider="empty"))
    assert "route_configs" in str(errors_of(nothing))
    assert CustomProvider.objects.count() == 1


def test_a_setting_of_a_custom_provider_takes_its_secret() -> None:
    new_provider("acme", authentication_param="token")
    client = operator()
    assert "acme" in page(client, f"{SETTINGS}add/")
    response = client.post(f"{SETTINGS}add/", form_of(provider="acme", own_secret=SECRET, member_apikey="ignored"))
    assert response.status_code == 302
    row = ProviderSetting.objects.get()
    assert secrets_of(row) == {"token": SECRET}
    text = page(client, setting_page(row))
    assert "stored; blank keeps it" in text
    assert SECRET not in text
    assert "as its paths say" in page(client, SETTINGS, provider="acme")
    client.post(setting_page(row), form_of(provider="acme", name="renamed"))
    row.refresh_from_db()
    assert (row.name, secrets_of(row)) == ("renamed", {"token": SECRET})
    client.post(setting_page(row), form_of(provider="acme", own_secret="sk-second"))
    row.refresh_from_db()
    assert secrets_of(row) == {"token": "sk-second"}


@pytest.mark.parametrize(
    ("parameter", "secret", "says"),
    [("apikey", "", "missing fields apikey"), ("", SECRET, "no authentication param"), ("apikey", "a\nb", "printable")],
)
def test_a_setting_says_what_is_wrong_with_the_secret(parameter: str, secret: str, says: str) -> None:
    new_provider("acme", authentication_param=parameter)
    response = operator().post(f"{SETTINGS}add/", form_of(provider="acme", own_secret=secret))
    errors = errors_of(response)
    assert list(errors) == ["own_secret"]
    assert says in errors["own_secret"][0]
    assert SECRET not in response.content.decode()


def test_models_of_a_custom_provider_are_priced_like_others() -> None:
    new_provider("acme")
    client = operator()
    fields = price_form(provider="acme", model="m-1", input_pico="0.5", output_pico="1.5", max_output_tokens="64")
    assert client.post(f"{PRICES}add/", fields).status_code == 302
    price = load_prices()["acme", "m-1"]
    assert (price.input_pico, price.output_pico, price.max_output_tokens) == (500_000, 1_500_000, 64)
    assert "acme" in page(client, PRICES, provider="acme")
