"""The read side of custom providers, and how their rows become what others work with."""

from typing import Any
from uuid import UUID

from gateway_project.shared.problems import NotFound
from providers.custom_rules import LOCATIONS, METHODS
from providers.models import CustomProvider, CustomRoute

TEXTS = ("path", "target_url", *LOCATIONS, "stream_end_word")


class CustomProviderNotFound(NotFound):
    title = "custom provider is not found"


def list_custom_providers() -> list[CustomProvider]:
    """All, oldest first, with their routes."""
    return list(CustomProvider.objects.prefetch_related("routes"))


def get_custom_provider(provider_id: UUID | str) -> CustomProvider:
    """One with its routes. Raises CustomProviderNotFound."""
    try:
        return CustomProvider.objects.prefetch_related("routes").get(pk=UUID(str(provider_id)))
    except (CustomProvider.DoesNotExist, ValueError) as error:
        raise not_found(provider_id) from error


def not_found(provider_id: UUID | str) -> CustomProviderNotFound:
    return CustomProviderNotFound(f"custom provider {str(provider_id)[:64]!r} is not found")


def route_config(row: CustomRoute) -> dict[str, Any]:
    """A route as the seed's object has it, with the methods beside."""
    texts = {name: getattr(row, name) for name in TEXTS}
    return texts | {"stream_max_empty_messages": row.stream_max_empty_messages, "methods": sorted_methods(row.methods)}


def sorted_methods(methods: Any) -> list[str]:
    """In the order people read them."""
    return [method for method in METHODS if method in methods]
