"""The read side of routes: finding them, and how one looks to an operator."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from keys.queries import key_names, providers_of_keys
from routes.models import Route, RouteStep
from routes.rules import RouteFields, RouteNotFound, StepFields


def find_routes() -> QuerySet[Route]:
    """All routes, oldest first, with their steps and keys loaded along."""
    return Route.objects.order_by("created_at", "id").prefetch_related("steps", "key_links")


def get_route(route_id: UUID | str) -> Route:
    """Raises RouteNotFound."""
    try:
        return find_routes().get(pk=UUID(str(route_id)))
    except (ValueError, Route.DoesNotExist) as error:
        raise RouteNotFound(f"route is not found for id: {str(route_id)[:64]}") from error


def missing_providers(key_ids: Iterable[UUID | str], providers: Iterable[str]) -> dict[str, list[str] | None]:
    """By key id, the providers that a key has no setting of; None for a key that is not there. Others are left out."""
    found = providers_of_keys(key_ids)
    wanted = set(providers)
    lacking = {str(key_id): sorted(wanted - found[str(key_id)]) if str(key_id) in found else None for key_id in key_ids}
    return {key_id: missing for key_id, missing in lacking.items() if missing is None or missing}


def keys_lacking_settings(route: Route) -> list[tuple[str, list[str]]]:
    """Names of the route's keys that cannot use every step any more, and the providers that each has no setting of."""
    ids = [str(link.key_id) for link in route.key_links.all()]
    lacking = missing_providers(ids, {step.provider for step in route.steps.all()})
    names = key_names(lacking) if lacking else {}
    return [(names[key_id], missing or []) for key_id, missing in lacking.items() if key_id in names]


def fields_of(route: Route) -> RouteFields:
    """A stored route as its services take one."""
    return {
        "name": route.name,
        "path": route.path,
        "key_ids": [link.key_id for link in route.key_links.all()],
        "steps": [step_fields(step) for step in route.steps.all()],
        "request_format": route.request_format,
        "retry_strategy": route.retry_strategy,
        "deadline": route.deadline_text,
        "cache_enabled": route.cache_enabled,
        "cache_ttl": route.cache_ttl_text,
        "cache_single_flight": route.cache_single_flight,
    }


def step_fields(step: RouteStep) -> StepFields:
    return {
        "provider": step.provider,
        "model": step.model,
        "params": step.params,
        "request_params": step.request_params,
        "retries": step.retries,
        "retry_interval": step.retry_interval_text,
        "timeout": step.timeout_text,
    }


def route_object(route: Route) -> dict[str, Any]:
    """A route as the seed's API shows it; operation, deadline and singleFlight are ours."""
    return {
        "id": str(route.id),
        "createdAt": route.created_at,
        "updatedAt": route.updated_at,
        "name": route.name,
        "path": route.path,
        "retryStrategy": route.retry_strategy,
        "requestFormat": route.request_format,
        "operation": route.operation,
        "deadline": route.deadline_text,
        "keyIds": [str(link.key_id) for link in route.key_links.all()],
        "steps": [_step_object(step) for step in route.steps.all()],
        "cacheConfig": {
            "enabled": route.cache_enabled,
            "ttl": route.cache_ttl_text,
            "singleFlight": route.cache_single_flight,
        },
    }


def _step_object(step: RouteStep) -> dict[str, Any]:
    return {
        "retries": step.retries,
        "retryInterval": step.retry_interval_text,
        "provider": step.provider,
        "requestParams": step.request_params,
        "params": step.params,
        "model": step.model,
        "timeout": step.timeout_text,
    }
