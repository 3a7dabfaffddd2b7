"""Events and reports on the wire: the seed's members under its mixed names, and ours after them."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from gateway_project.shared.money import NANO_PER_USD, nano_to_usd
from gateway_project.shared.rest_fields import TextField, TextListField, WholeNumberField, validated
from reporting.api.problems import InvalidReportingRequest
from reporting.event_queries import DIMENSIONS, EventFilter, Report, ReportPoint
from reporting.models import UsageEvent

NANO_PER_MICRO = 1000


class ReportRequestSerializer(serializers.Serializer[Any]):
    """Which events a report covers and how it cuts them; times are unix seconds."""

    keyIds = TextListField(required=False)
    tags = TextListField(required=False, help_text="Events with all of these tags.")
    customIds = TextListField(required=False)
    userIds = TextListField(required=False)
    start = WholeNumberField(help_text="First second that counts.")
    end = WholeNumberField(help_text="First second that does not count any more.")
    increment = WholeNumberField(help_text="Length of a bucket in seconds.")
    filters = TextListField(required=False, help_text=f"Group by any of {', '.join(DIMENSIONS)}.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs["start"]:
            raise serializers.ValidationError({"start": "must be above 0"})
        if attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError({"end": "must be after start"})
        if not attrs["increment"]:
            raise serializers.ValidationError({"increment": "must be above 0"})
        return attrs

    def validate_filters(self, names: list[str]) -> list[str]:
        unknown = sorted(set(names) - DIMENSIONS.keys())
        if unknown:
            raise serializers.ValidationError(f"knows {', '.join(DIMENSIONS)}, not {', '.join(unknown)}")
        return list(dict.fromkeys(names))


class DataPointSerializer(serializers.Serializer[Any]):
    """Sums over one bucket."""

    timeStamp = serializers.IntegerField()
    numberOfRequests = serializers.IntegerField()
    costInUsd = serializers.FloatField()
    latencyInMs = serializers.IntegerField()
    promptTokenCount = serializers.IntegerField()
    completionTokenCount = serializers.IntegerField()
    successCount = serializers.IntegerField()
    model = TextField()
    keyId = TextField()
    customId = TextField()
    userId = TextField()


class ReportSerializer(serializers.Serializer[Any]):
    dataPoints = DataPointSerializer(many=True)
    latencyInMsMedian = serializers.FloatField()
    latencyInMs99th = serializers.FloatField()


class KeySpendSerializer(serializers.Serializer[Any]):
    id = TextField()
    costInMicroDollars = serializers.FloatField()
    costInUsd = serializers.FloatField()


class UsageSerializer(serializers.Serializer[Any]):
    """Canonical usage: every token is in exactly one member, but reasoning is a part of output."""

    inputTokens = serializers.IntegerField()
    cacheReadTokens = serializers.IntegerField()
    cacheWriteTokens = serializers.IntegerField()
    cacheWrite1hTokens = serializers.IntegerField()
    audioInputTokens = serializers.IntegerField()
    imageInputTokens = serializers.IntegerField()
    outputTokens = serializers.IntegerField()
    reasoningTokens = serializers.IntegerField()
    audioOutputTokens = serializers.IntegerField()
    imageOutputTokens = serializers.IntegerField()
    images = serializers.IntegerField()
    seconds = serializers.FloatField()
    characters = serializers.IntegerField()


class AttemptSerializer(serializers.Serializer[Any]):
    """One time a route asked a provider. status: 0 when there was no answer, 499 when the client left first."""

    provider = TextField()
    settingId = TextField()
    model = TextField()
    status = serializers.IntegerField()
    error_code = TextField()
    duration_in_ms = serializers.IntegerField()
    cost_in_usd = serializers.FloatField()
    price_status = TextField()
    estimated = serializers.BooleanField(help_text="The provider told no usage; what was sent was counted.")


class EventSerializer(serializers.Serializer[Any]):
    """One request. request, response and metadata: Base64 of what was kept, null if nothing was."""

    id = TextField()
    created_at = serializers.IntegerField()
    tags = TextListField()
    key_id = TextField()
    cost_in_usd = serializers.FloatField()
    provider = TextField()
    model = TextField()
    status = serializers.IntegerField()
    prompt_token_count = serializers.IntegerField()
    completion_token_count = serializers.IntegerField()
    latency_in_ms = serializers.IntegerField()
    path = TextField()
    method = TextField()
    custom_id = TextField()
    request = TextField(allow_null=True)
    response = TextField(allow_null=True)
    userId = TextField()
    action = TextField()
    policyId = TextField()
    routeId = TextField()
    correlationId = TextField(help_text="The request id that the client was told.")
    metadata = TextField(allow_null=True)
    request_id = TextField()
    operation = TextField()
    settingId = TextField()
    response_model = TextField()
    stream = serializers.BooleanField()
    ending = TextField()
    admitted = serializers.BooleanField()
    error_code = TextField()
    attempts = serializers.IntegerField()
    upstream_request_id = TextField()
    upstream_latency_in_ms = serializers.IntegerField(allow_null=True)
    time_to_first_chunk_ms = serializers.IntegerField(allow_null=True)
    price_status = TextField(help_text="priced, unpriced (cost unknown, counted as 0) or free.")
    usage_source = TextField(help_text="Who told the tokens: upstream, counted, partly_counted, cache or none.")
    cached_token_count = serializers.IntegerField()
    reasoning_token_count = serializers.IntegerField()
    usage = UsageSerializer()
    attempt_details = AttemptSerializer(many=True, help_text="What a route tried, in order; empty for other calls.")


def report_request(document: Mapping[str, Any]) -> tuple[EventFilter, int, list[str]]:
    """(events, bucket in seconds, dimensions) of a report's body; a null member is as good as none.

    Raises InvalidReportingRequest.
    """
    given = {name: value for name, value in document.items() if value is not None}
    data = validated(ReportRequestSerializer(data=given), InvalidReportingRequest)
    wanted = EventFilter(
        key_ids=data.get("keyIds", ()),
        custom_ids=data.get("customIds", ()),
        user_ids=data.get("userIds", ()),
        tags=data.get("tags", ()),
        start_at=data["start"],
        end_at=data["end"],
    )
    return wanted, data["increment"], data.get("filters", [])


def report_object(report: Report) -> dict[str, Any]:
    return {
        "dataPoints": [_data_point(point) for point in report.points],
        "latencyInMsMedian": report.median_ms,
        "latencyInMs99th": report.p99_ms,
    }


def spend_object(key_id: str, cost_nano: int) -> dict[str, Any]:
    """Micro-dollars are whole as in the seed unless nano-dollars are left."""
    whole, rest = divmod(cost_nano, NANO_PER_MICRO)
    micro = cost_nano / NANO_PER_MICRO if rest else whole
    return {"id": key_id, "costInMicroDollars": micro, "costInUsd": nano_to_usd(cost_nano)}


def event_object(event: UsageEvent) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "created_at": event.created_at,
        "tags": list(event.tags),
        "key_id": str(event.key_id),
        "cost_in_usd": nano_to_usd(event.cost_nano),
        "provider": event.provider,
        "model": event.request_model,
        "status": event.status,
        "prompt_token_count": event.prompt_tokens,
        "completion_token_count": event.completion_tokens,
        "latency_in_ms": event.latency_ms,
        "path": event.path,
        "method": event.method,
        "custom_id": event.custom_id,
        "request": _base64(event.request_body),
        "response": _base64(event.response_body),
        "userId": event.user_id,
        "action": event.action,
        "policyId": event.policy_id,
        "routeId": event.route_id,
        "correlationId": str(event.id),
        "metadata": _base64(event.metadata),
        **_ours(event),
    }


def _ours(event: UsageEvent) -> dict[str, Any]:
    return {
        "request_id": str(event.id),
        "operation": event.operation,
        "settingId": event.setting_id,
        "response_model": event.response_model,
        "stream": event.stream,
        "ending": event.ending,
        "admitted": bool(event.requests),
        "error_code": event.error_code,
        "attempts": event.attempts,
        "upstream_request_id": event.upstream_request_id,
        "upstream_latency_in_ms": event.upstream_latency_ms,
        "time_to_first_chunk_ms": event.time_to_first_chunk_ms,
        "price_status": event.price_status,
        "usage_source": event.usage_source,
        "cached_token_count": event.cache_read_tokens,
        "reasoning_token_count": event.reasoning_tokens,
        "usage": _usage(event),
        "attempt_details": [_attempt(attempt) for attempt in event.attempt_details or ()],
    }


def _attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """What is left out of the stored form is empty."""
    return {
        "provider": attempt.get("provider", ""),
        "settingId": attempt.get("setting_id", ""),
        "model": attempt.get("model", ""),
        "status": attempt.get("status", 0),
        "error_code": attempt.get("error_code", ""),
        "duration_in_ms": attempt.get("duration_ms", 0),
        "cost_in_usd": nano_to_usd(attempt.get("cost_nano", 0)),
        "price_status": attempt.get("price_status", "free"),
        "estimated": attempt.get("estimated", False),
    }


def _usage(event: UsageEvent) -> dict[str, Any]:
    return {
        "inputTokens": event.input_tokens,
        "cacheReadTokens": event.cache_read_tokens,
        "cacheWriteTokens": event.cache_write_tokens,
        "cacheWrite1hTokens": event.cache_write_1h_tokens,
        "audioInputTokens": event.audio_input_tokens,
        "imageInputTokens": event.image_input_tokens,
        "outputTokens": event.output_tokens,
        "reasoningTokens": event.reasoning_tokens,
        "audioOutputTokens": event.audio_output_tokens,
        "imageOutputTokens": event.image_output_tokens,
        "images": event.images,
        "seconds": event.seconds,
        "characters": event.characters,
    }


def _data_point(point: ReportPoint) -> dict[str, Any]:
    dimensions = point.dimensions or {}
    return {
        "timeStamp": point.at,
        "numberOfRequests": point.requests,
        "costInUsd": point.cost_nano / NANO_PER_USD,
        "latencyInMs": point.latency_ms,
        "promptTokenCount": point.prompt_tokens,
        "completionTokenCount": point.completion_tokens,
        "successCount": point.successes,
        **{name: dimensions.get(name, "") for name in DIMENSIONS},
    }


def _base64(text: str | None) -> str | None:
    return None if text is None else b64encode(text.encode()).decode()
