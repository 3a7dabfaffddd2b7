"""What the lists of events and sums can be narrowed by."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import TextFilter

from gateway_project.admin_pages.filters import ChoiceFilter, ConditionFilter, ExactFilter, PeriodFilter
from keys.queries import KeyFilter as WantedKeys
from keys.queries import find_keys

# A part of a name may fit every key; so many are looked for.
_KEYS_AT_MOST = 500
_STATUSES = {
    "2xx": Q(status__gte=200, status__lt=300),
    "4xx": Q(status__gte=400, status__lt=500),
    "5xx": Q(status__gte=500, status__lt=600),
    "error": ~Q(ending="refused") & (Q(status__gte=400) | Q(ending="upstream_failed")),
}


class EventPeriodFilter(PeriodFilter):
    """When an event happened."""


class HourPeriodFilter(PeriodFilter):
    """Hours that began in a period."""

    column = "hour_at"
    default = "7d"


class DayPeriodFilter(PeriodFilter):
    """Days that began in a period."""

    column = "day_at"
    default = "30d"
    presets: ClassVar[dict[str, tuple[str, int | None]]] = {
        "7d": ("Last 7 days", 7 * 86_400),
        "30d": ("Last 30 days", 30 * 86_400),
        "365d": ("Last 365 days", 365 * 86_400),
        "any": ("Any time", None),
    }


class KeyFilter(TextFilter):
    """Rows of one key by its id, or of the keys whose name holds a text."""

    title = "key (id or name)"
    parameter_name = "key"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        text = (self.value() or "").strip()
        if not text:
            return queryset
        try:
            return queryset.filter(key_id=UUID(text))
        except ValueError:  # a name; names are not unique
            named = find_keys(WantedKeys(name=text)).prefetch_related(None).values_list("pk", flat=True)
            return queryset.filter(key_id__in=list(named[:_KEYS_AT_MOST]))


class StatusFilter(ConditionFilter):
    """By the class of the status, or what was wrong."""

    title = "status"
    parameter_name = "status"
    options = (("2xx", "2xx"), ("4xx", "4xx"), ("5xx", "5xx"), ("error", "Any error but refusals"))

    def conditions(self) -> dict[str, Q]:
        return _STATUSES


class EndingFilter(ChoiceFilter):
    """How a request ended."""

    title = "ending"
    parameter_name = "ending"
    column = "ending"
    options = (
        ("completed", "Completed"),
        ("refused", "Refused by the gateway"),
        ("client_left", "The client left"),
        ("upstream_failed", "The provider failed"),
        ("cut", "Cut at a limit"),
    )


class PriceFilter(ChoiceFilter):
    """Whether the cost is known."""

    title = "price"
    parameter_name = "price"
    column = "price_status"
    options = (("priced", "Priced"), ("unpriced", "Unpriced: the cost is unknown"), ("free", "Free"))


class EventModelFilter(ExactFilter):
    """By the model that was asked for."""

    title = "model asked for"
    parameter_name = "model"
    column = "request_model"


class SumsModelFilter(ExactFilter):
    """By model."""

    title = "model"
    parameter_name = "model"
    column = "model"


class WindowFilter(ChoiceFilter):
    """By the kind of window."""

    title = "window"
    parameter_name = "unit"
    column = "unit"
    options = (("total", "Total"), ("s", "Second"), ("m", "Minute"), ("h", "Hour"), ("d", "Day"), ("mo", "Month"))
