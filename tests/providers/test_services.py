"""Settings from their first secret to their deletion: sealed, merged, journalled, never sent anywhere else."""

import base64
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from structlog.testing import capture_logs

from gateway_project.models import ConfigVersion
from providers import services
from providers.models import ProviderSetting
from providers.rules import SettingInvalid
from providers.sealing import SealBroken, key_id_of
from providers.services import (
    SettingInUse,
    SettingNotFound,
    create_setting,
    default_setting_id,
    delete_setting,
    ensure_openai_default,
    reseal_secrets,
    secrets_of,
    update_setting,
)

pytestmark = pytest.mark.django_db

SECRET = "sk-canary-51f2"


def snapshot_version() -> int:
    return ConfigVersion.objects.get(pk=1).snapshot_version


def fresh(row: ProviderSetting) -> ProviderSetting:
    return ProviderSetting.objects.get(pk=row.pk)


def openai(**members: str) -> ProviderSetting:
    return create_setting(provider="openai", setting={"apikey": SECRET, **members})


def test_it_stores_a_setting_with_its_secret_sealed() -> None:
    row = fresh(openai(url="http://localhost:9000"))
    assert secrets_of(row) == {"apikey": SECRET}
    assert row.parameters == {"url": "http://localhost:9000"}
    assert SECRET not in str(row.__dict__)


@pytest.mark.parametrize(
    ("provider", "setting"),
    [
        ("openai", {"apikey": "a"}),
        ("anthropic", {"apiKey": "a"}),
        ("azure", {"resourceName": "acme", "apikey": "a"}),
        ("azure", {"url": "https://acme.example", "entraToken": "eyJ.x", "deploymentModels": '{"d": "gpt-4o"}'}),
        ("groq", {"apikey": "a"}),
        ("ollama", {}),
        ("bedrock", {"awsAccessKeyId": "a", "awsSecretAccessKey": "b", "awsRegion": "us-east-1"}),
        ("bedrock", {"awsCredentialChain": "true", "awsRegion": "us-east-1"}),
        ("vllm", {"url": "http://gpu:8000"}),
        ("vllm", {"url": "http://gpu:8000", "apikey": "a"}),
        ("deepinfra", {"apikey": "a"}),
    ],
)
def test_it_stores_every_provider(provider: str, setting: dict[str, str]) -> None:
    row = fresh(create_setting(provider=provider, setting=setting))
    assert {*secrets_of(row), *row.parameters} == {name.replace("apiKey", "apikey") for name in setting}


def test_it_seals_members_it_does_not_know() -> None:
    row = openai(organization="org-canary")
    assert row.parameters == {}
    assert secrets_of(row)["organization"] == "org-canary"


def test_it_journals_each_change_for_the_snapshot() -> None:
    versions = [snapshot_version()]
    row = openai()
    versions.append(snapshot_version())
    update_setting(row.pk, name="new")
    versions.append(snapshot_version())
    delete_setting(row.pk)
    versions.append(snapshot_version())
    assert versions == sorted(set(versions))


def test_it_keeps_options_as_they_were_given() -> None:
    cost_map = {"promptCostPerModel": {"GPT-x": 0.001}}
    row = fresh(
        create_setting(
            provider="openai",
            setting={"apikey": SECRET},
            name="team",
            allowed_models=["a", "b"],
            cost_map=cost_map,
            stream_usage="never",
            priority=3,
            weight=5,
        )
    )
    assert (row.name, row.allowed_models, row.cost_map) == ("team", ["a", "b"], cost_map)
    assert (row.stream_usage, row.priority, row.weight) == ("never", 3, 5)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"name": "x" * 256}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"stream_usage": "maybe"}, "streamUsage"),
        ({"weight": 0}, "weight"),
        ({"priority": 10**9}, "priority"),
        ({"cost_map": {"x": {}}}, "costMap.x"),
        ({"allowed_models": [""]}, "allowedModels[0]"),
    ],
)
def test_it_refuses_options_that_are_none(options: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingInvalid) as error:
        create_setting(provider="openai", setting={"apikey": SECRET}, **options)
    assert error.value.fields == (field,)
    assert not ProviderSetting.objects.exists()


def test_it_merges_members_by_name() -> None:
    row = openai(organization="org-1")
    update_setting(row.pk, setting={"apikey": "sk-other"})
    assert secrets_of(fresh(row)) == {"apikey": "sk-other", "organization": "org-1"}


