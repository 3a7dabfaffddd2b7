"""The tables of reporting. UsageEvent is born partitioned on PostgreSQL, which cannot be done later without a rewrite."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState

import gateway_project.shared.model_fields

# PostgreSQL wants the partition column in the primary key; Django keeps `id` as its own.
POSTGRESQL_EVENTS = """
CREATE TABLE "reporting_usageevent" (
    "id" uuid NOT NULL,
    "created_at" bigint NOT NULL,
    "key_id" uuid NOT NULL,
    "method" text NOT NULL,
    "path" text NOT NULL,
    "status" integer NOT NULL,
    "ending" text NOT NULL,
    "requests" integer NOT NULL,
    "tags" jsonb NOT NULL,
    "operation" text NOT NULL,
    "provider" text NOT NULL,
    "setting_id" text NOT NULL,
    "request_model" text NOT NULL,
    "response_model" text NOT NULL,
    "stream" boolean NOT NULL,
    "error_code" text NOT NULL,
    "input_tokens" integer NOT NULL,
    "cache_read_tokens" integer NOT NULL,
    "cache_write_tokens" integer NOT NULL,
    "cache_write_1h_tokens" integer NOT NULL,
    "audio_input_tokens" integer NOT NULL,
    "image_input_tokens" integer NOT NULL,
    "output_tokens" integer NOT NULL,
    "reasoning_tokens" integer NOT NULL,
    "audio_output_tokens" integer NOT NULL,
    "image_output_tokens" integer NOT NULL,
    "images" integer NOT NULL,
    "seconds" double precision NOT NULL,
    "characters" integer NOT NULL,
    "usage_source" text NOT NULL,
    "cost_nano" bigint NOT NULL,
    "price_status" text NOT NULL,
    "latency_ms" integer NOT NULL,
    "upstream_latency_ms" integer NULL,
    "time_to_first_chunk_ms" integer NULL,
    "attempts" integer NOT NULL,
    "custom_id" text NOT NULL,
    "user_id" text NOT NULL,
    "metadata" text NULL,
    "policy_id" text NOT NULL,
    "route_id" text NOT NULL,
    "action" text NOT NULL,
    "upstream_request_id" text NOT NULL,
    "request_body" text NULL,
    "response_body" text NULL,
    PRIMARY KEY ("id", "created_at")
) PARTITION BY RANGE ("created_at");
CREATE INDEX "usageevent_created" ON "reporting_usageevent" ("created_at");
CREATE INDEX "usageevent_key_created" ON "reporting_usageevent" ("key_id", "created_at");
CREATE INDEX "usageevent_custom" ON "reporting_usageevent" ("custom_id", "created_at") WHERE "custom_id" <> '';
CREATE INDEX "usageevent_user" ON "reporting_usageevent" ("user_id", "created_at") WHERE "user_id" <> '';
"""


class CreatePartitionedEvents(migrations.CreateModel):
    """CreateModel for Django's state and for SQLite; on PostgreSQL the table above, without partitions yet."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.execute(POSTGRESQL_EVENTS, params=None)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="RejectedRecord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("spool", models.CharField(max_length=128)),
                ("end", models.BigIntegerField()),
                (
                    "payload",
                    models.TextField(help_text="As written; bytes that are not UTF-8 as \\xNN."),
                ),
                ("reason", models.TextField()),
                (
                    "created_at",
                    gateway_project.shared.model_fields.UnixTimeField(db_index=True),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SpoolCursor",
            fields=[
                (
                    "spool",
                    models.CharField(max_length=128, primary_key=True, serialize=False),
                ),
                ("position", models.BigIntegerField(default=0)),
                ("host", models.CharField(blank=True, default="", max_length=255)),
                ("updated_at", gateway_project.shared.model_fields.UnixTimeField()),
                (
                    "closed_at",
                    gateway_project.shared.model_fields.UnixTimeField(blank=True, null=True),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DailyUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("key_id", models.UUIDField()),
                ("model", models.TextField(blank=True)),
                ("provider", models.TextField(blank=True)),
                (
                    "status_class",
                    models.CharField(help_text="2xx, 4xx, …", max_length=3),
                ),
                ("requests", models.BigIntegerField(default=0)),
                ("admitted", models.BigIntegerField(default=0)),
                ("successes", models.BigIntegerField(default=0)),
                ("errors", models.BigIntegerField(default=0)),
                ("refused", models.BigIntegerField(default=0)),
                ("prompt_tokens", models.BigIntegerField(default=0)),
                ("completion_tokens", models.BigIntegerField(default=0)),
                (
                    "cached_tokens",
                    models.BigIntegerField(
                        default=0,
                        help_text="Input tokens read from a provider's cache.",
                    ),
                ),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                (
                    "cost_nano",
                    gateway_project.shared.model_fields.NanoUsdField(default=0, help_text="Nano-dollars."),
                ),
                ("latency_ms_sum", models.BigIntegerField(default=0)),
                ("latency_le_10", models.BigIntegerField(default=0)),
                ("latency_le_20", models.BigIntegerField(default=0)),
                ("latency_le_50", models.BigIntegerField(default=0)),
                ("latency_le_100", models.BigIntegerField(default=0)),
                ("latency_le_200", models.BigIntegerField(default=0)),
                ("latency_le_500", models.BigIntegerField(default=0)),
                ("latency_le_1000", models.BigIntegerField(default=0)),
                ("latency_le_2000", models.BigIntegerField(default=0)),
                ("latency_le_5000", models.BigIntegerField(default=0)),
                ("latency_le_10000", models.BigIntegerField(default=0)),
                ("latency_le_20000", models.BigIntegerField(default=0)),
                ("latency_le_30000", models.BigIntegerField(default=0)),
                ("latency_le_60000", models.BigIntegerField(default=0)),
                ("latency_le_120000", models.BigIntegerField(default=0)),
                ("latency_le_300000", models.BigIntegerField(default=0)),
                ("latency_over", models.BigIntegerField(default=0)),
                (
                    "updated_at",
                    gateway_project.shared.model_fields.UnixTimeField(db_index=True),
                ),
                (
                    "day_at",
                    gateway_project.shared.model_fields.UnixTimeField(
                        help_text="When the day began (unix seconds, UTC)."
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "daily usage",
                "indexes": [models.Index(fields=["key_id", "day_at"], name="dailyusage_key")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "day_at",
                            "key_id",
                            "model",
                            "provider",
                            "status_class",
                        ),
                        name="dailyusage_cell",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HourlyUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("key_id", models.UUIDField()),
                ("model", models.TextField(blank=True)),
                ("provider", models.TextField(blank=True)),
                (
                    "status_class",
                    models.CharField(help_text="2xx, 4xx, …", max_length=3),
                ),
                ("requests", models.BigIntegerField(default=0)),
                ("admitted", models.BigIntegerField(default=0)),
                ("successes", models.BigIntegerField(default=0)),
                ("errors", models.BigIntegerField(default=0)),
                ("refused", models.BigIntegerField(default=0)),
                ("prompt_tokens", models.BigIntegerField(default=0)),
                ("completion_tokens", models.BigIntegerField(default=0)),
                (
                    "cached_tokens",
                    models.BigIntegerField(
                        default=0,
                        help_text="Input tokens read from a provider's cache.",
                    ),
                ),
                ("reasoning_tokens", models.BigIntegerField(default=0)),
                (
                    "cost_nano",
                    gateway_project.shared.model_fields.NanoUsdField(default=0, help_text="Nano-dollars."),
                ),
                ("latency_ms_sum", models.BigIntegerField(default=0)),
                ("latency_le_10", models.BigIntegerField(default=0)),
                ("latency_le_20", models.BigIntegerField(default=0)),
                ("latency_le_50", models.BigIntegerField(default=0)),
                ("latency_le_100", models.BigIntegerField(default=0)),
                ("latency_le_200", models.BigIntegerField(default=0)),
                ("latency_le_500", models.BigIntegerField(default=0)),
                ("latency_le_1000", models.BigIntegerField(default=0)),
                ("latency_le_2000", models.BigIntegerField(default=0)),
                ("latency_le_5000", models.BigIntegerField(default=0)),
                ("latency_le_10000", models.BigIntegerField(default=0)),
                ("latency_le_20000", models.BigIntegerField(default=0)),
                ("latency_le_30000", models.BigIntegerField(default=0)),
                ("latency_le_60000", models.BigIntegerField(default=0)),
                ("latency_le_120000", models.BigIntegerField(default=0)),
                ("latency_le_300000", models.BigIntegerField(default=0)),
                ("latency_over", models.BigIntegerField(default=0)),
                (
                    "updated_at",
                    gateway_project.shared.model_fields.UnixTimeField(db_index=True),
                ),
                (
                    "hour_at",
                    gateway_project.shared.model_fields.UnixTimeField(
                        help_text="When the hour began (unix seconds, UTC)."
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "hourly usage",
                "indexes": [models.Index(fields=["key_id", "hour_at"], name="hourlyusage_key")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "hour_at",
                            "key_id",
                            "model",
                            "provider",
                            "status_class",
                        ),
                        name="hourlyusage_cell",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="KeySpend",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("key_id", models.UUIDField()),
                (
                    "unit",
                    models.CharField(help_text="total, s, m, h, d or mo.", max_length=8),
                ),
                (
                    "start_at",
                    gateway_project.shared.model_fields.UnixTimeField(
                        help_text="When the window began (unix seconds, UTC); 0 for total."
                    ),
                ),
                (
                    "epoch",
                    models.BigIntegerField(default=0, help_text="Grows when the counter is reset."),
                ),
                ("requests", models.BigIntegerField(default=0)),
                (
                    "cost_nano",
                    gateway_project.shared.model_fields.NanoUsdField(default=0, help_text="Nano-dollars."),
                ),
            ],
            options={
                "verbose_name_plural": "spend",
                "indexes": [models.Index(fields=["unit", "start_at"], name="keyspend_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("key_id", "unit", "start_at", "epoch"),
                        name="keyspend_window",
                    )
                ],
            },
        ),
        CreatePartitionedEvents(
            name="UsageEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        editable=False,
                        help_text="Also the request id the client was told.",
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "created_at",
                    gateway_project.shared.model_fields.UnixTimeField(help_text="Unix seconds, UTC."),
                ),
                ("key_id", models.UUIDField()),
                ("method", models.TextField()),
                (
                    "path",
                    models.TextField(help_text="The path the client called, without its query."),
                ),
                (
                    "status",
                    models.IntegerField(help_text="The HTTP status the client was sent."),
                ),
                (
                    "ending",
                    models.TextField(help_text="completed, client_left, upstream_failed, cut or refused."),
                ),
                (
                    "requests",
                    models.IntegerField(
                        default=0,
                        help_text="1 if admitted: it counts in the key's windows.",
                    ),
                ),
                (
                    "tags",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="The key's tags at that time.",
                    ),
                ),
                ("operation", models.TextField(blank=True, default="")),
                ("provider", models.TextField(blank=True, default="")),
                ("setting_id", models.TextField(blank=True, default="")),
                (
                    "request_model",
                    models.TextField(blank=True, default="", help_text="The model asked for."),
                ),
                (
                    "response_model",
                    models.TextField(blank=True, default="", help_text="The model that answered."),
                ),
                ("stream", models.BooleanField(default=False)),
                ("error_code", models.TextField(blank=True, default="")),
                (
                    "input_tokens",
                    models.IntegerField(default=0, help_text="Input tokens that were not cached."),
                ),
                ("cache_read_tokens", models.IntegerField(default=0)),
                ("cache_write_tokens", models.IntegerField(default=0)),
                ("cache_write_1h_tokens", models.IntegerField(default=0)),
                ("audio_input_tokens", models.IntegerField(default=0)),
                ("image_input_tokens", models.IntegerField(default=0)),
                ("output_tokens", models.IntegerField(default=0)),
                (
                    "reasoning_tokens",
                    models.IntegerField(default=0, help_text="Part of the output tokens."),
                ),
                ("audio_output_tokens", models.IntegerField(default=0)),
                ("image_output_tokens", models.IntegerField(default=0)),
                ("images", models.IntegerField(default=0)),
                (
                    "seconds",
                    models.FloatField(default=0.0, help_text="Seconds of audio."),
                ),
                ("characters", models.IntegerField(default=0)),
                (
                    "usage_source",
                    models.TextField(
                        default="none",
                        help_text="Who told the tokens: upstream, counted or none.",
                    ),
                ),
                (
                    "cost_nano",
                    gateway_project.shared.model_fields.NanoUsdField(default=0, help_text="Nano-dollars."),
                ),
                (
                    "price_status",
                    models.TextField(
                        default="free",
                        help_text="priced, unpriced (the cost is unknown) or free.",
                    ),
                ),
                (
                    "latency_ms",
                    models.IntegerField(
                        default=0,
                        help_text="From the first byte in to the last byte out.",
                    ),
                ),
                ("upstream_latency_ms", models.IntegerField(blank=True, null=True)),
                ("time_to_first_chunk_ms", models.IntegerField(blank=True, null=True)),
                (
                    "attempts",
                    models.IntegerField(default=0, help_text="How often a provider was asked."),
                ),
                (
                    "custom_id",
                    models.TextField(
                        blank=True,
                        default="",
                        help_text="The client's X-CUSTOM-EVENT-ID.",
                    ),
                ),
                ("user_id", models.TextField(blank=True, default="")),
                (
                    "metadata",
                    models.TextField(blank=True, help_text="The client's X-METADATA.", null=True),
                ),
                ("policy_id", models.TextField(blank=True, default="")),
                ("route_id", models.TextField(blank=True, default="")),
                ("action", models.TextField(blank=True, default="")),
                ("upstream_request_id", models.TextField(blank=True, default="")),
                (
                    "request_body",
                    models.TextField(blank=True, help_text="Only when the key says so.", null=True),
                ),
                (
                    "response_body",
                    models.TextField(blank=True, help_text="Only when the key says so.", null=True),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["created_at"], name="usageevent_created"),
                    models.Index(fields=["key_id", "created_at"], name="usageevent_key_created"),
                    models.Index(
                        condition=models.Q(("custom_id", ""), _negated=True),
                        fields=["custom_id", "created_at"],
                        name="usageevent_custom",
                    ),
                    models.Index(
                        condition=models.Q(("user_id", ""), _negated=True),
                        fields=["user_id", "created_at"],
                        name="usageevent_user",
                    ),
                ],
            },
        ),
    ]
