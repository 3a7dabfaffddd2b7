"""The read side of keys: finding them, naming them, and how one looks to an operator."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Prefetch

from gateway_project.shared.money import nano_to_usd
from keys.models import EXPIRED, Key, KeyQuerySet, KeySetting
from keys.peppers import current_peppers
from keys.secrets import digests_of
from providers.queries import setting_ids_of

SpendLoader = Callable[[Sequence[str]], Mapping[str, int]]
"""Total settled spend in nano-dollars by key id; ids without spend may be missing."""

_spend_loaders: list[SpendLoader] = []


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Which keys. All conditions hold at once; tags: all of them; ids: None for any; provider, name: "" for any."""

    tags: Sequence[str] = ()
    ids: Sequence[str] | None = None
    provider: str = ""
    name: str = ""
    revoked: bool | None = None


def find_keys(wanted: KeyFilter) -> KeyQuerySet:
    """The keys, oldest first, with their settings loaded along."""
    links = Prefetch("setting_links", KeySetting.objects.order_by("position"))
    keys = Key.objects.order_by("created_at", "id").prefetch_related(links)
    if wanted.tags:
        keys = keys.with_tags(wanted.tags)
    if wanted.ids is not None:
        keys = keys.filter(pk__in=_uuids(wanted.ids))
    if wanted.provider:
        keys = keys.with_any_setting(setting_ids_of(wanted.provider))
    if wanted.name:
        keys = keys.filter(name__icontains=wanted.name)
    if wanted.revoked is not None:
        keys = keys.filter(revoked=wanted.revoked)
    return keys


def find_key_id(text: str) -> UUID | None:
    """The id of the key that has this id, this name or this secret. Raises ValueError when several have the name."""
    for candidate in _uuids([text]):
        if Key.objects.filter(pk=candidate).exists():
            return candidate
    by_secret = Key.objects.filter(digest__in=digests_of(text, current_peppers())).values_list("id", flat=True).first()
    if by_secret is not None:
        return by_secret
    named = list(Key.objects.filter(name=text).values_list("id", flat=True)[:2])
    if len(named) > 1:
        raise ValueError("several keys have this name: give the id")
    return named[0] if named else None


def key_exists(key_id: UUID | str) -> bool:
    """Whether there is such a key; False for what is no UUID, too."""
    return Key.objects.filter(pk__in=_uuids([key_id])).exists()


def key_names(ids: Iterable[UUID | str]) -> dict[str, str]:
    """Names by id; deleted and unknown keys are missing."""
    rows = Key.objects.filter(pk__in=_uuids(ids)).values_list("id", "name")
    return {str(key_id): name for key_id, name in rows}


def providers_of_keys(ids: Iterable[UUID | str]) -> dict[str, frozenset[str]]:
    """The providers that each key has settings of, by its id; unknown keys are missing."""
    found: dict[str, set[str]] = {}
    rows = Key.objects.filter(pk__in=_uuids(ids)).values_list("id", "setting_links__setting__provider")
    for key_id, provider in rows.order_by():
        found.setdefault(str(key_id), set()).update([provider] if provider else [])
    return {key_id: frozenset(providers) for key_id, providers in found.items()}


def provide_spend(loader: SpendLoader) -> None:
    """Called by the app that keeps the books, so that lists of keys can show spend without knowing it."""
    _spend_loaders[:] = [loader]


def spend_nano(ids: Sequence[str]) -> Mapping[str, int] | None:
    """Total settled spend by key id; None when nobody keeps books."""
    return _spend_loaders[0](ids) if _spend_loaders else None


def revocation(key: Key, at: int) -> tuple[bool, str]:
    """Whether a key is refused at `at`, and why. A ttl ends by the clock, before anybody marks the key."""
    if not key.revoked and key.expires_at is not None and key.expires_at <= at:
        return True, EXPIRED
    return key.revoked, key.revoked_reason


def limits_text(key: Key) -> str:
    """The limits in a few words, such as "2 requests/m, $0.25 in all"; "" for none."""
    parts = []
    if key.request_limit is not None:
        parts.append(f"{key.request_limit} requests/{key.request_window_unit}")
    if key.cost_limit_nano is not None:
        parts.append(f"${_usd(key.cost_limit_nano):g} in all")
    if key.cost_window_limit_nano is not None:
        parts.append(f"${_usd(key.cost_window_limit_nano):g}/{key.cost_window_unit}")
    if key.ttl_text:
        parts.append(f"ttl {key.ttl_text}")
    return ", ".join(parts)


def key_object(key: Key, at: int) -> dict[str, Any]:
    """A key as the seed's API shows it, without the secret or its digest. settingId is filled for a single setting."""
    revoked, reason = revocation(key, at)
    setting_ids = [str(link.setting_id) for link in key.setting_links.all()]
    return {
        "name": key.name,
        "createdAt": key.created_at,
        "updatedAt": key.updated_at,
        "tags": key.tags,
        "keyId": str(key.id),
        "revoked": revoked,
        "revokedReason": reason,
        "costLimitInUsd": _usd(key.cost_limit_nano),
        "costLimitInUsdOverTime": _usd(key.cost_window_limit_nano),
        "costLimitInUsdUnit": key.cost_window_unit or "",
        "rateLimitOverTime": key.request_limit or 0,
        "rateLimitUnit": key.request_window_unit or "",
        "ttl": key.ttl_text,
        "settingId": setting_ids[0] if len(setting_ids) == 1 else "",
        "settingIds": setting_ids,
        "allowedPaths": [{"path": rule["path"], "method": rule["method"]} for rule in key.allowed_paths],
        "shouldLogRequest": key.should_log_request,
        "shouldLogResponse": key.should_log_response,
        "rotationEnabled": key.rotation_enabled,
        "policyId": str(key.policy_id) if key.policy_id else "",
        "isKeyNotHashed": False,
        "allowUnmetered": key.allow_unmetered,
    }


def _usd(nano: int | None) -> float:
    return nano_to_usd(nano or 0)


def _uuids(ids: Iterable[UUID | str]) -> list[UUID]:
    found = []
    for each in ids:
        try:
            found.append(UUID(str(each)))
        except ValueError:  # no id of ours: it names nothing
            continue
    return found
