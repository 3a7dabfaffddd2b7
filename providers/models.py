"""Settings of providers, with their secrets sealed, and the prices of models."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from gateway_project.shared.ids import new_id
from gateway_project.shared.model_fields import UnixTimeField
from providers.catalog import provider_choices


class StreamUsage(models.TextChoices):
    """Whether a stream is asked for its usage when the client did not ask."""

    AUTO = "auto", "Ask, unless the upstream refuses it"
    NEVER = "never", "Never ask"


class ProviderSetting(models.Model):
    """An account at a provider. Secrets are sealed for this row and its destinations, never kept in clear."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.CharField(
        max_length=64,
        choices=provider_choices,
        db_index=True,
        help_text="Whose API it is.",
    )
    name = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="For people; it need not be unique.",
    )
    sealed_secrets = models.JSONField(default=dict, blank=True, editable=False)
    parameters = models.JSONField(
        default=dict,
        blank=True,
        help_text="Members of the setting that are no secrets, such as url or awsRegion.",
    )
    allowed_models = models.JSONField(default=list, blank=True, help_text="List of model names; empty allows all.")
    cost_map = models.JSONField(
        null=True,
        blank=True,
        help_text="USD per 1000 tokens by model; comes before the price table.",
    )
    stream_usage = models.CharField(
        max_length=8,
        choices=StreamUsage,
        default=StreamUsage.AUTO,
        help_text="Whether streams are asked for their usage when the client did not ask.",
    )
    priority = models.IntegerField(default=0, help_text="Higher is tried first.")
    weight = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text="Share among settings of the same priority.",
    )
    is_environment_default = models.BooleanField(
        default=False,
        editable=False,
        help_text="Kept in step with OPENAI_API_KEY; keys without settings use it.",
    )
    created_at = UnixTimeField()
    updated_at = UnixTimeField()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_environment_default"],
                condition=Q(is_environment_default=True),
                name="provider_setting_one_environment_default",
            ),
            models.CheckConstraint(condition=Q(weight__gte=1), name="provider_setting_weight_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.id} ({self.provider})"


class ModelPrice(models.Model):
    """What one model costs, in whole pico-dollars (1e-12 USD) per unit, from valid_from until before valid_until.

    NULL means there is no such price, never that it is free.
    """

    class Source(models.TextChoices):
        """Who owns a row: an import never touches an operator's."""

        LIST = "list", "Public price list"
        SUPPLEMENT = "supplement", "Supplement to the list"
        OPERATOR = "operator", "Operator"

    provider = models.CharField(max_length=64, help_text="The gateway's name of the provider.")
    model = models.CharField(max_length=255, help_text="Lower case, as the provider's API names it.")
    valid_from = UnixTimeField(default=0, help_text="Unix seconds; 0 means since ever.")
    valid_until = UnixTimeField(
        null=True,
        blank=True,
        help_text="Unix seconds, exclusive; empty means until further notice.",
    )
    input_pico = models.BigIntegerField(null=True, blank=True, help_text="Pico-dollars per input token.")
    output_pico = models.BigIntegerField(null=True, blank=True, help_text="Pico-dollars per output token.")
    cache_read_pico = models.BigIntegerField(null=True, blank=True, help_text="Empty: as input.")
    cache_write_pico = models.BigIntegerField(null=True, blank=True, help_text="Kept 5 minutes. Empty: as input.")
    cache_write_1h_pico = models.BigIntegerField(
        null=True, blank=True, help_text="Kept 1 hour. Empty: as for 5 minutes."
    )
    audio_input_pico = models.BigIntegerField(null=True, blank=True, help_text="Empty: as input.")
    audio_output_pico = models.BigIntegerField(null=True, blank=True, help_text="Empty: as output.")
    image_input_pico = models.BigIntegerField(null=True, blank=True, help_text="Empty: as input.")
    image_output_pico = models.BigIntegerField(null=True, blank=True, help_text="Empty: as output.")
    second_pico = models.BigIntegerField(null=True, blank=True, help_text="Pico-dollars per second of audio.")
    character_pico = models.BigIntegerField(null=True, blank=True, help_text="Pico-dollars per character of input.")
    image_prices = models.JSONField(
        default=dict,
        blank=True,
        help_text='Pico-dollars per image by "quality/size", "size" or "" (any).',
    )
    long_context_from = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Input tokens above which the long prices hold for the whole request.",
    )
    long_input_pico = models.BigIntegerField(null=True, blank=True)
    long_output_pico = models.BigIntegerField(null=True, blank=True)
    long_cache_read_pico = models.BigIntegerField(null=True, blank=True)
    long_cache_write_pico = models.BigIntegerField(null=True, blank=True)
    long_cache_write_1h_pico = models.BigIntegerField(null=True, blank=True)
    tiers = models.JSONField(
        default=dict,
        blank=True,
        help_text='Prices that differ by service tier: {"priority": {"input_pico": 4250000}}; the rest as above.',
    )
    max_input_tokens = models.BigIntegerField(null=True, blank=True)
    max_output_tokens = models.BigIntegerField(null=True, blank=True)
    source = models.CharField(max_length=16, choices=Source, default=Source.OPERATOR, db_index=True)
    source_text = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="Where the price is from, and when.",
    )
    note = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        ordering = ["provider", "model", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "model", "valid_from"],
                name="model_price_once_per_date",
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=models.F("valid_from")),
                name="model_price_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model}"


class LoadedPriceList(models.Model):
    """Which version of a price file the table holds, so that a start that changes nothing costs one query."""

    name = models.CharField(max_length=64, primary_key=True)
    version = models.CharField(max_length=128)
    loaded_at = UnixTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class CustomProvider(models.Model):
    """A provider that an operator described: its paths, and where in its JSON the gateway finds what counts."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.CharField(
        max_length=64,
        unique=True,
        help_text="Its name in paths (/api/custom/providers/NAME/…) and in settings, in lower case.",
    )
    authentication_param = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="The member of a setting that is sent as bearer; empty sends none.",
    )
    created_at = UnixTimeField()
    updated_at = UnixTimeField()

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.provider


class CustomRoute(models.Model):
    """One path of a custom provider. The locations are GJSON paths; empty means there is none."""

    custom_provider = models.ForeignKey(CustomProvider, on_delete=models.CASCADE, related_name="routes")
    position = models.PositiveIntegerField(default=0, help_text="Order in which the paths are shown.")
    path = models.CharField(max_length=255, help_text="With a leading slash; requests match it exactly.")
    target_url = models.CharField(max_length=2048, help_text="Where requests to the path go.")
    methods = models.JSONField(default=list, help_text="HTTP methods the path may be called with.")
    model_location = models.CharField(max_length=512, blank=True, default="")
    request_prompt_location = models.CharField(max_length=512, blank=True, default="")
    max_tokens_location = models.CharField(max_length=512, blank=True, default="")
    response_completion_location = models.CharField(max_length=512, blank=True, default="")
    stream_location = models.CharField(max_length=512, blank=True, default="")
    stream_response_completion_location = models.CharField(max_length=512, blank=True, default="")
    stream_end_word = models.CharField(max_length=255, blank=True, default="")
    stream_max_empty_messages = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["custom_provider", "path"], name="custom_route_path_once"),
        ]

    def __str__(self) -> str:
        return self.path
