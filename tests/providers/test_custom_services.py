"""Who changes custom providers, and what becomes of the secrets of their settings."""

from typing import Any

import pytest

from gateway_project.models import ConfigVersion
from providers.custom_queries import CustomProviderNotFound
from providers.custom_rules import CustomProviderInvalid
from providers.custom_services import (
    CustomProviderExists,
    CustomProviderInUse,
    delete_custom_provider,
    update_custom_provider,
)
from providers.models import CustomProvider, CustomRoute, ProviderSetting
from providers.rules import SettingInvalid
from providers.sealing import SealBroken
from providers.services import create_setting, reseal_secrets, secrets_of, update_setting
from providers.snapshot import load_settings
from tests.providers.custom_configs import SECRET, new_provider, plain_config, route_config

pytestmark = pytest.mark.django_db

HERE, THERE = "https://api.acme.example", "https://other.example"


def version() -> int:
    return ConfigVersion.objects.get(pk=1).snapshot_version


def setting_of(provider: CustomProvider, **members: Any) -> ProviderSetting:
    return create_setting(provider=provider.provider, setting={"apikey": SECRET, **members})


def fresh(setting: ProviderSetting) -> ProviderSetting:
    return ProviderSetting.objects.get(pk=setting.pk)


def test_every_change_reaches_the_proxies() -> None:
    before = version()
    row = new_provider()
    update_custom_provider(row.pk, authentication_param="")
    update_custom_provider(row.pk, route_configs=[plain_config(path="/more")])
    delete_custom_provider(row.pk)
    assert version() == before + 4
    assert not CustomRoute.objects.exists()


def test_a_name_is_taken_once() -> None:
    new_provider("acme")
    with pytest.raises(CustomProviderExists, match="acme"):
        new_provider("Acme")


def test_routes_can_be_replaced_as_a_whole() -> None:
    row = new_provider("acme", plain_config(path="/a"), plain_config(path="/b"))
    changed = update_custom_provider(row.pk, route_configs=[plain_config(path="/c")], replace=True)
    assert [route.path for route in changed.routes.all()] == ["/c"]


def test_one_that_is_not_there_cannot_be_changed() -> None:
    for unknown in ("nobody", "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(CustomProviderNotFound):
            update_custom_provider(unknown, authentication_param="x")
        with pytest.raises(CustomProviderNotFound):
            delete_custom_provider(unknown)


def test_a_refused_change_changes_nothing() -> None:
    row, before = new_provider(), version()
    with pytest.raises(CustomProviderInvalid):
        update_custom_provider(row.pk, authentication_param="token", route_configs=[{"path": "/new"}])
    assert CustomProvider.objects.get().authentication_param == "apikey"
    assert version() == before


def test_one_that_settings_use_stays() -> None:
    row = new_provider()
    setting_of(row)
    with pytest.raises(CustomProviderInUse, match="used by provider settings"):
        delete_custom_provider(row.pk)
    assert CustomProvider.objects.exists()


def test_a_setting_needs_the_member_that_is_sent_as_bearer() -> None:
    new_provider("acme", authentication_param="Token")
    with pytest.raises(SettingInvalid, match="provider acme is missing fields token") as refused:
        create_setting(provider="acme", setting={"apikey": SECRET})
    assert refused.value.fields == ("setting.token",)
    setting = create_setting(provider="acme", setting={"TOKEN": SECRET})
    assert secrets_of(setting) == {"token": SECRET}
    assert SECRET not in str(setting.sealed_secrets)


def test_a_setting_of_one_without_authentication_needs_nothing() -> None:
    new_provider("acme", authentication_param="")
    setting = create_setting(provider="acme", setting={})
    assert load_settings()[str(setting.pk)].secrets == {}


def test_a_provider_that_is_not_described_has_no_settings() -> None:
    with pytest.raises(SettingInvalid, match="'acme' is not supported"):
        create_setting(provider="acme", setting={"apikey": SECRET})


def test_a_secret_does_not_follow_to_another_host() -> None:
    row = new_provider()
    setting = setting_of(row)
    update_custom_provider(row.pk, route_configs=[{"path": "/chat/completions", "target_url": f"{THERE}/v1"}])
    assert fresh(setting).sealed_secrets == {}
    assert load_settings() == {}
    with pytest.raises(SettingInvalid, match="missing fields apikey"):
        update_setting(setting.pk, setting={})
    update_setting(setting.pk, setting={"apikey": "entered again"})
    assert load_settings()[str(setting.pk)].secrets == {"apikey": "entered again"}


def test_a_further_host_wants_the_secret_again() -> None:
    row = new_provider()
    setting_of(row)
    update_custom_provider(row.pk, route_configs=[plain_config(path="/more", target_url=f"{THERE}/v1")])
    assert load_settings() == {}


def test_who_moves_rows_about_cannot_open_the_secret() -> None:
    row = new_provider()
    setting = setting_of(row)
    CustomRoute.objects.filter(custom_provider=row).update(target_url=f"{THERE}/v1")
    with pytest.raises(SealBroken):
        secrets_of(fresh(setting))
    assert load_settings() == {}


def test_a_secret_stays_where_it_was_entered_for() -> None:
    row = new_provider("acme", route_config(), plain_config(path="/there", target_url=f"{THERE}/v1"))
    setting = setting_of(row)
    update_custom_provider(row.pk, route_configs=[{"path": "/chat/completions", "target_url": f"{HERE}/v2/chat"}])
    assert secrets_of(fresh(setting)) == {"apikey": SECRET}
    before = fresh(setting).sealed_secrets
    update_custom_provider(row.pk, route_configs=[route_config()], replace=True)  # one host fewer
    assert secrets_of(fresh(setting)) == {"apikey": SECRET}
    assert fresh(setting).sealed_secrets != before
    update_custom_provider(row.pk, route_configs=[plain_config(path="/there", target_url=f"{THERE}/v1")])
    assert load_settings() == {}


def test_another_authentication_param_wants_its_secret() -> None:
    row = new_provider()
    setting = setting_of(row)
    update_custom_provider(row.pk, authentication_param="token")
    assert load_settings() == {}
    update_setting(setting.pk, setting={"token": "sk-2"})
    assert load_settings()[str(setting.pk)].secrets["token"] == "sk-2"


def test_a_damaged_secret_does_not_stand_in_the_way() -> None:
    row = new_provider("acme", route_config(), plain_config(path="/there", target_url=f"{THERE}/v1"))
    setting = setting_of(row)
    ProviderSetting.objects.filter(pk=setting.pk).update(sealed_secrets={"apikey": "v1.nobody.AAAA"})
    update_custom_provider(row.pk, route_configs=[route_config()], replace=True)
    assert fresh(setting).sealed_secrets == {}


def test_secrets_are_sealed_anew_under_a_new_data_key(settings: Any) -> None:
    setting = setting_of(new_provider())
    settings.DATA_KEYS = [("newer", b"n" * 32), *settings.DATA_KEYS]
    assert reseal_secrets() == 1
    assert fresh(setting).sealed_secrets["apikey"].startswith("v1.newer.")
    assert secrets_of(fresh(setting)) == {"apikey": SECRET}
