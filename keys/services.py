"""Who changes keys: one function per verb. Each journals the key's digest, so that traffic follows within a second."""

from collections.abc import Sequence
from typing import Unpack
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from gateway_project.changes import record_change
from gateway_project.shared import clock
from gateway_project.shared.problems import NotFound
from keys import rules
from keys.models import EXPIRED, Key, KeySetting
from keys.peppers import current_peppers
from keys.rules import COST_WINDOW, RATE_WINDOW, KeyFields, LimitWindow, invalid
from keys.secrets import digests_of, new_secret
from providers.queries import unknown_setting_ids
from providers.services import default_setting_id

EXPIRY_BATCH = 500
_PLAIN_FIELDS = (
    "name",
    "cost_limit_nano",
    "should_log_request",
    "should_log_response",
    "rotation_enabled",
    "allow_unmetered",
    "policy_id",
)


class KeyNotFound(NotFound):
    title = "key is not found"


def create_key(*, secret: str | None = None, **fields: Unpack[KeyFields]) -> tuple[Key, str]:
    """Store a key and return it with its secret, which nobody can read again. It needs a name.

    secret: chosen by the caller, None for a generated one. Without setting_ids the key uses the setting that
    OPENAI_API_KEY made. Raises KeyValidationFailed, naming the member as the REST has it.
    """
    secret = new_secret() if secret is None else secret
    rules.check_secret(secret)
    at = clock.now()
    digests = digests_of(secret, current_peppers())
    key = Key(digest=digests[0], secret_hint=rules.secret_hint(secret), created_at=at)
    fields.setdefault("name", "")
    # A new key is one with every default, changed: one set of rules for both.
    _apply(key, fields, at)
    key.counter_epoch = 0
    _set_ttl(key, fields.get("ttl_text", ""))
    with transaction.atomic():
        setting_ids = _settings_for_new_key(fields)
        _insert(key, digests)
        _link_settings(key, setting_ids)
        # All digests: a proxy may remember under any of them that there is no such key.
        record_change(digests=digests)
    return key, secret


def update_key(key_id: UUID | str, **changes: Unpack[KeyFields]) -> Key:
    """Change what is given. ttl_text is ignored: it is set once. Raises KeyNotFound, KeyValidationFailed."""
    with transaction.atomic():
        key = _locked(key_id)
        _apply(key, changes, clock.now())
        setting_ids = changes.get("setting_ids")
        if setting_ids is not None:
            _check_settings_known(setting_ids)
            key.setting_links.all().delete()
            _link_settings(key, setting_ids)
        key.save()
        record_change(digests=[key.digest])
    return key


def revoke_key(key_id: UUID | str, *, reason: str = "") -> Key:
    """Refuse the key from now on, with a reason its callers are told. Raises KeyNotFound."""
    return update_key(key_id, revoked=True, revoked_reason=reason)


def delete_key(key_id: UUID | str) -> bool:
    """Delete the key, its events stay. False: there was none."""
    with transaction.atomic():
        try:
            key = _locked(key_id)
        except KeyNotFound:
            return False
        digest = key.digest
        key.delete()
        record_change(digests=[digest])
    return True


def expire_keys(*, at: int | None = None) -> int:
    """Mark a batch of keys whose ttl has ended as revoked, and return how many there were.

    Proxies refuse such keys by the clock; the mark is for filters and for people.
    """
    at = clock.now() if at is None else at
    with transaction.atomic():
        due = Key.objects.select_for_update(skip_locked=True).due(at).order_by("expires_at")
        digests = dict(due.values_list("pk", "digest")[:EXPIRY_BATCH])
        if digests:
            Key.objects.filter(pk__in=digests).update(
                revoked=True, revoked_reason=EXPIRED, revoked_at=F("expires_at"), updated_at=at
            )
            record_change(digests=digests.values())
    return len(digests)


def _locked(key_id: UUID | str) -> Key:
    try:
        return Key.objects.select_for_update().get(pk=UUID(str(key_id)))
    except (ValueError, Key.DoesNotExist) as error:
        raise KeyNotFound(f"key not found for id: {str(key_id)[:64]}") from error


def _apply(key: Key, changes: KeyFields, at: int) -> None:
    """Put checked changes onto the row, but for settings and ttl."""
    rules.check_fields(changes)
    for field in _PLAIN_FIELDS:
        if field in changes:
            setattr(key, field, changes[field])  # type: ignore[literal-required]
    if "tags" in changes:
        key.tags = list(changes["tags"])
    if "allowed_paths" in changes:
        key.allowed_paths = [{"method": rule.method.upper(), "path": rule.path} for rule in changes["allowed_paths"]]
    _apply_windows(key, changes)
    _apply_revocation(key, changes, at)
    key.updated_at = at


def _apply_windows(key: Key, changes: KeyFields) -> None:
    before = _windows(key)
    rate = rules.changed_window(RATE_WINDOW, changes, before[0])
    cost = rules.changed_window(COST_WINDOW, changes, before[1])
    key.request_limit, key.request_window_unit = rate
    key.cost_window_limit_nano, key.cost_window_unit = cost
    if rules.starts_afresh(before, (rate, cost)):
        key.counter_epoch += 1


def _windows(key: Key) -> tuple[LimitWindow, LimitWindow]:
    return (
        LimitWindow(key.request_limit, key.request_window_unit),
        LimitWindow(key.cost_window_limit_nano, key.cost_window_unit),
    )


def _apply_revocation(key: Key, changes: KeyFields, at: int) -> None:
    if "revoked_reason" in changes:
        key.revoked_reason = changes["revoked_reason"]
    if "revoked" not in changes:
        return
    if not changes["revoked"]:
        key.revoked_reason, key.revoked_at = "", None
    elif not key.revoked:
        key.revoked_at = at
    key.revoked = changes["revoked"]


def _set_ttl(key: Key, text: str) -> None:
    seconds = rules.ttl_s(text)
    key.ttl_text = text
    key.expires_at = None if seconds is None else key.created_at + seconds


def _settings_for_new_key(fields: KeyFields) -> Sequence[str | UUID]:
    given = fields.get("setting_ids")
    if given is not None:
        _check_settings_known(given)
        return given
    default = default_setting_id()
    if default is None:
        raise invalid(
            "settingIds", "settingIds is required: settingId is not set in either setting_id or setting_ids field"
        )
    return [default]


def _check_settings_known(ids: Sequence[str | UUID]) -> None:
    unknown = unknown_setting_ids(ids)
    if unknown:
        listed = ", ".join(each[:64] for each in unknown)
        raise invalid("settingIds", f"not all settings are found: settingIds has no provider setting for {listed}")


def _insert(key: Key, digests: Sequence[str]) -> None:
    taken = invalid("key", "key is already in use: choose another secret")
    if Key.objects.filter(digest__in=digests).exists():
        raise taken
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError as error:
        # Two creates with the same secret at once; the other was first.
        if Key.objects.filter(digest__in=digests).exists():
            raise taken from error
        raise


def _link_settings(key: Key, ids: Sequence[str | UUID]) -> None:
    KeySetting.objects.bulk_create(
        KeySetting(key=key, setting_id=UUID(str(each)), position=position) for position, each in enumerate(ids)
    )
