"""Who changes routes: one function per verb. Each journals its change, so that traffic follows within a second."""

from collections.abc import Sequence
from typing import Unpack
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from gateway_project.changes import record_change
from gateway_project.shared import clock
from keys.queries import key_names
from routes import rules, step_rules
from routes.models import Route, RouteKey, RouteStep
from routes.queries import fields_of, missing_providers
from routes.rules import (
    DEFAULT_DEADLINE,
    DEFAULT_RETRY_INTERVAL,
    DEFAULT_TIMEOUT,
    DEFAULT_TTL,
    RouteFields,
    RouteNotFound,
    StepFields,
    invalid,
)


def create_route(**fields: Unpack[RouteFields]) -> Route:
    """Store a route. It needs name, path, key_ids and steps. Raises RouteInvalid, which names the REST's member."""
    at = clock.now()
    route = Route(created_at=at)
    # What is missing is refused as what is empty.
    whole: RouteFields = {"name": "", "path": "", "key_ids": (), "steps": (), **fields}
    with transaction.atomic():
        _apply(route, whole, whole)
        route.updated_at = at
        _save(route)
        _link_keys(route, whole["key_ids"])
        _store_steps(route, whole["steps"])
        record_change(snapshot=True)
    return route


def update_route(route_id: UUID | str, **changes: Unpack[RouteFields]) -> Route:
    """Change what is given; steps and key_ids are replaced as a whole. Raises RouteNotFound, RouteInvalid."""
    with transaction.atomic():
        route = _locked(route_id)
        _apply(route, {**fields_of(route), **changes}, changes)
        route.updated_at = clock.now()
        _save(route)
        if "key_ids" in changes:
            route.key_links.all().delete()
            _link_keys(route, changes["key_ids"])
        if "steps" in changes:
            route.steps.all().delete()
            _store_steps(route, changes["steps"])
        record_change(snapshot=True)
    return route


def delete_route(route_id: UUID | str) -> bool:
    """Delete the route. False: there was none."""
    with transaction.atomic():
        try:
            route = _locked(route_id)
        except RouteNotFound:
            return False
        route.delete()
        record_change(snapshot=True)
    return True


def purge_cache(route_id: UUID | str) -> None:
    """Let no answer that is kept now be found again. Raises RouteNotFound.

    The epoch is a part of every cache key; what is kept under an older one ends with its ttl.
    """
    with transaction.atomic():
        route = _locked(route_id)
        Route.objects.filter(pk=route.pk).update(cache_epoch=F("cache_epoch") + 1)
        record_change(snapshot=True)


def _locked(route_id: UUID | str) -> Route:
    try:
        return Route.objects.select_for_update().get(pk=UUID(str(route_id)))
    except (ValueError, Route.DoesNotExist) as error:
        raise RouteNotFound(f"route is not found for id: {str(route_id)[:64]}") from error


def _apply(route: Route, whole: RouteFields, given: RouteFields) -> None:
    """Put a route as it shall be onto the row, but for steps and keys, which are checked only.

    given: what changes. Keys are looked at when they or the steps do: what their settings have become since is no
    reason to refuse a new name.
    """
    rules.check_fields(whole)
    route.operation = step_rules.check_steps(whole["steps"], whole.get("request_format", ""))
    if "key_ids" in given or "steps" in given:
        _check_keys(rules.key_ids_of(whole["key_ids"]), {step["provider"] for step in whole["steps"]})
    route.name = whole["name"]
    route.path = whole["path"]
    route.request_format = whole.get("request_format", "")
    route.retry_strategy = whole.get("retry_strategy", "")
    route.deadline_text = whole.get("deadline") or DEFAULT_DEADLINE
    route.cache_enabled = whole.get("cache_enabled", False)
    route.cache_ttl_text = whole.get("cache_ttl") or DEFAULT_TTL
    route.cache_single_flight = whole.get("cache_single_flight", False)


def _check_keys(ids: Sequence[UUID], providers: set[str]) -> None:
    """Every key exists, and has a setting of every provider of the steps."""
    lacking = missing_providers(ids, providers)
    unknown = [key_id for key_id, missing in lacking.items() if missing is None]
    if unknown:
        raise rules.unknown_keys(unknown)
    for key_id, missing in lacking.items():
        raise invalid(
            "keyIds",
            "provider settings associated with the key cannot be used for accessing models specified in the route: "
            f"key {key_names([key_id]).get(key_id, '')!r} ({key_id}) has no setting of {', '.join(missing or ())}",
        )


def _save(route: Route) -> None:
    if Route.objects.filter(path=route.path).exclude(pk=route.pk).exists():
        raise rules.path_taken()
    try:
        with transaction.atomic():
            route.save()
    except IntegrityError as error:
        # Two routes with the same path at once; the other was first.
        if Route.objects.filter(path=route.path).exclude(pk=route.pk).exists():
            raise rules.path_taken() from error
        raise


def _link_keys(route: Route, ids: Sequence[UUID | str]) -> None:
    RouteKey.objects.bulk_create(
        RouteKey(route=route, key_id=key_id, position=position) for position, key_id in enumerate(rules.key_ids_of(ids))
    )


def _store_steps(route: Route, steps: Sequence[StepFields]) -> None:
    RouteStep.objects.bulk_create(
        RouteStep(
            route=route,
            position=position,
            provider=step["provider"],
            model=step["model"],
            params=dict(step.get("params", {})),
            request_params=dict(step.get("request_params", {})),
            retries=step.get("retries", 0),
            retry_interval_text=step.get("retry_interval") or DEFAULT_RETRY_INTERVAL,
            timeout_text=step.get("timeout") or DEFAULT_TIMEOUT,
        )
        for position, step in enumerate(steps)
    )
