"""Admin pages of what happened and what it cost. Nobody changes history: all of them only show."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from gateway_project.admin_pages import formats
from gateway_project.admin_pages.columns import (
    BAD,
    GOOD,
    PLAIN,
    WARN,
    count_column,
    label,
    labels,
    text_field,
    time_column,
    unbroken,
    usd_column,
)
from gateway_project.admin_pages.read_only import ReadOnlyAdmin
from providers.admin_filters import ProviderFilter
from reporting.admin_events import KeyedAdmin, PeriodAdmin, UsageEventAdmin
from reporting.admin_filters import (
    DayPeriodFilter,
    HourPeriodFilter,
    KeyFilter,
    SumsModelFilter,
    WindowFilter,
)
from reporting.aggregation import LATENCY_COLUMNS, percentile_ms
from reporting.models import DailyUsage, HourlyUsage, KeySpend, RejectedRecord, SpoolCursor, UsageEvent

admin.site.register(UsageEvent, UsageEventAdmin)
_CLASSES = {"2xx": GOOD, "4xx": WARN, "5xx": BAD}


@admin.register(KeySpend)
class KeySpendAdmin(KeyedAdmin):
    """The ledger: what each key has used in each window. Limits are rebuilt from it after a restart."""

    began = time_column("start_at", "began")
    list_display = ["key", "window", began, count_column("requests"), usd_column("cost_nano")]
    list_filter = [WindowFilter, KeyFilter]
    ordering = ["-pk"]
    search_fields = ["key_id"]
    search_help_text = "Key id"
    fields = ["key", "window", began, "epoch", count_column("requests"), usd_column("cost_nano")]

    @admin.display(description="window")
    def window(self, row: KeySpend) -> str:
        names = {"s": "second", "m": "minute", "h": "hour", "d": "day", "mo": "month"}
        return names.get(row.unit, row.unit)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return _of_key(queryset, search_term), False


class UsageSumsAdmin(PeriodAdmin):
    """Sums of events. The columns of both roll-ups."""

    search_fields = ["model"]
    search_help_text = "The whole name of a model, or a key id"
    list_fullwidth = True
    places = ("key", "shown_model", "shown_class")
    figures = (*(count_column("requests"), "troubles", "tokens", usd_column("cost_nano"), "percentiles"),)
    more = (
        "provider",
        *(count_column("admitted"), count_column("successes"), count_column("refused"), count_column("errors")),
        *(count_column("prompt_tokens", "input tokens"), count_column("completion_tokens", "output tokens")),
        count_column("cached_tokens"),
        *(count_column("reasoning_tokens"), "histogram", time_column("updated_at", "updated")),
    )

    @admin.display(description="model")
    def shown_model(self, row: Any) -> str:
        return unbroken(row.model or formats.NOTHING)

    @admin.display(description="status")
    def shown_class(self, row: Any) -> SafeString:
        return label(row.status_class, _CLASSES.get(row.status_class, PLAIN))

    @admin.display(description="refused / errors")
    def troubles(self, row: Any) -> str:
        return f"{formats.whole(row.refused)} / {formats.whole(row.errors)}"

    @admin.display(description="tokens in / out")
    def tokens(self, row: Any) -> str:
        return f"{formats.whole(row.prompt_tokens)} / {formats.whole(row.completion_tokens)}"

    @admin.display(description="latency p50 / p95")
    def percentiles(self, row: Any) -> str:
        counts = [getattr(row, name) for name in LATENCY_COLUMNS]
        return " / ".join(formats.milliseconds(percentile_ms(counts, share)) for share in (0.5, 0.95))

    @admin.display(description="latency histogram")
    def histogram(self, row: Any) -> SafeString | str:
        counts = {name.removeprefix("latency_"): getattr(row, name) for name in LATENCY_COLUMNS}
        return labels([f"{_bound(name)}: {count:,}" for name, count in counts.items() if count])

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        try:
            return _of_key(queryset, str(UUID(term))), False
        except ValueError:  # not a key: a model
            return (queryset.filter(model=term) if term else queryset), False


def _bound(name: str) -> str:
    return f"up to {formats.milliseconds(int(name[3:]))}" if name.startswith("le_") else "slower"


def _of_key(queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
    if not term.strip():
        return queryset
    try:
        return queryset.filter(key_id=UUID(term.strip()))
    except ValueError:  # no id of a key
        return queryset.none()


@admin.register(HourlyUsage)
class HourlyUsageAdmin(UsageSumsAdmin):
    """What each key used per hour, model, provider and status class."""

    began = time_column("hour_at", "hour")
    list_display = [began, *UsageSumsAdmin.places, *UsageSumsAdmin.figures]
    fields = [*list_display, *UsageSumsAdmin.more]
    list_filter = [HourPeriodFilter, KeyFilter, SumsModelFilter, ProviderFilter]
    ordering = ["-hour_at"]


@admin.register(DailyUsage)
class DailyUsageAdmin(UsageSumsAdmin):
    """What each key used per day (UTC): the hours, summed some minutes later, and kept for longer."""

    began = time_column("day_at", "day")
    list_display = [began, *UsageSumsAdmin.places, *UsageSumsAdmin.figures]
    fields = [*list_display, *UsageSumsAdmin.more]
    list_filter = [DayPeriodFilter, KeyFilter, SumsModelFilter, ProviderFilter]
    ordering = ["-day_at"]


@admin.register(SpoolCursor)
class SpoolCursorAdmin(ReadOnlyAdmin):
    """How far each proxy process's spool is booked."""

    list_display = ["spool", "host", count_column("position"), time_column("updated_at"), time_column("closed_at")]
    fields = ["spool", "host", count_column("position"), time_column("updated_at"), time_column("closed_at")]
    ordering = ["-updated_at"]
    search_fields = ["spool", "host"]
    search_help_text = "Spool or machine"


@admin.register(RejectedRecord)
class RejectedRecordAdmin(ReadOnlyAdmin):
    """Spool records that could not become events. There should be none; each is kept whole."""

    list_display = ["pk", time_column("created_at", "rejected"), "spool", "reason"]
    fields = [time_column("created_at", "rejected"), "spool", "end", "reason", text_field("payload")]
    ordering = ["-created_at"]
    search_fields = ["spool", "reason"]
    search_help_text = "Spool or reason"