def test_it_changes_nothing_that_is_not_given() -> None:
    row = openai()
    update_setting(row.pk, name="new", allowed_models=["a"], cost_map={})
    update_setting(row.pk, priority=7)
    after = fresh(row)
    assert (after.name, after.allowed_models, after.cost_map, after.priority) == ("new", ["a"], {}, 7)
    assert secrets_of(after) == {"apikey": SECRET}


def test_it_takes_the_own_prices_away_with_none() -> None:
    row = create_setting(provider="openai", setting={"apikey": SECRET}, cost_map={"promptCostPerModel": {"m": 1}})
    assert update_setting(row.pk, cost_map=None).cost_map is None


@pytest.mark.parametrize(
    "change", [{"url": "http://evil.example"}, {"url": "http://api.openai.com"}, {"url": "https://api.openai.com:444"}]
)
def test_it_never_sends_a_kept_secret_to_another_destination(change: dict[str, str]) -> None:
    row = openai()
    with pytest.raises(SettingInvalid) as error:
        update_setting(row.pk, setting=change)
    assert error.value.fields == ("setting.apikey",)
    assert "setting.apikey" in error.value.detail
    assert secrets_of(fresh(row)) == {"apikey": SECRET}


def test_it_wants_every_secret_again_for_another_destination() -> None:
    row = openai(organization="org-1")
    with pytest.raises(SettingInvalid) as error:
        update_setting(row.pk, setting={"url": "http://other:8000", "apikey": "sk-new"})
    assert error.value.fields == ("setting.organization",)


def test_it_moves_to_another_destination_with_every_secret() -> None:
    row = openai()
    update_setting(row.pk, setting={"url": "http://other:8000", "apikey": "sk-new"})
    assert secrets_of(fresh(row)) == {"apikey": "sk-new"}


def test_it_wants_the_secret_again_when_the_url_is_taken_away() -> None:
    row = openai(url="http://localhost:9000")
    with pytest.raises(SettingInvalid):
        update_setting(row.pk, setting={"url": ""})
    assert update_setting(row.pk, setting={"url": "", "apikey": "sk-b"}).parameters == {}


def test_it_lets_a_path_on_the_same_origin_change() -> None:
    row = openai(url="http://localhost:9000")
    update_setting(row.pk, setting={"url": "http://localhost:9000/v1"})
    assert secrets_of(fresh(row)) == {"apikey": SECRET}


def test_it_counts_a_resource_name_and_a_region_as_destinations() -> None:
    azure = create_setting(provider="azure", setting={"resourceName": "acme", "apikey": SECRET})
    bedrock = create_setting(
        provider="bedrock", setting={"awsAccessKeyId": "a", "awsSecretAccessKey": "b", "awsRegion": "us-east-1"}
    )
    with pytest.raises(SettingInvalid):
        update_setting(azure.pk, setting={"resourceName": "evil"})
    with pytest.raises(SettingInvalid) as error:
        update_setting(bedrock.pk, setting={"awsRegion": "eu-west-1", "awsAccessKeyId": "a"})
    assert error.value.fields == ("setting.awsSecretAccessKey",)


def test_it_lets_a_setting_without_secrets_move() -> None:
    row = create_setting(provider="vllm", setting={"url": "http://gpu-1:8000"})
    assert update_setting(row.pk, setting={"url": "http://gpu-2:8000"}).parameters == {"url": "http://gpu-2:8000"}


def test_it_cannot_open_a_secret_after_the_destination_was_changed_behind_its_back() -> None:
    row = openai()
    ProviderSetting.objects.filter(pk=row.pk).update(parameters={"url": "http://evil.example"})
    with pytest.raises(SealBroken):
        secrets_of(fresh(row))


def test_it_cannot_open_a_secret_that_was_copied_to_another_row() -> None:
    one, other = openai(), openai()
    ProviderSetting.objects.filter(pk=other.pk).update(sealed_secrets=one.sealed_secrets)
    with pytest.raises(SealBroken):
        secrets_of(fresh(other))


def test_it_removes_an_optional_member_with_a_blank_but_no_required_one() -> None:
    row = create_setting(provider="vllm", setting={"url": "http://gpu:8000", "apikey": SECRET})
    assert update_setting(row.pk, setting={"apikey": ""}).sealed_secrets == {}
    with pytest.raises(SettingInvalid):
        update_setting(openai().pk, setting={"apikey": ""})


@pytest.mark.parametrize("setting_id", ["nope", "", "00000000-0000-0000-0000-000000000000"])
def test_it_says_when_there_is_no_such_setting(setting_id: str) -> None:
    with pytest.raises(SettingNotFound):
        update_setting(setting_id, name="x")
    with pytest.raises(SettingNotFound):
        delete_setting(setting_id)


