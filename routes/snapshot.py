"""Rows to the records that the request path reads."""

from typing import cast

import structlog

from gateway_project.shared.durations import parse_duration_s
from routes.models import Route, RouteKey, RouteStep
from routes.records import CacheRecord, RetryStrategy, RouteOperation, RouteRecord, RouteStepRecord
from routes.rules import ttl_s

log = structlog.get_logger("routes")


def load_routes() -> dict[str, RouteRecord]:
    """Routes by path, in three queries. One that cannot be read is left out and logged."""
    steps: dict[object, list[RouteStep]] = {}
    for step in RouteStep.objects.order_by("route_id", "position"):
        steps.setdefault(step.route_id, []).append(step)
    keys: dict[object, list[str]] = {}
    for route_id, key_id in RouteKey.objects.order_by().values_list("route_id", "key_id"):
        keys.setdefault(route_id, []).append(str(key_id))
    records: dict[str, RouteRecord] = {}
    # Last: a route that came between is left out by the next line, not shown without its steps.
    for route in Route.objects.all():
        if route.pk not in steps:
            continue
        try:
            records[route.path] = _record(route, steps[route.pk], keys.get(route.pk, []))
        except (ValueError, TypeError) as error:
            # One damaged route must not take the others down with it.
            log.error("route_left_out", route_id=str(route.pk), name=route.name, reason=str(error))
    return records


def _record(route: Route, steps: list[RouteStep], key_ids: list[str]) -> RouteRecord:
    cache = CacheRecord(
        ttl_s=ttl_s(route.cache_ttl_text), single_flight=route.cache_single_flight, epoch=route.cache_epoch
    )
    return RouteRecord(
        id=str(route.pk),
        name=route.name,
        path=route.path,
        operation=cast("RouteOperation", route.operation),
        steps=tuple(map(_step_record, steps)),
        key_ids=frozenset(key_ids),
        retry_strategy=cast("RetryStrategy", route.retry_strategy or "constant"),
        deadline_s=parse_duration_s(route.deadline_text),
        cache=cache if route.cache_enabled else None,
    )


def _step_record(step: RouteStep) -> RouteStepRecord:
    return RouteStepRecord(
        provider=step.provider,
        model=step.model,
        params=dict(step.params),
        request_params=dict(step.request_params),
        retries=step.retries,
        retry_interval_s=parse_duration_s(step.retry_interval_text),
        timeout_s=parse_duration_s(step.timeout_text),
    )
