"""Model fields the apps share."""

from django.db import models


class UnixTimeField(models.BigIntegerField):  # type: ignore[type-arg]
    """Unix seconds, UTC, as an integer in Python and in the database."""

    description = "Unix seconds, UTC"


class NanoUsdField(models.BigIntegerField):  # type: ignore[type-arg]
    """Whole nano-dollars (1e-9 USD)."""

    description = "Nano-dollars"
