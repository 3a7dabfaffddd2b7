"""Writes and reads the change journal. A change reaches traffic when its own transaction commits."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from gateway_project.models import ConfigVersion, KeyChange
from gateway_project.shared import clock

JOURNAL_KEPT_S = 86_400


def record_change(*, digests: Iterable[str] = (), snapshot: bool = False) -> int:
    """Journal a change inside the caller's transaction and return its version.

    digests: key digests to drop from every proxy. snapshot: something else they keep changed too: settings, routes, …
    """
    with transaction.atomic():
        changed = {"version": F("version") + 1}
        if snapshot:
            changed["snapshot_version"] = F("version") + 1
        ConfigVersion.objects.filter(pk=1).update(**changed)
        version = ConfigVersion.objects.values_list("version", flat=True).get(pk=1)
        at = clock.now()
        KeyChange.objects.bulk_create([KeyChange(version=version, digest=d, created_at=at) for d in digests])
    return version


def prune_journal() -> int:
    """Delete entries no live proxy can still need; how many went."""
    deleted, _ = KeyChange.objects.filter(created_at__lt=clock.now() - JOURNAL_KEPT_S).delete()
    return deleted
