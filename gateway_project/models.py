"""The change journal: how a change of configuration reaches every proxy."""

from django.db import models

from gateway_project.shared.model_fields import UnixTimeField


class ConfigVersion(models.Model):
    """One row (pk 1). Its row lock puts all changes into commit order, which a bare sequence would not."""

    version = models.BigIntegerField(default=0)
    snapshot_version = models.BigIntegerField(
        default=0, help_text="Newest version that touched what proxies keep as a whole: settings and prices."
    )

    def __str__(self) -> str:
        return f"version {self.version}"


class KeyChange(models.Model):
    """A key digest that proxies must forget, known or unknown."""

    version = models.BigIntegerField(db_index=True)
    digest = models.CharField(max_length=128)
    created_at = UnixTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.version}: {self.digest[:12]}…"


class SecretCheck(models.Model):
    """What a secret of this installation must yield, so that a start with another one is noticed, not survived."""

    kind = models.CharField(max_length=16)
    ring_id = models.CharField(max_length=64)
    check_value = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "ring_id"], name="one_check_per_secret")]

    def __str__(self) -> str:
        return f"{self.kind} {self.ring_id}"
