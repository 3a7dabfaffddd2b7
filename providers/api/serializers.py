"""Provider settings on the wire: the seed's members and their shapes. What they may hold is decided in rules."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gateway_project.shared.rest_fields import TextField, WholeNumberField, validated
from providers.models import ProviderSetting
from providers.rules import COST_MAP_MEMBERS, STREAM_USAGE, SettingInvalid
from providers.services import SettingOptions

# A null member is as good as none, but for this one, where it takes the setting's prices away.
NULL_TAKES_AWAY = frozenset({"costMap"})

_STREAM_USAGE = " or ".join(STREAM_USAGE)
_PRICES = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}


@extend_schema_field(
    {
        "type": "object",
        "nullable": True,
        "description": "USD per 1000 tokens by model; comes before the price table.",
        "properties": dict.fromkeys(COST_MAP_MEMBERS, _PRICES),
    }
)
class CostMapField(serializers.Field[Any, Any, Any, Any]):
    """Kept as it was sent, so that it is answered as it was sent."""

    default_error_messages = {"invalid": "must be an object"}

    def to_internal_value(self, data: Any) -> Mapping[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class ModelsField(serializers.ListField):
    default_error_messages = {"not_a_list": "must be a list of strings"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"child": TextField(), "allow_empty": True, **options})


class MembersField(serializers.DictField):
    default_error_messages = {"not_a_dict": "must be an object of strings"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"child": TextField(allow_blank=True), **options})


class SettingChangeSerializer(serializers.Serializer[Any]):
    """What a PATCH may change."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            "setting": MembersField(
                required=False,
                help_text="apikey, url, resourceName, awsRegion, …; merged by name. Secrets are never answered.",
            ),
            "name": TextField(required=False, allow_blank=True),
            "allowedModels": ModelsField(required=False, source="allowed_models", help_text="Empty: all models."),
            "costMap": CostMapField(required=False, allow_null=True, source="cost_map"),
            "streamUsage": TextField(
                required=False,
                source="stream_usage",
                help_text=f"Whether streams are asked for usage: {_STREAM_USAGE}.",
            ),
            "priority": WholeNumberField(required=False, help_text="Higher is tried first."),
            "weight": WholeNumberField(
                required=False,
                help_text="Share of the turns among equals when the key rotates; otherwise the heaviest is used.",
            ),
        }


class SettingCreateSerializer(SettingChangeSerializer):
    """What a PUT or POST takes."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"provider": TextField(required=False, allow_blank=True), **super().get_fields()}


class SettingSerializer(serializers.Serializer[Any]):
    """A setting as it is answered; for the API's description only, setting_object makes it."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            **{name: serializers.IntegerField() for name in ("createdAt", "updatedAt", "priority", "weight")},
            **{name: TextField() for name in ("provider", "id", "name", "streamUsage")},
            "allowedModels": ModelsField(),
            "costMap": CostMapField(allow_null=True),
            "setting": MembersField(required=False, help_text="Members that are no secrets; left out when empty."),
        }


def created_members(body: Mapping[str, Any]) -> tuple[str, dict[str, str], SettingOptions]:
    """Provider, members of `setting` and options of a PUT or POST. Raises SettingInvalid."""
    data = validated(SettingCreateSerializer(data=_without_nulls(body)), SettingInvalid)
    return data.pop("provider", ""), data.pop("setting", {}), data  # type: ignore[return-value]


def changed_members(body: Mapping[str, Any]) -> tuple[dict[str, str] | None, SettingOptions]:
    """Members of `setting` (None: not sent) and options of a PATCH. Raises SettingInvalid."""
    data = validated(SettingChangeSerializer(data=_without_nulls(body)), SettingInvalid)
    return data.pop("setting", None), data  # type: ignore[return-value]  # sources are members of SettingOptions


def setting_object(row: ProviderSetting) -> dict[str, Any]:
    """The seed's object. Secrets are not in it."""
    shown = {
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "provider": row.provider,
        "id": str(row.pk),
        "name": row.name,
        "allowedModels": row.allowed_models,
        "costMap": row.cost_map,
        "streamUsage": row.stream_usage,
        "priority": row.priority,
        "weight": row.weight,
    }
    return shown | ({"setting": row.parameters} if row.parameters else {})


def _without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None or name in NULL_TAKES_AWAY}
