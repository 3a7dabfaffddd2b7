"""What the lists of settings and prices can be narrowed by."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RadioFilter

from gateway_project.admin_pages.filters import ChoiceFilter, ConditionFilter
from gateway_project.shared import clock
from providers.kinds import provider_names
from providers.models import ModelPrice


class ProviderFilter(ChoiceFilter):
    """By provider."""

    title = "provider"
    parameter_name = "provider"
    column = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return provider_names()


class SourceFilter(RadioFilter):
    """Whose price it is."""

    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(title)) for value, title in ModelPrice.Source.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ModelPrice]) -> QuerySet[ModelPrice]:
        return queryset.filter(source=self.value()) if self.value() else queryset


class ValidFilter(ConditionFilter):
    """Whether a price holds now."""

    title = "validity"
    parameter_name = "valid"
    options = (("now", "Holds now"), ("later", "Begins later"), ("past", "Has ended"))

    def conditions(self) -> dict[str, Q]:
        now = clock.now()
        begun, ended = Q(valid_from__lte=now), Q(valid_until__isnull=False, valid_until__lte=now)
        return {"now": begun & ~ended, "later": ~begun, "past": ended}
