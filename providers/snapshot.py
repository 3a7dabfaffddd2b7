"""Rows to the records that the request path reads."""

from collections.abc import Mapping
from dataclasses import fields, replace

import structlog
from django.db.models import Q

from gateway_project.shared import clock
from gateway_project.shared.problems import ValidationFailed
from providers.catalog import ProviderKind
from providers.custom_queries import TEXTS, list_custom_providers
from providers.destinations import base_url, base_urls
from providers.kinds import all_kinds, lacks_secret
from providers.models import CustomProvider, CustomRoute, ModelPrice, ProviderSetting
from providers.records import CustomProviderRecord, CustomRouteRecord, PriceRecord, ProviderRecord
from providers.rules import cost_map_of
from providers.sealing import SealBroken
from providers.services import secrets_of

log = structlog.get_logger("providers")

_COLUMNS = tuple(each.name for each in fields(PriceRecord) if each.name != "tiers")


def load_settings() -> dict[str, ProviderRecord]:
    """Settings by id, with their secrets in clear. One whose secrets cannot be opened is left out and logged."""
    records: dict[str, ProviderRecord] = {}
    kinds = all_kinds()
    for row in ProviderSetting.objects.all():
        try:
            records[str(row.pk)] = _record(row, kinds[row.provider])
        except (SealBroken, ValidationFailed, KeyError) as error:
            # One damaged setting must not take the others down with it.
            log.error("provider_setting_left_out", setting_id=str(row.pk), name=row.name, reason=str(error))
    return records


def load_custom_providers() -> dict[str, CustomProviderRecord]:
    """Providers that operators described, by name."""
    return {row.provider: _custom_record(row) for row in list_custom_providers()}


def load_prices(at: int | None = None) -> dict[tuple[str, str], PriceRecord]:
    """Prices valid at a unix second (None: now) by (provider, model). An operator's comes before the lists'."""
    at = clock.now() if at is None else at
    valid = Q(valid_from__lte=at) & (Q(valid_until__isnull=True) | Q(valid_until__gt=at))
    rows = ModelPrice.objects.filter(valid).values(*_COLUMNS, "tiers", "source", "valid_from")
    # Later rows replace earlier ones: lists first, then by date.
    ordered = sorted(rows, key=lambda row: (row["source"] == ModelPrice.Source.OPERATOR, row["valid_from"]))
    return {(row["provider"], row["model"]): _price(row) for row in ordered}


def _record(row: ProviderSetting, kind: ProviderKind) -> ProviderRecord:
    secrets = secrets_of(row, kind)
    if lacks_secret(kind, secrets):
        raise SealBroken(f"the secret for {kind.name} must be entered again")
    return ProviderRecord(
        id=str(row.pk),
        provider=row.provider,
        name=row.name,
        base_url=base_url(kind, row.parameters),
        base_urls=urls if len(urls := base_urls(kind, row.parameters)) > 1 else (),
        secrets=secrets,
        parameters=dict(row.parameters),
        allowed_models=frozenset(row.allowed_models),
        cost_map=cost_map_of(row.cost_map),
        stream_usage=row.stream_usage,
        priority=row.priority,
        weight=row.weight,
    )


def _custom_record(row: CustomProvider) -> CustomProviderRecord:
    return CustomProviderRecord(
        id=str(row.pk),
        name=row.provider,
        authentication_param=row.authentication_param,
        routes={route.path: _route_record(route) for route in row.routes.all()},
    )


def _route_record(row: CustomRoute) -> CustomRouteRecord:
    return CustomRouteRecord(
        methods=frozenset(row.methods),
        stream_max_empty_messages=row.stream_max_empty_messages,
        **{name: getattr(row, name) for name in TEXTS},
    )


def _price(row: Mapping[str, object]) -> PriceRecord:
    plain = PriceRecord(**{name: row[name] for name in _COLUMNS})  # type: ignore[arg-type]
    tiers = row["tiers"]
    if not isinstance(tiers, dict) or not tiers:
        return plain
    return replace(plain, tiers={tier: replace(plain, **prices) for tier, prices in tiers.items()})
