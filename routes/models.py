"""Routes: a path, the providers and models that answer for it in turn, and the keys that may call it."""

from django.db import models

from gateway_project.shared.ids import new_id
from gateway_project.shared.model_fields import UnixTimeField


class Operation(models.TextChoices):
    """What is asked of every step of a route."""

    CHAT = "chat", "Chat"
    TEXT_COMPLETION = "text_completion", "Completions"
    EMBEDDINGS = "embeddings", "Embeddings"
    RESPONSES = "responses", "Responses"


class Route(models.Model):
    """A path of the proxy. Durations are kept as they were written and mean what they did when they were checked."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=255, help_text="For people; it need not be unique.")
    path = models.CharField(
        max_length=255, help_text="What follows /api/routes, such as /production/chat/completions. Matched exactly."
    )
    request_format = models.CharField(max_length=32, blank=True, default="", help_text="Empty: told by the model.")
    operation = models.CharField(
        max_length=16, choices=Operation, editable=False, help_text="What the format and the models come to."
    )
    retry_strategy = models.CharField(max_length=16, blank=True, default="", help_text="Empty: constant.")
    deadline_text = models.CharField(max_length=64, help_text="For all attempts and waits together.")
    cache_enabled = models.BooleanField(default=False)
    cache_ttl_text = models.CharField(max_length=64, help_text="How long an answer is kept.")
    cache_single_flight = models.BooleanField(default=False, help_text="Identical misses wait for the first.")
    cache_epoch = models.PositiveIntegerField(default=0, editable=False, help_text="How often it was purged.")
    keys = models.ManyToManyField("keys.Key", through="RouteKey", related_name="+", help_text="Who may call it.")
    created_at = UnixTimeField(editable=False)
    updated_at = UnixTimeField(editable=False)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["path"], name="route_path_once")]

    def __str__(self) -> str:
        return self.name


class RouteStep(models.Model):
    """One provider and model of a route; position orders them."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(default=0)
    provider = models.CharField(max_length=64, db_index=True, help_text="Whose API it is.")
    model = models.CharField(max_length=255, help_text="Takes the place of the body's model.")
    params = models.JSONField(default=dict, blank=True, help_text="What the provider's URL needs.")
    request_params = models.JSONField(default=dict, blank=True, help_text="Members that take the place of the body's.")
    retries = models.PositiveSmallIntegerField(default=0, help_text="Further attempts before the next step.")
    retry_interval_text = models.CharField(max_length=64, help_text="Wait between attempts; exponential has its own.")
    timeout_text = models.CharField(max_length=64, help_text="Of one attempt.")

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["route", "position"], name="route_step_position_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.model}"


class RouteKey(models.Model):
    """One of the keys that may call a route; position keeps the order they were given in."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="key_links")
    # A deleted key can call nothing anyway; a route without keys stays, and nobody may call it.
    key = models.ForeignKey("keys.Key", on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["route", "key"], name="route_key_once")]

    def __str__(self) -> str:
        return f"{self.route_id}: {self.key_id}"