def test_it_keeps_a_setting_that_a_key_uses() -> None:
    from keys.services import create_key  # the only test here that needs another app

    row = openai()
    create_key(name="k", secret="s3cret-for-a-key", setting_ids=[str(row.pk)])
    with pytest.raises(SettingInUse):
        delete_setting(row.pk)
    assert ProviderSetting.objects.filter(pk=row.pk).exists()


def test_it_has_no_default_without_the_variable() -> None:
    assert ensure_openai_default("") is None
    assert ensure_openai_default(None) is None
    assert default_setting_id() is None


def test_it_creates_the_default_once() -> None:
    first = ensure_openai_default(SECRET)
    version = snapshot_version()
    second = ensure_openai_default(SECRET)
    assert first is not None
    assert second is not None
    assert first.pk == second.pk == default_setting_id()
    assert (first.name, first.provider) == ("default", "openai")
    assert snapshot_version() == version


def test_it_keeps_the_default_in_step_with_the_variable() -> None:
    row = ensure_openai_default(SECRET)
    assert row is not None
    ensure_openai_default("sk-rotated")
    assert secrets_of(fresh(row)) == {"apikey": "sk-rotated"}
    ensure_openai_default("")
    assert secrets_of(fresh(row)) == {"apikey": "sk-rotated"}


def test_it_never_sends_the_variables_key_to_a_url_somebody_set() -> None:
    row = ensure_openai_default(SECRET)
    assert row is not None
    update_setting(row.pk, setting={"url": "http://evil.example", "apikey": "bait"})
    ensure_openai_default(SECRET)
    assert secrets_of(fresh(row)) == {"apikey": "bait"}


def test_it_allows_one_default_only() -> None:
    ensure_openai_default(SECRET)
    with pytest.raises(IntegrityError), transaction.atomic():
        ProviderSetting.objects.create(provider="openai", is_environment_default=True, created_at=1, updated_at=1)


def test_it_reseals_every_secret_under_the_current_key(monkeypatch: pytest.MonkeyPatch) -> None:
    row = openai(organization="org-1")
    before, version = dict(row.sealed_secrets), snapshot_version()
    monkeypatch.setattr(settings, "DATA_KEYS", (("d-new", b"n" * 32), *settings.DATA_KEYS))
    assert reseal_secrets() == 1
    after = fresh(row)
    assert {key_id_of(token) for token in after.sealed_secrets.values()} == {"d-new"}
    assert set(after.sealed_secrets) == set(before)
    monkeypatch.setattr(settings, "DATA_KEYS", (("d-new", b"n" * 32),))
    assert secrets_of(after) == {"apikey": SECRET, "organization": "org-1"}
    assert snapshot_version() > version
    assert reseal_secrets() == 0


def test_it_reseals_nothing_when_one_secret_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = openai(), openai()
    ProviderSetting.objects.filter(pk=bad.pk).update(sealed_secrets={"apikey": "v1.gone.AAAA"})
    monkeypatch.setattr(settings, "DATA_KEYS", (("d-new", b"n" * 32), *settings.DATA_KEYS))
    with pytest.raises(SealBroken):
        reseal_secrets()
    assert fresh(good).sealed_secrets == good.sealed_secrets


def test_it_shows_no_secret_in_what_it_logs_raises_or_represents(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        row = ensure_openai_default(SECRET)
        assert row is not None
        shown = [repr(row), str(row), repr(row.__dict__)]
        for wrong in ({"apikey": f"{SECRET}\n"}, {"url": f"http://{SECRET}@host"}, {"apikey": SECRET, "apiKey": "b"}):
            with pytest.raises(SettingInvalid) as error:
                update_setting(row.pk, setting=wrong)
            shown += [str(error.value), repr(error.value), str(error.value.extra)]
        monkeypatch.setattr(settings, "DATA_KEYS", (("other", b"o" * 32),))
        ensure_openai_default(SECRET)
    assert logs
    assert not [text for text in [*shown, str(logs)] if SECRET in text]
    assert base64.b64encode(SECRET.encode()).decode() not in str(shown)


def test_it_brings_a_default_back_whose_data_key_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ensure_openai_default(SECRET)
    assert row is not None
    monkeypatch.setattr(settings, "DATA_KEYS", (("other", b"o" * 32),))
    ensure_openai_default(SECRET)
    assert secrets_of(fresh(row)) == {"apikey": SECRET}


def test_it_tells_of_an_empty_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DATA_KEYS", ())
    with pytest.raises(ValueError, match="GATEWAY_DATA_KEYS"):
        services.key_ring()


def test_it_gives_ids_that_are_random() -> None:
    assert openai().pk.version == uuid4().version
