"""The installation's peppers, from its settings. Whoever has no Django is given them instead."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from keys.secrets import Pepper


def current_peppers() -> tuple[Pepper, ...]:
    """All peppers, the one for new digests first. Raises ImproperlyConfigured when there is none."""
    peppers = tuple(Pepper(pepper_id, value) for pepper_id, value in settings.KEY_PEPPERS)
    if not peppers:
        raise ImproperlyConfigured(
            "GATEWAY_KEY_PEPPERS is not set; `make run` writes one to var/secrets.env, elsewhere set it to id:base64."
        )
    return peppers
