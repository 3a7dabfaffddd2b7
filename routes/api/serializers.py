"""Routes on the wire: the seed's members and their shapes. What they mean is decided in routes.rules."""

import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gateway_project.shared.rest_fields import (
    FlagField,
    TextField,
    TextListField,
    WholeNumberField,
    flat_errors,
    invalid_fields,
)
from routes.rules import RouteFields, RouteInvalid
from routes.step_rules import REQUEST_FORMATS

_INDEX = re.compile(r"(?<!\.)\[(?=\d)")
_OPTIONAL: dict[str, Any] = {"required": False, "allow_blank": True}
_CACHE_FIELDS = {"enabled": "cache_enabled", "ttl": "cache_ttl", "singleFlight": "cache_single_flight"}


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object. Members that are null are as good as none."""

    default_error_messages = {"invalid": "must be an object"}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return {name: value for name, value in data.items() if value is not None}

    def to_representation(self, value: Any) -> Any:
        return value


class StepSerializer(serializers.Serializer[Any]):
    """One step: a provider and a model."""

    provider = TextField(help_text="A provider that speaks the OpenAI dialect.")
    model = TextField(help_text="Takes the place of the body's model.")
    retries = WholeNumberField(required=False, help_text="Further attempts before the next step: 0 to 10.")
    retryInterval = TextField(source="retry_interval", help_text="Default 1s.", **_OPTIONAL)
    timeout = TextField(help_text="Of one attempt. Default 5m.", **_OPTIONAL)
    params = ObjectField(required=False, help_text="For azure: deploymentId and apiVersion.")
    requestParams = ObjectField(
        source="request_params", required=False, help_text="Members that take the place of the body's."
    )


class CacheChangeSerializer(serializers.Serializer[Any]):
    """What of the caching a PATCH may change."""

    enabled = FlagField(required=False)
    ttl = TextField(help_text="How long an answer is kept: up to 720h. Default 168h.", **_OPTIONAL)
    singleFlight = FlagField(required=False, help_text="Identical misses wait for the first of them.")


class CacheSerializer(CacheChangeSerializer):
    """How a route caches."""

    enabled = FlagField()


class RouteChangeSerializer(serializers.Serializer[Any]):
    """What a PATCH may change. steps and keyIds are replaced as a whole, cacheConfig by member."""

    name = TextField(required=False)
    path = TextField(required=False, help_text="What follows /api/routes, matched exactly.")
    keyIds = TextListField(source="key_ids", required=False, help_text="The keys that may call it.")
    steps = StepSerializer(many=True, required=False)
    cacheConfig = CacheChangeSerializer(source="cache", required=False)
    retryStrategy = TextField(source="retry_strategy", help_text="constant (the default) or exponential.", **_OPTIONAL)
    requestFormat = TextField(
        source="request_format",
        help_text=f"One of {', '.join(filter(None, REQUEST_FORMATS))}. Default: told by the first model.",
        **_OPTIONAL,
    )
    deadline = TextField(help_text="For all attempts and waits together. Default 10m.", **_OPTIONAL)


class RouteCreateSerializer(RouteChangeSerializer):
    """What a POST takes."""

    name = TextField()
    path = TextField(help_text="What follows /api/routes, matched exactly.")
    keyIds = TextListField(source="key_ids", help_text="The keys that may call it.")
    steps = StepSerializer(many=True)
    cacheConfig = CacheSerializer(source="cache")


class RouteSerializer(RouteCreateSerializer):
    """A route as it is answered; for the API's description only, routes.queries.route_object makes it."""

    id = serializers.UUIDField()
    createdAt = serializers.IntegerField(help_text="Unix seconds.")
    updatedAt = serializers.IntegerField(help_text="Unix seconds.")
    operation = TextField(help_text="chat, text_completion, embeddings or responses.")


def created_fields(body: Mapping[str, Any]) -> RouteFields:
    """The fields of a POST. Raises RouteInvalid."""
    return _route_fields(RouteCreateSerializer(data=_without_nulls(body)))


def changed_fields(body: Mapping[str, Any]) -> RouteFields:
    """The fields of a PATCH. Raises RouteInvalid."""
    return _route_fields(RouteChangeSerializer(data=_without_nulls(body)))


def _without_nulls(document: Any) -> Any:
    """A null member is as good as none, also in steps and in cacheConfig; what is in params is theirs to judge."""
    if isinstance(document, Mapping):
        return {
            name: value if name in ("params", "requestParams") else _without_nulls(value)
            for name, value in document.items()
            if value is not None
        }
    return [_without_nulls(each) for each in document] if isinstance(document, list) else document


def _route_fields(serializer: RouteChangeSerializer) -> RouteFields:
    if not serializer.is_valid():
        wrong = [(_INDEX.sub(".[", name), reason) for name, reason in flat_errors(serializer.errors)]
        raise RouteInvalid(invalid_fields(wrong), fields=tuple(name for name, _ in wrong))
    data: dict[str, Any] = dict(serializer.validated_data)
    cache = data.pop("cache", {})
    data.update({_CACHE_FIELDS[name]: value for name, value in cache.items()})
    return data  # type: ignore[return-value]  # the serializer's sources are the members of RouteFields
