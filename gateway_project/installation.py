"""Is this the database of these secrets? A wrong pepper would turn every key into an unknown one, silently."""

import hashlib
import hmac

from django.conf import settings
from django.db import transaction

from gateway_project.env import SettingError
from gateway_project.models import SecretCheck

_CONSTANT = b"gatehouse installation check"
_VARIABLES = {"pepper": "GATEWAY_KEY_PEPPERS", "data-key": "GATEWAY_DATA_KEYS"}


def check_secrets() -> None:
    """Compare the configured rings with what the database has seen, and remember new entries.

    Raises SettingError when an entry changed its value under the same id, or when none of the known ones is there.
    """
    for kind, ring in (("pepper", settings.KEY_PEPPERS), ("data-key", settings.DATA_KEYS)):
        with transaction.atomic():
            _check_ring(kind, {ring_id: _check_value(value) for ring_id, value in ring})


def _check_ring(kind: str, given: dict[str, str]) -> None:
    known = dict(SecretCheck.objects.filter(kind=kind).values_list("ring_id", "check_value"))
    changed = [ring_id for ring_id in given if ring_id in known and known[ring_id] != given[ring_id]]
    if changed or (known and not known.keys() & given.keys()):
        raise SettingError(
            f"{_VARIABLES[kind]} does not belong to this database ({_difference(changed, known)}). "
            "Start with the secrets the database was made with: the environment's, or those in var/secrets.env."
        )
    new = [
        SecretCheck(kind=kind, ring_id=ring_id, check_value=value)
        for ring_id, value in given.items()
        if ring_id not in known
    ]
    SecretCheck.objects.bulk_create(new, ignore_conflicts=True)


def _difference(changed: list[str], known: dict[str, str]) -> str:
    return f"the value of {changed[0]} is another one" if changed else f"it was made with {', '.join(sorted(known))}"


def _check_value(secret: bytes) -> str:
    return hmac.new(secret, _CONSTANT, hashlib.sha256).hexdigest()
