"""Who changes custom providers: one function per verb, each journals its change."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from gateway_project.changes import record_change
from gateway_project.shared import clock
from gateway_project.shared.problems import Conflict
from providers import custom_rules as rules
from providers.custom_queries import not_found, route_config, sorted_methods
from providers.kinds import custom_kind, kind_of
from providers.models import CustomProvider, CustomRoute, ProviderSetting
from providers.records import CustomRouteRecord
from providers.sealing import SealBroken
from providers.services import seal_again, secrets_of

log = structlog.get_logger("providers")


class CustomProviderExists(Conflict):
    default_code = "custom_provider_exists"
    title = "custom provider exists"


class CustomProviderInUse(Conflict):
    default_code = "custom_provider_in_use"
    title = "custom provider is in use"


def create_custom_provider(*, provider: Any, route_configs: Any, authentication_param: Any = "") -> CustomProvider:
    """Describe a provider. Raises CustomProviderInvalid and CustomProviderExists."""
    if provider:
        provider = rules.check_name(provider)
    parameter = rules.check_parameter(authentication_param)
    rules.check_required(provider, route_configs)
    routes = rules.check_routes(route_configs)
    now = clock.now()
    row = CustomProvider(provider=provider, authentication_param=parameter, created_at=now, updated_at=now)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _store(row, routes)
            record_change(snapshot=True)
    except IntegrityError as error:
        raise CustomProviderExists(f"provider must be unique: there is a custom provider {provider}") from error
    return _fresh(row)


def update_custom_provider(
    provider_id: UUID | str, *, route_configs: Any = None, authentication_param: Any = None, replace: bool = False
) -> CustomProvider:
    """Change what is given; route configs are merged by path, or with `replace` take the place of all.

    Secrets entered for other origins are taken from the provider's settings, which cannot be used until they are
    entered again. Raises CustomProviderNotFound and CustomProviderInvalid.
    """
    with transaction.atomic():
        row = _locked(provider_id)
        routes = None
        if route_configs is not None:
            stored = [route_config(route) for route in row.routes.all()]
            routes = rules.check_routes(route_configs) if replace else rules.merged(stored, route_configs)
        if authentication_param is not None:
            row.authentication_param = rules.check_parameter(authentication_param)
        row.updated_at = clock.now()
        row.save()
        if routes is not None:
            _move_secrets(row, routes)
        record_change(snapshot=True)
    return _fresh(row)


def delete_custom_provider(provider_id: UUID | str) -> None:
    """Raises CustomProviderNotFound, and CustomProviderInUse while settings are stored for it."""
    with transaction.atomic():
        row = _locked(provider_id)
        settings = list(ProviderSetting.objects.filter(provider=row.provider)[:4])
        if settings:
            names = ", ".join(setting.name or str(setting.pk) for setting in settings[:3])
            more = ", …" if len(settings) > 3 else ""
            raise CustomProviderInUse(
                f"custom provider {row.provider} is used by provider settings ({names}{more}): delete them first"
            )
        row.delete()
        record_change(snapshot=True)


def _move_secrets(row: CustomProvider, routes: Sequence[CustomRouteRecord]) -> None:
    """Store the routes. What was sealed for more origins than there are now is sealed for those; what was sealed
    for others is taken away: a secret never follows to where somebody else points a path later."""
    before = kind_of(row.provider)
    settings = list(ProviderSetting.objects.select_for_update().filter(provider=row.provider).order_by("pk"))
    opened = {}
    for setting in settings:
        try:
            opened[setting.pk] = secrets_of(setting, before)
        except SealBroken as error:
            log.error("secret_cannot_be_opened", setting_id=str(setting.pk), reason=str(error))
    _store(row, routes)
    after = custom_kind(_fresh(row))
    if after.origins == before.origins:
        return
    kept = set(after.origins) <= set(before.origins)
    for setting in settings:
        if setting.sealed_secrets:
            seal_again(setting, opened.get(setting.pk, {}) if kept else {}, after)
            setting.save(update_fields=["sealed_secrets"])
            if not kept:
                log.warning("secret_must_be_entered_again", setting_id=str(setting.pk), provider=row.provider)


def _store(row: CustomProvider, routes: Sequence[CustomRouteRecord]) -> None:
    """Make the stored routes those, in their order."""
    CustomRoute.objects.filter(custom_provider=row).delete()
    CustomRoute.objects.bulk_create(
        CustomRoute(custom_provider=row, position=position, **_columns(route)) for position, route in enumerate(routes)
    )


def _columns(route: CustomRouteRecord) -> dict[str, Any]:
    return asdict(route) | {"methods": sorted_methods(route.methods)}


def _locked(provider_id: UUID | str) -> CustomProvider:
    try:
        return CustomProvider.objects.select_for_update().get(pk=UUID(str(provider_id)))
    except (CustomProvider.DoesNotExist, ValueError) as error:
        raise not_found(provider_id) from error


def _fresh(row: CustomProvider) -> CustomProvider:
    return CustomProvider.objects.prefetch_related("routes").get(pk=row.pk)
