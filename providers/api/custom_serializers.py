"""Custom providers on the wire: the seed's members, in its snake_case. What they may hold is decided in custom_rules.

The classes are for the API's description only.
"""

from typing import Any

from rest_framework import serializers

from gateway_project.shared.rest_fields import TextField, WholeNumberField
from providers.custom_queries import route_config
from providers.custom_rules import METHODS
from providers.models import CustomProvider

_HELP = {
    "path": "With a leading slash, matched exactly; unique within the provider.",
    "target_url": "Where requests to the path go; the client's query is appended.",
    "model_location": "GJSON path of the model in the request, such as model.",
    "request_prompt_location": "GJSON path of the prompt in the request, such as messages.#.content.",
    "max_tokens_location": "GJSON path of the most tokens of an answer in the request, such as max_tokens.",
    "response_completion_location": "GJSON path of the text in an answer, such as choices.#.message.content.",
    "stream_location": "GJSON path of the flag in the request that asks for a stream; empty: there are no streams.",
    "stream_end_word": "What the last message of a stream says, such as [DONE]. Required with stream_location.",
    "stream_response_completion_location": "GJSON path of the text in a message of a stream. Required likewise.",
}


class RouteConfigSerializer(serializers.Serializer[Any]):
    """One path of a custom provider."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        texts = {name: TextField(required=False, help_text=text) for name, text in _HELP.items()}
        methods = serializers.ListField(
            child=serializers.ChoiceField(choices=METHODS), required=False, help_text="Default: POST alone."
        )
        empty = WholeNumberField(
            required=False, help_text="So many messages without text in a row end a stream with an error; 0: never."
        )
        return {**texts, "stream_max_empty_messages": empty, "methods": methods}


class CustomProviderChangeSerializer(serializers.Serializer[Any]):
    """What a PATCH may change."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            "route_configs": RouteConfigSerializer(
                many=True, required=False, help_text="Merged by path: members that are not empty replace what is there."
            ),
            "authentication_param": TextField(
                required=False, help_text="The member of a setting that is sent as bearer; empty sends none."
            ),
        }


class CustomProviderCreateSerializer(CustomProviderChangeSerializer):
    """What a POST takes."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"provider": TextField(help_text="Unique; stored in lower case."), **super().get_fields()}


class CustomProviderSerializer(CustomProviderCreateSerializer):
    """A custom provider as it is answered."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        times = {name: serializers.IntegerField() for name in ("created_at", "updated_at")}
        return {"id": TextField(), **times, **super().get_fields()}


def custom_provider_object(row: CustomProvider) -> dict[str, Any]:
    """The seed's object."""
    return {
        "id": str(row.pk),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "provider": row.provider,
        "route_configs": [route_config(route) for route in row.routes.all()],
        "authentication_param": row.authentication_param,
    }
