"""Rows to records: what the proxy asks the database about keys."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db import connection

from gateway_project.models import ConfigVersion, KeyChange
from keys.models import Key
from keys.records import ConfigChanges, KeyRecord, PathRule

MAX_CHANGES = 10_000
_COLUMNS = (
    "digest",
    "id",
    "name",
    "tags",
    "cost_limit_nano",
    "cost_window_limit_nano",
    "cost_window_unit",
    "request_limit",
    "request_window_unit",
    "counter_epoch",
    "expires_at",
    "allowed_paths",
    "should_log_request",
    "should_log_response",
    "rotation_enabled",
    "allow_unmetered",
    "policy_id",
    "revoked",
    "revoked_reason",
)
_SETTING = "setting_links__setting_id"
_NEWEST = f"SELECT version, snapshot_version FROM {ConfigVersion._meta.db_table} WHERE id = 1"  # noqa: S608


def load_key(digests: Sequence[str]) -> tuple[str, KeyRecord] | None:
    """The key stored under one of the digests, and under which; None if there is none. One query."""
    rows = list(
        Key.objects.filter(digest__in=digests).order_by("digest", "setting_links__position").values(*_COLUMNS, _SETTING)
    )
    for digest in digests:
        matching = [row for row in rows if row["digest"] == digest]
        if matching:
            return digest, _record(matching)
    return None


def changes_since(version: int) -> ConfigChanges:
    """What was journalled after a version; digests is None when the journal cannot tell all of it."""
    newest = _newest()
    if newest.version == version:
        return newest
    # Up to the version read above: what commits in between is told next time, with its own version.
    journal = KeyChange.objects.filter(version__gt=version, version__lte=newest.version)
    digests = tuple(journal.values_list("digest", flat=True).distinct().order_by()[: MAX_CHANGES + 1])
    complete = len(digests) <= MAX_CHANGES and _reaches_back_to(version)
    return replace(newest, digests=digests if complete else None)


def _newest() -> ConfigChanges:
    """The journal's head. Asked four times a second by every proxy: building the query costs more than asking it."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST)
        row = cursor.fetchone()
    if row is None:
        raise ConfigVersion.DoesNotExist("the change journal has no head: run the migrations")
    return ConfigChanges(version=row[0], snapshot_version=row[1])


def _reaches_back_to(version: int) -> bool:
    """Whether nothing after `version` was pruned: an entry as old as the first change after it is still there.

    Changes that name no key leave no entry, so a quiet journal may be taken for a pruned one; dropping all keys then
    costs each active key one query.
    """
    return KeyChange.objects.filter(version__lte=version + 1).exists()


def _record(rows: Sequence[dict[str, Any]]) -> KeyRecord:
    """rows: one per setting of the key, in their order."""
    first = {column: rows[0][column] for column in _COLUMNS if column != "digest"}
    first["id"] = str(first["id"])
    first["tags"] = tuple(first["tags"])
    first["policy_id"] = str(first["policy_id"]) if first["policy_id"] else None
    first["allowed_paths"] = tuple(PathRule(rule["method"], rule["path"]) for rule in first["allowed_paths"])
    setting_ids = tuple(str(row[_SETTING]) for row in rows if row[_SETTING] is not None)
    return KeyRecord(**first, setting_ids=setting_ids)
