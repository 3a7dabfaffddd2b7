"""The read side of provider settings."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from providers.models import ProviderSetting


def list_settings(ids: Sequence[str] | None = None) -> list[ProviderSetting]:
    """All settings, oldest first; or those with the ids, in their order. An unknown id is left out."""
    if ids is None:
        return list(ProviderSetting.objects.all())
    found = ProviderSetting.objects.in_bulk(_uuids(ids))
    return [found[each] for each in _uuids(ids) if each in found]


def setting_names() -> dict[str, str]:
    """What people call each setting, by id, oldest first."""
    return {str(row.pk): str(row) for row in ProviderSetting.objects.only("name", "provider")}


def unknown_setting_ids(ids: Iterable[str | UUID]) -> list[str]:
    """Those of the ids that name no setting, also those that are no UUIDs."""
    given = [str(each) for each in ids]
    known = set(ProviderSetting.objects.filter(pk__in=_uuids(given)).values_list("pk", flat=True))
    return [each for each in given if _uuid(each) not in known]


def setting_ids_of(provider: str) -> list[UUID]:
    """The ids of a provider's settings."""
    return list(ProviderSetting.objects.filter(provider=provider).values_list("pk", flat=True))


def _uuids(ids: Iterable[str]) -> list[UUID]:
    return [each for each in map(_uuid, ids) if each is not None]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
