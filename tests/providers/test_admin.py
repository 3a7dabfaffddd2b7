"""The admin pages of provider settings and prices: secrets go in and never come out, prices are in USD."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from pytest_django import Settings

from gateway_project.models import ConfigVersion
from keys.services import create_key
from providers.models import ModelPrice, ProviderSetting
from providers.services import secrets_of
from tests.admin_site import operator, page, queries, signed_in
from tests.providers.admin_pages import CANARY, PRICES, SETTINGS, a_price, a_setting, change, form_of, price_form

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rings(settings: Settings) -> None:
    settings.DATA_KEYS = (("test", b"d" * 32),)
    settings.KEY_PEPPERS = (("test", b"p" * 32),)


def snapshot_version() -> int:
    return ConfigVersion.objects.get(pk=1).snapshot_version


def test_it_stores_an_account_and_shows_no_secret_anywhere() -> None:
    client, before = operator(), snapshot_version()
    form = form_of(
        member_apikey=CANARY,
        name="main",
        allowed_models="gpt-4o\n gpt-4o-mini \n\n",
        cost_map='{"promptCostPerModel": {"gpt-4o": 0.5}}',
        weight="3",
    )
    assert client.post(f"{SETTINGS}add/", form).status_code == 302
    row = ProviderSetting.objects.get()
    assert secrets_of(row) == {"apikey": CANARY}
    assert (row.allowed_models, row.weight) == (["gpt-4o", "gpt-4o-mini"], 3)
    assert row.cost_map == {"promptCostPerModel": {"gpt-4o": 0.5}}
    assert snapshot_version() > before
    shown = [page(client, path) for path in (SETTINGS, change(row), f"{SETTINGS}{row.pk}/history/", "/admin/")]
    shown += [entry.change_message for entry in LogEntry.objects.all()]
    assert not [text for text in shown if CANARY in text or row.sealed_secrets["apikey"] in text]


def test_it_lists_where_secrets_go_and_how_many_keys_use_them() -> None:
    row = a_setting(provider="azure", setting={"resourceName": "contoso", "apikey": CANARY})
    a_setting(name="<script>alert(1)</script>")
    create_key(name="key", setting_ids=[row.pk])
    with queries() as ran:
        response = operator().get(SETTINGS)
    text = response.content.decode()
    assert "contoso.openai.azure.com" in text
    assert f"?setting={row.pk}" in text
    assert "<script>alert" not in text
    assert len(ran) <= 5


def test_a_setting_in_use_is_not_deleted() -> None:
    row, client = a_setting(), operator()
    key, _ = create_key(name="key", setting_ids=[row.pk])
    assert "is used by keys" in page(client, f"{SETTINGS}{row.pk}/delete/")
    client.post(f"{SETTINGS}{row.pk}/delete/", {"post": "yes"})
    assert ProviderSetting.objects.exists()
    key.delete()
    before = snapshot_version()
    client.post(f"{SETTINGS}{row.pk}/delete/", {"post": "yes"})
    assert not ProviderSetting.objects.exists()
    assert snapshot_version() > before


def test_who_may_look_at_settings_may_not_change_them() -> None:
    row = a_setting(cost_map={"promptCostPerModel": {"m": 1}})
    client = signed_in("providers.view_providersetting", "providers.view_modelprice")
    text = page(client, change(row))
    assert "api.openai.com" in text
    assert 'type="password"' not in text
    price = a_price(source=ModelPrice.Source.OPERATOR)
    assert "$2.50" in page(client, change(price))
    for path in (change(row), f"{SETTINGS}add/", f"{SETTINGS}{row.pk}/delete/", change(price), f"{PRICES}add/"):
        assert client.post(path, form_of(name="stolen")).status_code == 403, path
    assert signed_in().get(SETTINGS).status_code == 403


def test_it_shows_prices_in_usd_per_million_tokens() -> None:
    a_price(output_pico=10_000_000, cache_read_pico=1_250_000, second_pico=100_000_000)
    text = page(operator(), PRICES, q="gpt-x")
    for shown in ("$2.50", "$10.00", "$1.25", "second $0.006", "–"):
        assert shown in text


def test_a_row_of_the_list_is_copied_not_changed() -> None:
    row, client = a_price(tiers={"flex": {"input_pico": 1_000_000}}), operator()
    text = page(client, change(row))
    assert "$2.50" in text
    assert f"?copy={row.pk}" in text
    assert client.post(change(row), price_form(input_pico="1")).status_code == 403
    assert client.post(f"{PRICES}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(PRICES, {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"})
    assert ModelPrice.objects.filter(pk=row.pk).exists()
    copied = page(client, f"{PRICES}add/", copy=str(row.pk))
    assert 'value="2.5"' in copied
    assert '"input": 1.0' in copied
    assert 'value="made-up"' in page(client, f"{PRICES}add/", provider="openai", model="made-up")
    assert "Provider" in page(client, f"{PRICES}add/", copy="9" * 40)


def test_ones_own_price_is_deleted_through_its_service() -> None:
    one, two = (a_price(source=ModelPrice.Source.OPERATOR, model=name) for name in ("one", "two"))
    client, before = operator(), snapshot_version()
    client.post(f"{PRICES}{one.pk}/delete/", {"post": "yes"})
    client.post(PRICES, {"action": "delete_selected", "_selected_action": [str(two.pk)], "post": "yes"})
    assert not ModelPrice.objects.exists()
    assert snapshot_version() == before + 2


def test_it_shows_only_what_the_chosen_provider_needs() -> None:
    text = page(operator(), f"{SETTINGS}add/")
    for name, kinds in (("member_awsRegion", ["bedrock"]), ("member_resourceName", ["azure"])):
        assert f"{json.dumps(kinds).replace(chr(34), chr(39))}.includes(provider)" in text, name
