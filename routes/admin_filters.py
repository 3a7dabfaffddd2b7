"""What the list of routes can be narrowed by."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from gateway_project.admin_pages.filters import ChoiceFilter, ConditionFilter
from routes.admin_forms import step_provider_choices
from routes.models import Operation, Route, RouteStep


class OperationFilter(ChoiceFilter):
    """By what is asked of the steps."""

    title = "format"
    parameter_name = "operation"
    column = "operation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(title)) for value, title in Operation.choices]


class StepProviderFilter(ChoiceFilter):
    """By a provider of any of the steps."""

    title = "provider"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return step_provider_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Route]) -> QuerySet[Route]:
        if not self.value():
            return queryset
        return queryset.filter(Exists(RouteStep.objects.filter(route_id=OuterRef("pk"), provider=self.value())))


class CachingFilter(ConditionFilter):
    """Whether answers are kept."""

    title = "caching"
    parameter_name = "caching"
    options = (("on", "Keeps answers"), ("off", "Keeps none"))

    def conditions(self) -> dict[str, Q]:
        return {"on": Q(cache_enabled=True), "off": Q(cache_enabled=False)}
