"""Who changes provider settings: one function per verb, each journals its change."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from gateway_project.changes import record_change
from gateway_project.shared import clock
from gateway_project.shared.problems import Conflict, NotFound
from providers import rules
from providers.catalog import API_KEY, URL, ProviderKind
from providers.destinations import destinations_of
from providers.kinds import kind_of
from providers.models import ProviderSetting
from providers.sealing import KeyRing, Place, SealBroken, key_id_of, seal, unseal

log = structlog.get_logger("providers")

TABLE = ProviderSetting._meta.db_table
DEFAULT_NAME = "default"
_MAX_NAME_CHARS = 255
_MAX_RANK = 1_000_000


class SettingNotFound(NotFound):
    title = "provider setting is not found"


class SettingInUse(Conflict):
    default_code = "setting_in_use"
    title = "provider setting is in use"


class SettingOptions(TypedDict, total=False):
    """What a setting has besides its account. What is not there keeps its value, or takes the default.

    cost_map: USD per 1000 tokens as the REST has it; None removes it. stream_usage: "auto" or "never".
    """

    name: str
    allowed_models: Sequence[str]
    cost_map: Mapping[str, Any] | None
    stream_usage: str
    priority: int
    weight: int


def create_setting(*, provider: str, setting: Mapping[str, str], **options: Unpack[SettingOptions]) -> ProviderSetting:
    """Store an account at a provider. Raises SettingInvalid."""
    with transaction.atomic():
        kind = _kind(provider, lock=True)
        row = ProviderSetting(provider=kind.name, created_at=clock.now())
        _merge(row, setting, kind)
        _apply(row, options)
        _save(row)
    return row


def update_setting(
    setting_id: UUID | str, *, setting: Mapping[str, str] | None = None, **options: Unpack[SettingOptions]
) -> ProviderSetting:
    """Change what is given; `setting` is merged by name, "" removes an optional member.

    Raises SettingNotFound, and SettingInvalid also when a secret would go to another destination than it was entered
    for and is not entered again.
    """
    with transaction.atomic():
        row = _locked(setting_id)
        if setting is not None:
            _merge(row, setting, _kind(row.provider))
        _apply(row, options)
        _save(row)
    return row


def delete_setting(setting_id: UUID | str) -> None:
    """Raises SettingNotFound, and SettingInUse while a key uses it."""
    with transaction.atomic():
        row = _locked(setting_id)
        try:
            row.delete()
        except ProtectedError as error:
            raise SettingInUse(f"provider setting {setting_id} is used by keys: take it from them first") from error
        record_change(snapshot=True)


def ensure_openai_default(apikey: str | None) -> ProviderSetting | None:
    """Keep the setting `default` in step with OPENAI_API_KEY, called at start with the variable's value.

    Without the variable nothing changes, so that keys which use the setting go on working. A setting that was given
    a url of its own is left alone: the variable's key was not entered for that destination.
    """
    if not apikey:
        return None
    try:
        with transaction.atomic():
            return _ensured_default(apikey)
    except IntegrityError:
        # Another process created it in between; it read the same environment.
        return ProviderSetting.objects.get(is_environment_default=True)


def default_setting_id() -> UUID | None:
    """The setting that keys created without settings use; None when there is no OPENAI_API_KEY setting."""
    return ProviderSetting.objects.filter(is_environment_default=True).values_list("id", flat=True).first()


def reseal_secrets() -> int:
    """Seal every secret that an older data key sealed under the current one; how many settings changed.

    Raises SealBroken for a secret that cannot be opened; nothing changes then.
    """
    changed = 0
    with transaction.atomic():
        for row in ProviderSetting.objects.select_for_update().order_by("pk"):
            if any(key_id_of(token) != key_ring().current.id for token in row.sealed_secrets.values()):
                kind = kind_of(row.provider)
                _seal_into(row, secrets_of(row, kind), kind)
                row.save(update_fields=["sealed_secrets"])
                changed += 1
        if changed:
            record_change(snapshot=True)
    return changed


def secrets_of(row: ProviderSetting, kind: ProviderKind | None = None) -> dict[str, str]:
    """The secrets of a row in clear, for the snapshot and for sealing them again only. Raises SealBroken.

    kind: that of the row's provider, for who has it at hand. Raises KeyError where the provider is no more.
    """
    ring, kind = key_ring(), kind or kind_of(row.provider)
    return {name: unseal(token, _place(row, name, kind), ring) for name, token in row.sealed_secrets.items()}


def seal_again(row: ProviderSetting, secrets: Mapping[str, str], kind: ProviderKind) -> None:
    """Replace what a row has sealed; none to take its secrets away. The caller saves and journals."""
    row.sealed_secrets = {}
    _seal_into(row, secrets, kind)


def key_ring() -> KeyRing:
    """The data keys of this installation. Raises ValueError when there are none."""
    return KeyRing.of(settings.DATA_KEYS)


def _ensured_default(apikey: str) -> ProviderSetting:
    row = ProviderSetting.objects.select_for_update().filter(is_environment_default=True).first()
    if row is None:
        row = ProviderSetting(provider="openai", name=DEFAULT_NAME, is_environment_default=True, created_at=clock.now())
    elif _opened(row).get(API_KEY) == apikey:
        return row
    elif row.parameters.get(URL):
        log.warning("default_setting_has_its_own_url", setting_id=str(row.pk), left_alone="OPENAI_API_KEY")
        return row
    _merge(row, {API_KEY: apikey}, kind_of(row.provider))
    _save(row)
    log.info("default_setting_stored", setting_id=str(row.pk))
    return row


def _locked(setting_id: UUID | str) -> ProviderSetting:
    try:
        return ProviderSetting.objects.select_for_update().get(pk=UUID(str(setting_id)))
    except (ProviderSetting.DoesNotExist, ValueError) as error:
        raise SettingNotFound(f"provider setting {str(setting_id)[:64]!r} is not found") from error


def _kind(provider: str, *, lock: bool = False) -> ProviderKind:
    """Raises SettingInvalid for a provider that there is not."""
    try:
        return kind_of(provider, lock=lock)
    except KeyError:
        return kind_of(rules.check_provider(provider))


def _merge(row: ProviderSetting, setting: Mapping[str, str], kind: ProviderKind) -> None:
    """Merge members by name into an unsaved or locked row, sealing what is secret."""
    members = rules.members_of(setting, kind)
    rules.check_members(kind, members)
    secrets = {name: value for name, value in members.items() if not rules.is_parameter(kind, name)}
    given = {name: value for name, value in members.items() if name not in secrets}
    parameters = {name: value for name, value in (row.parameters | given).items() if value}
    kept = {name: token for name, token in row.sealed_secrets.items() if name not in secrets}
    entered = {name: value for name, value in secrets.items() if value}
    rules.check_required(kind, {*parameters, *kept, *entered})
    if destinations_of(kind, parameters) != _destinations(row, kind):
        _check_none_follows(given, kept)
    row.parameters = parameters
    row.sealed_secrets = kept
    _seal_into(row, entered, kind)


def _check_none_follows(given: Mapping[str, str], kept: Mapping[str, str]) -> None:
    """A secret entered for one destination is never sent to another one that somebody chooses later."""
    if kept:
        fields = tuple(f"setting.{name}" for name in kept)
        changed = ", ".join(f"setting.{name}" for name in given)
        text = f"{', '.join(fields)} must be sent again, because {changed} changes where it is sent to"
        raise rules.SettingInvalid(text, fields=fields)


def _seal_into(row: ProviderSetting, secrets: Mapping[str, str], kind: ProviderKind) -> None:
    ring = key_ring()
    sealed = {name: seal(value, _place(row, name, kind), ring) for name, value in secrets.items()}
    row.sealed_secrets = row.sealed_secrets | sealed


def _destinations(row: ProviderSetting, kind: ProviderKind) -> tuple[str, ...]:
    """Those of the row as it is; none while it holds no secret that could be sent there."""
    return destinations_of(kind, row.parameters) if row.sealed_secrets else ()


def _place(row: ProviderSetting, name: str, kind: ProviderKind) -> Place:
    return Place(TABLE, str(row.pk), name, destinations_of(kind, row.parameters))


def _opened(row: ProviderSetting) -> dict[str, str]:
    try:
        return secrets_of(row)
    except SealBroken as error:
        log.error("secret_cannot_be_opened", setting_id=str(row.pk), reason=str(error))
        return {}


def _apply(row: ProviderSetting, options: SettingOptions) -> None:
    if "name" in options:
        row.name = _checked_name(options["name"])
    if "allowed_models" in options:
        row.allowed_models = rules.check_models(options["allowed_models"])
    if "cost_map" in options:
        rules.cost_map_of(options["cost_map"])
        row.cost_map = options["cost_map"]
    if "stream_usage" in options:
        if options["stream_usage"] not in rules.STREAM_USAGE:
            raise rules.invalid("streamUsage", f"must be one of {', '.join(rules.STREAM_USAGE)}")
        row.stream_usage = options["stream_usage"]
    if "priority" in options:
        row.priority = _checked_rank("priority", options["priority"], least=-_MAX_RANK)
    if "weight" in options:
        row.weight = _checked_rank("weight", options["weight"], least=1)


def _save(row: ProviderSetting) -> None:
    row.updated_at = clock.now()
    row.save()
    record_change(snapshot=True)


def _checked_name(name: str) -> str:
    if len(name) > _MAX_NAME_CHARS or not name.isprintable():
        raise rules.invalid("name", f"must be one line of at most {_MAX_NAME_CHARS} characters")
    return name


def _checked_rank(field: str, value: int, *, least: int) -> int:
    if not least <= value <= _MAX_RANK:
        raise rules.invalid(field, f"must be between {least} and {_MAX_RANK}")
    return value
