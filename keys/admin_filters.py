"""What the list of keys can be narrowed by."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from gateway_project.admin_pages.filters import ConditionFilter
from gateway_project.shared import clock
from keys.models import Key, KeySetting
from providers.queries import setting_names


class StateFilter(ConditionFilter):
    """Active, revoked or expired, as the proxy sees it: a ttl ends by the clock, before anybody marks the key."""

    title = "state"
    parameter_name = "state"
    options = (("active", "Active"), ("revoked", "Revoked"), ("expired", "Expired"))

    def conditions(self) -> dict[str, Q]:
        past = Q(expires_at__isnull=False, expires_at__lte=clock.now())
        return {"active": Q(revoked=False) & ~past, "revoked": Q(revoked=True) & ~past, "expired": past}


class LimitFilter(ConditionFilter):
    """What kind of limit a key has."""

    title = "limit"
    parameter_name = "limit"
    options = (("cost", "On spend"), ("requests", "On requests"), ("ttl", "On time"), ("none", "None at all"))

    def conditions(self) -> dict[str, Q]:
        cost = Q(cost_limit_nano__isnull=False) | Q(cost_window_limit_nano__isnull=False)
        requests, ttl = Q(request_limit__isnull=False), Q(expires_at__isnull=False)
        return {"cost": cost, "requests": requests, "ttl": ttl, "none": ~(cost | requests | ttl)}


class SettingFilter(DropdownFilter):
    """Keys that may use a provider setting."""

    title = "provider setting"
    parameter_name = "setting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(setting_names().items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> QuerySet[Key]:
        value = self.value()
        if not value:
            return queryset
        try:
            links = KeySetting.objects.filter(setting_id=UUID(value))
        except ValueError:  # typed into the address: no such setting
            return queryset.none()
        return queryset.filter(pk__in=links.values("key_id"))


class TagFilter(TextFilter):
    """Keys that carry exactly this tag."""

    title = "tag"
    parameter_name = "tag"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> QuerySet[Key]:
        value = (self.value() or "").strip()
        return queryset.filter(tags__has_all=[value]) if value else queryset
