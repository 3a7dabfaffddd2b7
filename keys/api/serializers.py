"""Keys on the wire: the seed's members and their shapes. What they mean is decided in keys.rules."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework import serializers

from gateway_project.shared.rest_fields import (
    FlagField,
    TextField,
    TextListField,
    UsdField,
    WholeNumberField,
    validated,
)
from keys.records import PathRule
from keys.rules import KeyFields, KeyValidationFailed

# A null member is as good as none, but for these, where it takes a limit or the policy away.
NULL_TAKES_AWAY = frozenset({"costLimitInUsd", "costLimitInUsdOverTime", "rateLimitOverTime", "policyId"})
NULL_UNITS = frozenset({"costLimitInUsdUnit", "rateLimitUnit"})


class PolicyIdField(TextField):
    """A policy's id; "" and null detach."""

    default_error_messages = {"not_an_id": "must be a UUID"}

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            return UUID(text)
        except ValueError:
            self.fail("not_an_id")


class AllowedPathSerializer(serializers.Serializer[Any]):
    """One path a key may call."""

    method = TextField(help_text="HTTP method, or * for all.")
    path = TextField(help_text="Exact, with :names for segments, or a prefix that ends in *.")


OPTIONAL_LIMIT: dict[str, Any] = {"required": False, "allow_null": True, "help_text": "0 or null: no limit."}
OPTIONAL_UNIT: dict[str, Any] = {"required": False, "allow_null": True, "allow_blank": True}


class KeyChangeSerializer(serializers.Serializer[Any]):
    """What a PATCH may change."""

    name = TextField(required=False)
    tags = TextListField(required=False)
    settingIds = TextListField(source="setting_ids", required=False)
    settingId = TextField(required=False, allow_blank=True, help_text="Deprecated: a list of one.")
    costLimitInUsd = UsdField(source="cost_limit_nano", **OPTIONAL_LIMIT)
    costLimitInUsdOverTime = UsdField(source="cost_window_limit_nano", **OPTIONAL_LIMIT)
    costLimitInUsdUnit = TextField(source="cost_window_unit", **OPTIONAL_UNIT)
    rateLimitOverTime = WholeNumberField(source="request_limit", **OPTIONAL_LIMIT)
    rateLimitUnit = TextField(source="request_window_unit", **OPTIONAL_UNIT)
    allowedPaths = AllowedPathSerializer(source="allowed_paths", many=True, required=False)
    shouldLogRequest = FlagField(source="should_log_request", required=False)
    shouldLogResponse = FlagField(source="should_log_response", required=False)
    rotationEnabled = FlagField(source="rotation_enabled", required=False)
    allowUnmetered = FlagField(source="allow_unmetered", required=False)
    policyId = PolicyIdField(source="policy_id", required=False, allow_null=True, allow_blank=True)
    revoked = FlagField(required=False)
    revokedReason = TextField(source="revoked_reason", required=False, allow_blank=True)


class KeyCreateSerializer(KeyChangeSerializer):
    """What a PUT takes."""

    name = TextField()
    key = TextField(help_text="The secret: any characters an HTTP header can carry.")
    ttl = TextField(source="ttl_text", required=False, allow_blank=True, help_text="From creation: 30s, 15m, 12h, 2d.")
    revoked = None  # type: ignore[assignment]  # REST framework's way to take a field away.
    revokedReason = None  # type: ignore[assignment]


class KeySerializer(serializers.Serializer[Any]):
    """A key as it is answered; for the API's description only, keys.queries.key_object makes it."""

    name = TextField()
    createdAt = serializers.IntegerField(help_text="Unix seconds.")
    updatedAt = serializers.IntegerField(help_text="Unix seconds.")
    tags = TextListField()
    keyId = serializers.UUIDField()
    revoked = FlagField(help_text="Also true once the ttl has ended.")
    revokedReason = TextField()
    costLimitInUsd = serializers.FloatField(help_text="0: no limit.")
    costLimitInUsdOverTime = serializers.FloatField(help_text="0: no limit.")
    costLimitInUsdUnit = TextField()
    rateLimitOverTime = serializers.IntegerField(help_text="0: no limit.")
    rateLimitUnit = TextField()
    ttl = TextField()
    settingId = TextField(help_text="Deprecated: filled for a single setting.")
    settingIds = TextListField()
    allowedPaths = AllowedPathSerializer(many=True)
    shouldLogRequest = FlagField()
    shouldLogResponse = FlagField()
    rotationEnabled = FlagField()
    policyId = TextField()
    isKeyNotHashed = FlagField(help_text="Always false: a secret is never stored in clear.")
    allowUnmetered = FlagField()


def created_fields(body: Mapping[str, Any]) -> tuple[str, KeyFields]:
    """The secret and the fields of a PUT. Raises KeyValidationFailed."""
    data = validated(KeyCreateSerializer(data=_without_nulls(body)), KeyValidationFailed)
    secret: str = data.pop("key")
    fields = _key_fields(data)
    if not fields.get("setting_ids", True):
        del fields["setting_ids"]
    return secret, fields


def changed_fields(body: Mapping[str, Any]) -> KeyFields:
    """The fields of a PATCH. Raises KeyValidationFailed."""
    return _key_fields(validated(KeyChangeSerializer(data=_without_nulls(body)), KeyValidationFailed))


def _without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    kept = NULL_TAKES_AWAY | NULL_UNITS
    return {name: value for name, value in body.items() if value is not None or name in kept}


def _key_fields(data: dict[str, Any]) -> KeyFields:
    setting_id = data.pop("settingId", "")
    if setting_id and data.get("setting_ids"):
        raise KeyValidationFailed(
            "either settingId or settingIds, not both: fields [settingId, settingIds] are invalid",
            fields=("settingId", "settingIds"),
        )
    if setting_id:
        data["setting_ids"] = [setting_id]
    if "allowed_paths" in data:
        data["allowed_paths"] = [PathRule(rule["method"], rule["path"]) for rule in data["allowed_paths"]]
    for limit in ("cost_limit_nano", "cost_window_limit_nano", "request_limit"):
        if limit in data:
            data[limit] = data[limit] or None  # on the wire 0 is no limit
    if "policy_id" in data:
        data["policy_id"] = data["policy_id"] or None  # DRF hands a blank through as it is
    return data  # type: ignore[return-value]  # the serializer's sources are the members of KeyFields
