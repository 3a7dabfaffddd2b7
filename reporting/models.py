"""What happened and what it cost. Plain ids and no foreign keys: a deleted key keeps its history.

What carries 100 million events: on PostgreSQL UsageEvent is partitioned by month, so that retention drops tables
instead of rows and a bounded range reads few of them; limits read KeySpend (one row per key and window) and
dashboards HourlyUsage or DailyUsage, never the events; only reports by custom id, user id or tag read events,
and those are bounded in time.
"""

from django.db import models
from django.db.models import Q

from gateway_project.shared.model_fields import NanoUsdField, UnixTimeField
from reporting.aggregation import COMPLETION_COLUMNS, PROMPT_COLUMNS


class UsageEvent(models.Model):
    """One finished request of a known key; its columns are the fields of UsageEventRecord.

    On PostgreSQL the primary key is (id, created_at) and every calendar month is a partition: `id` alone is unique
    because created_at comes from the same record. A row is written once and never changed.
    """

    id = models.UUIDField(
        primary_key=True,
        editable=False,
        help_text="Also the request id the client was told.",
    )
    created_at = UnixTimeField(help_text="Unix seconds, UTC.")
    key_id = models.UUIDField()
    method = models.TextField()
    path = models.TextField(help_text="The path the client called, without its query.")
    status = models.IntegerField(help_text="The HTTP status the client was sent.")
    ending = models.TextField(help_text="completed, client_left, upstream_failed, cut or refused.")
    requests = models.IntegerField(default=0, help_text="1 if admitted: it counts in the key's windows.")
    tags = models.JSONField(default=list, blank=True, help_text="The key's tags at that time.")
    operation = models.TextField(default="", blank=True)
    provider = models.TextField(default="", blank=True)
    setting_id = models.TextField(default="", blank=True)
    request_model = models.TextField(default="", blank=True, help_text="The model asked for.")
    response_model = models.TextField(default="", blank=True, help_text="The model that answered.")
    stream = models.BooleanField(default=False)
    error_code = models.TextField(default="", blank=True)
    input_tokens = models.IntegerField(default=0, help_text="Input tokens that were not cached.")
    cache_read_tokens = models.IntegerField(default=0)
    cache_write_tokens = models.IntegerField(default=0)
    cache_write_1h_tokens = models.IntegerField(default=0)
    audio_input_tokens = models.IntegerField(default=0)
    image_input_tokens = models.IntegerField(default=0)
    output_tokens = models.IntegerField(default=0)
    reasoning_tokens = models.IntegerField(default=0, help_text="Part of the output tokens.")
    audio_output_tokens = models.IntegerField(default=0)
    image_output_tokens = models.IntegerField(default=0)
    images = models.IntegerField(default=0)
    seconds = models.FloatField(default=0.0, help_text="Seconds of audio.")
    characters = models.IntegerField(default=0)
    usage_source = models.TextField(
        default="none", help_text="Who told the tokens: upstream, counted, partly_counted, cache or none."
    )
    cost_nano = NanoUsdField(default=0, help_text="Nano-dollars.")
    price_status = models.TextField(default="free", help_text="priced, unpriced (the cost is unknown) or free.")
    latency_ms = models.IntegerField(default=0, help_text="From the first byte in to the last byte out.")
    upstream_latency_ms = models.IntegerField(null=True, blank=True)
    time_to_first_chunk_ms = models.IntegerField(null=True, blank=True)
    attempts = models.IntegerField(default=0, help_text="How often a provider was asked.")
    custom_id = models.TextField(default="", blank=True, help_text="The client's X-CUSTOM-EVENT-ID.")
    user_id = models.TextField(default="", blank=True)
    metadata = models.TextField(null=True, blank=True, help_text="The client's X-METADATA.")
    policy_id = models.TextField(default="", blank=True)
    route_id = models.TextField(default="", blank=True)
    action = models.TextField(default="", blank=True)
    upstream_request_id = models.TextField(default="", blank=True)
    request_body = models.TextField(null=True, blank=True, help_text="Only when the key says so.")
    response_body = models.TextField(null=True, blank=True, help_text="Only when the key says so.")
    attempt_details = models.JSONField(null=True, blank=True, help_text="What a route tried, in order.")

    class Meta:
        indexes = (
            models.Index(fields=["created_at"], name="usageevent_created"),
            models.Index(fields=["key_id", "created_at"], name="usageevent_key_created"),
            models.Index(
                fields=["custom_id", "created_at"],
                name="usageevent_custom",
                condition=~Q(custom_id=""),
            ),
            models.Index(
                fields=["user_id", "created_at"],
                name="usageevent_user",
                condition=~Q(user_id=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"

    @property
    def prompt_tokens(self) -> int:
        """All input tokens, cached ones included."""
        return sum(getattr(self, name) for name in PROMPT_COLUMNS)

    @property
    def completion_tokens(self) -> int:
        """All output tokens, reasoning included."""
        return sum(getattr(self, name) for name in COMPLETION_COLUMNS)


class SpoolCursor(models.Model):
    """How far a spool is stored; moved in the transaction that stores, so that a batch is stored once.

    closed_at: when the spool's files were removed; the row stays a while to refuse a batch the broker repeats.
    """

    spool = models.CharField(max_length=128, primary_key=True)
    position = models.BigIntegerField(default=0)
    host = models.CharField(max_length=255, default="", blank=True)
    updated_at = UnixTimeField()
    closed_at = UnixTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.spool} at {self.position}"


class RejectedRecord(models.Model):
    """A spool record that could not become an event: kept whole, so that nothing is lost silently.

    end: position of the batch's end in its spool.
    """

    spool = models.CharField(max_length=128)
    end = models.BigIntegerField()
    payload = models.TextField(help_text="As written; bytes that are not UTF-8 as \\xNN.")
    reason = models.TextField()
    created_at = UnixTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.spool}: {self.reason[:60]}"


class KeySpend(models.Model):
    """What a key has used in one window: the ledger that limits are rebuilt from.

    unit "total" has start_at 0 and epoch 0 and is never deleted. requests: admitted ones.
    """

    key_id = models.UUIDField()
    unit = models.CharField(max_length=8, help_text="total, s, m, h, d or mo.")
    start_at = UnixTimeField(help_text="When the window began (unix seconds, UTC); 0 for total.")
    epoch = models.BigIntegerField(default=0, help_text="Grows when the counter is reset.")
    requests = models.BigIntegerField(default=0)
    cost_nano = NanoUsdField(default=0, help_text="Nano-dollars.")

    class Meta:
        verbose_name_plural = "spend"
        constraints = (models.UniqueConstraint(fields=["key_id", "unit", "start_at", "epoch"], name="keyspend_window"),)
        indexes = (models.Index(fields=["unit", "start_at"], name="keyspend_age"),)

    def __str__(self) -> str:
        return f"{self.key_id} {self.unit} {self.start_at}"


class UsageSums(models.Model):
    """Sums over the events of one period, key, model, provider and status class.

    requests: all events; admitted: those that count in limits; successes: status 2xx; refused: by the gateway;
    errors: the others that failed. prompt and completion tokens: all of them, cached and reasoning included.
    latency_le_N: events of at most N ms that were slower than the bound before; latency_over: slower than all.
    """

    key_id = models.UUIDField()
    model = models.TextField(blank=True)
    provider = models.TextField(blank=True)
    status_class = models.CharField(max_length=3, help_text="2xx, 4xx, …")
    requests = models.BigIntegerField(default=0)
    admitted = models.BigIntegerField(default=0)
    successes = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0, help_text="Input tokens read from a provider's cache.")
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_nano = NanoUsdField(default=0, help_text="Nano-dollars.")
    latency_ms_sum = models.BigIntegerField(default=0)
    latency_le_10 = models.BigIntegerField(default=0)
    latency_le_20 = models.BigIntegerField(default=0)
    latency_le_50 = models.BigIntegerField(default=0)
    latency_le_100 = models.BigIntegerField(default=0)
    latency_le_200 = models.BigIntegerField(default=0)
    latency_le_500 = models.BigIntegerField(default=0)
    latency_le_1000 = models.BigIntegerField(default=0)
    latency_le_2000 = models.BigIntegerField(default=0)
    latency_le_5000 = models.BigIntegerField(default=0)
    latency_le_10000 = models.BigIntegerField(default=0)
    latency_le_20000 = models.BigIntegerField(default=0)
    latency_le_30000 = models.BigIntegerField(default=0)
    latency_le_60000 = models.BigIntegerField(default=0)
    latency_le_120000 = models.BigIntegerField(default=0)
    latency_le_300000 = models.BigIntegerField(default=0)
    latency_over = models.BigIntegerField(default=0)
    updated_at = UnixTimeField(db_index=True)

    class Meta:
        abstract = True


class HourlyUsage(UsageSums):
    """Written in the transaction that stores the events, so it always agrees with them."""

    hour_at = UnixTimeField(help_text="When the hour began (unix seconds, UTC).")

    class Meta:
        verbose_name_plural = "hourly usage"
        constraints = (
            models.UniqueConstraint(
                fields=["hour_at", "key_id", "model", "provider", "status_class"],
                name="hourlyusage_cell",
            ),
        )
        indexes = (models.Index(fields=["key_id", "hour_at"], name="hourlyusage_key"),)

    def __str__(self) -> str:
        return f"{self.hour_at} {self.key_id} {self.model}"


class DailyUsage(UsageSums):
    """HourlyUsage summed by day, some minutes behind it; kept when the hours have gone."""

    day_at = UnixTimeField(help_text="When the day began (unix seconds, UTC).")

    class Meta:
        verbose_name_plural = "daily usage"
        constraints = (
            models.UniqueConstraint(
                fields=["day_at", "key_id", "model", "provider", "status_class"],
                name="dailyusage_cell",
            ),
        )
        indexes = (models.Index(fields=["key_id", "day_at"], name="dailyusage_key"),)

    def __str__(self) -> str:
        return f"{self.day_at} {self.key_id} {self.model}"
