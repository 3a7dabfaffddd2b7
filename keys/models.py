"""Keys: who may call, with what limits, over which provider settings."""

from collections.abc import Iterable
from uuid import UUID

from django.db import models
from django.db.models import Q

from gateway_project.shared.ids import new_id
from gateway_project.shared.model_fields import NanoUsdField, UnixTimeField
from gateway_project.shared.tag_fields import TagsField

EXPIRED = "expired"


class CostUnit(models.TextChoices):
    """Windows of a cost limit, aligned in UTC."""

    SECOND = "s", "second"
    MINUTE = "m", "minute"
    HOUR = "h", "hour"
    DAY = "d", "day"
    MONTH = "mo", "month"


class RateUnit(models.TextChoices):
    """Windows of a request limit, aligned in UTC."""

    SECOND = "s", "second"
    MINUTE = "m", "minute"
    HOUR = "h", "hour"
    DAY = "d", "day"


class KeyQuerySet(models.QuerySet["Key"]):
    """Keys by what operators ask for."""

    def with_tags(self, tags: Iterable[str]) -> "KeyQuerySet":
        """Keys that carry every one of the tags."""
        return self.filter(tags__has_all=list(tags))

    def with_any_setting(self, setting_ids: Iterable[UUID]) -> "KeyQuerySet":
        """Keys that use at least one of the settings.

        The ids are given, not joined: with a million keys a planner that misjudges the join counts for seconds.
        """
        links = KeySetting.objects.filter(key_id=models.OuterRef("pk"), setting_id__in=list(setting_ids))
        return self.filter(models.Exists(links))

    def due(self, at: int) -> "KeyQuerySet":
        """Keys whose ttl ended by `at` and which are not marked revoked yet."""
        return self.filter(revoked=False, expires_at__lte=at)


class Key(models.Model):
    """A caller's key. Its secret is kept only as a peppered digest; NULL in a limit means there is none."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=255, help_text="For people; it need not be unique.")
    tags = TagsField(default=list, blank=True, help_text="Groups of keys; copied to every event of the key.")
    digest = models.CharField(max_length=128, editable=False)
    secret_hint = models.CharField(
        max_length=16,
        blank=True,
        default="",
        editable=False,
        help_text="Begin and end of a long secret, to tell it by.",
    )
    settings = models.ManyToManyField(
        "providers.ProviderSetting",
        through="KeySetting",
        related_name="keys",
        help_text="The provider accounts this key may use, in order.",
    )
    cost_limit_nano = NanoUsdField(null=True, blank=True, help_text="Total spend, nano-dollars. Empty: no limit.")
    cost_window_limit_nano = NanoUsdField(
        null=True, blank=True, help_text="Spend per window, nano-dollars. Empty: no limit."
    )
    cost_window_unit = models.CharField(
        max_length=2, null=True, blank=True, choices=CostUnit, help_text="Window of the spend, aligned in UTC."
    )
    request_limit = models.BigIntegerField(null=True, blank=True, help_text="Requests per window. Empty: no limit.")
    request_window_unit = models.CharField(
        max_length=2, null=True, blank=True, choices=RateUnit, help_text="Window of the requests, aligned in UTC."
    )
    counter_epoch = models.PositiveIntegerField(
        default=0, editable=False, help_text="Raised when a window must start at zero after a change."
    )
    ttl_text = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="Time to live from creation, such as 30m or 2d. Empty: forever.",
    )
    expires_at = UnixTimeField(null=True, blank=True, editable=False, help_text="Unix seconds. Empty: never.")
    allowed_paths = models.JSONField(
        default=list, blank=True, help_text='List of {"method", "path"}; empty allows every path.'
    )
    should_log_request = models.BooleanField(default=False, help_text="Store request bodies with the events.")
    should_log_response = models.BooleanField(default=False, help_text="Store answers with the events.")
    rotation_enabled = models.BooleanField(
        default=False, help_text="Take the settings in turn, to get round a provider's rate limits."
    )
    allow_unmetered = models.BooleanField(
        default=False, help_text="Let a key with a cost limit use endpoints whose cost cannot be told in advance."
    )
    policy_id = models.UUIDField(null=True, blank=True, help_text="Policy that screens the key's requests.")
    revoked = models.BooleanField(default=False, help_text="A revoked key is refused at once.")
    revoked_reason = models.CharField(max_length=255, blank=True, default="", help_text="Told to the caller.")
    revoked_at = UnixTimeField(null=True, blank=True, editable=False)
    created_at = UnixTimeField(editable=False)
    updated_at = UnixTimeField(editable=False)

    objects = KeyQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(fields=["created_at", "id"], name="key_created"),
            models.Index(fields=["expires_at"], condition=Q(revoked=False, expires_at__isnull=False), name="key_due"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="key_digest_once"),
            # A CHECK that comes out NULL holds, so a half-given window needs the NULL tests spelt out.
            models.CheckConstraint(
                condition=Q(cost_limit_nano__isnull=True) | Q(cost_limit_nano__gte=0),
                name="key_cost_limit_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(cost_window_limit_nano__isnull=True, cost_window_unit__isnull=True)
                | Q(cost_window_limit_nano__gte=0, cost_window_unit__in=CostUnit.values)
                & Q(cost_window_limit_nano__isnull=False, cost_window_unit__isnull=False),
                name="key_cost_window_complete",
            ),
            models.CheckConstraint(
                condition=Q(request_limit__isnull=True, request_window_unit__isnull=True)
                | Q(request_limit__gte=0, request_window_unit__in=RateUnit.values)
                & Q(request_limit__isnull=False, request_window_unit__isnull=False),
                name="key_request_window_complete",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class KeySetting(models.Model):
    """One of a key's provider settings; position orders them."""

    key = models.ForeignKey(Key, on_delete=models.CASCADE, related_name="setting_links")
    # A setting in use is not deleted: its keys would be left with nothing to call, silently.
    setting = models.ForeignKey("providers.ProviderSetting", on_delete=models.PROTECT, related_name="key_links")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["key", "setting"], name="key_setting_once"),
        ]

    def __str__(self) -> str:
        return f"{self.key_id}: {self.setting_id}"
