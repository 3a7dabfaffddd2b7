"""Filters of admin lists that several apps use."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RadioFilter, TextFilter
from unfold.widgets import INPUT_CLASSES, UnfoldAdminSelectWidget

from gateway_project.shared import clock

ANY = "any"
_PARAMETERS = ("when", "from", "to")


class PeriodForm(forms.Form):
    """A preset, or times of one's own."""

    def __init__(self, presets: list[tuple[str, str]], data: dict[str, str]) -> None:
        super().__init__(data)
        times = {"type": "datetime-local", "class": " ".join(INPUT_CLASSES), "step": "1"}
        self.fields["when"] = forms.ChoiceField(
            required=False, label="Period", choices=presets, widget=UnfoldAdminSelectWidget
        )
        self.fields["from"] = forms.CharField(required=False, label="From (UTC)", widget=forms.TextInput(times))
        self.fields["to"] = forms.CharField(required=False, label="Before (UTC)", widget=forms.TextInput(times))


class PeriodFilter(ListFilter):
    """Rows of a period of time: a table of events is never read from end to end by accident.

    Times of one's own come before a preset; without either, and unless something is searched for, the default holds.
    """

    title = "period"
    template = "unfold/filters/filters_field.html"
    column: ClassVar[str] = "created_at"
    default: ClassVar[str] = "24h"
    # Names and titles; None as a length is no limit.
    presets: ClassVar[dict[str, tuple[str, int | None]]] = {
        "1h": ("Last hour", 3600),
        "24h": ("Last 24 hours", 86_400),
        "7d": ("Last 7 days", 7 * 86_400),
        "30d": ("Last 30 days", 30 * 86_400),
        ANY: ("Any time", None),
    }

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in _PARAMETERS:
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]
        self._searching = bool(request.GET.get("q", "").strip())

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(_PARAMETERS)

    @property
    def picked(self) -> str:
        """The preset that holds; "" when times of one's own do."""
        if self.used_parameters.get("from") or self.used_parameters.get("to"):
            return ""
        given = str(self.used_parameters.get("when", ""))
        return given if given in self.presets else ANY if self._searching else self.default

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.picked:
            length_s = self.presets[self.picked][1]
            return queryset if length_s is None else queryset.filter(**{f"{self.column}__gte": clock.now() - length_s})
        bounds = {"gte": self.used_parameters.get("from"), "lt": self.used_parameters.get("to")}
        return queryset.filter(**{f"{self.column}__{side}": _unix(str(text)) for side, text in bounds.items() if text})

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        shown = {name: str(value) for name, value in self.used_parameters.items()} | {"when": self.picked}
        presets = [("", "Times below"), *((name, title) for name, (title, _) in self.presets.items())]
        yield {"form": PeriodForm(presets, shown)}

    def links(self, changelist: Any) -> list[dict[str, Any]]:
        """The presets as links that keep the other filters."""
        return [
            {
                "title": title,
                "link": changelist.get_query_string({"when": name}, ["from", "to", "p"]),
                "active": name == self.picked,
            }
            for name, (title, _) in self.presets.items()
        ]


class ExactFilter(TextFilter):
    """Rows whose column is what was typed."""

    column: ClassVar[str]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        text = (self.value() or "").strip()
        return queryset.filter(**{self.column: text}) if text else queryset


class ChoiceFilter(DropdownFilter):
    """Rows whose column is the value that was picked."""

    column: ClassVar[str]
    options: ClassVar[tuple[tuple[str, str], ...]] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.options)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class ConditionFilter(RadioFilter):
    """Rows that meet the condition of the option that was picked; an unknown option keeps all."""

    options: ClassVar[tuple[tuple[str, str], ...]]

    def conditions(self) -> dict[str, Q]:
        """What each option asks of a row, now."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.options)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        condition = self.conditions().get(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)


def _unix(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError) as error:
        raise IncorrectLookupParameters(f"{text!r} is no time") from error
