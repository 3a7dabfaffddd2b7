"""Admin pages of events, and what lists of rows of keys have in common."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from gateway_project.admin_pages import formats
from gateway_project.admin_pages.columns import (
    BAD,
    GOOD,
    INFO,
    WARN,
    label,
    labels,
    link,
    mono,
    text_field,
    unbroken,
)
from gateway_project.admin_pages.csv_export import MAX_ROWS, csv_response
from gateway_project.admin_pages.filters import PeriodFilter
from gateway_project.admin_pages.paging import UncountedChangeList, UncountedPaginator
from gateway_project.admin_pages.read_only import ReadOnlyAdmin
from keys.queries import key_names
from providers.admin_filters import ProviderFilter
from reporting.admin_filters import (
    EndingFilter,
    EventModelFilter,
    EventPeriodFilter,
    KeyFilter,
    PriceFilter,
    StatusFilter,
)
from reporting.aggregation import COMPLETION_COLUMNS, PROMPT_COLUMNS
from reporting.models import UsageEvent

_KINDS = (*PROMPT_COLUMNS, *COMPLETION_COLUMNS, "reasoning_tokens", "images", "seconds", "characters")
_ENDINGS = {"completed": GOOD, "refused": WARN, "client_left": INFO, "upstream_failed": BAD, "cut": WARN}
_PRICES = {"priced": GOOD, "unpriced": WARN}
# Ids of version 7 tell when they were made; a record may be a little older than its id or younger.
_ID_SLACK_S = 86_400


class KeyedChangeList(UncountedChangeList):
    """Rows that name a key by its id: one more query for a page gives them the names."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        name_keys(self.result_list)


def name_keys(rows: list[Any]) -> None:
    """Give each row key_name: the name of its key, or "" for one that was deleted."""
    names = key_names({row.key_id for row in rows})
    for row in rows:
        row.key_name = names.get(str(row.key_id), "")


class KeyedAdmin(ReadOnlyAdmin):
    """Tables that are never counted and whose rows belong to keys."""

    paginator = UncountedPaginator
    list_per_page = 50
    sortable_by: tuple[str, ...] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return KeyedChangeList

    @admin.display(description="key")
    def key(self, row: Any) -> SafeString | str:
        if not hasattr(row, "key_name"):
            name_keys([row])
        if not row.key_name:
            return mono(f"deleted {str(row.key_id)[:8]}")
        return link(reverse("admin:keys_key_change", args=[row.key_id]), row.key_name)


def by_period(changelist: Any) -> list[dict[str, Any]]:
    """The periods of a list as links."""
    periods = [spec for spec in changelist.filter_specs if isinstance(spec, PeriodFilter)]
    return periods[0].links(changelist) if periods else []


class PeriodAdmin(KeyedAdmin):
    """Lists of a period of time, with links to the usual ones."""

    list_before_template = "admin/reporting/period.html"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context:
            context["periods"] = by_period(context["cl"])
        return response


class UsageEventAdmin(PeriodAdmin):
    """One line per finished request of a known key."""

    list_display = [
        *("time", "key", "asked_model", "shown_status", "shown_ending", "tokens", "cost", "latency", "first_chunk"),
    ]
    list_filter = [
        *(EventPeriodFilter, StatusFilter, EndingFilter, ProviderFilter, EventModelFilter, KeyFilter, PriceFilter),
    ]
    ordering = ["-created_at"]
    search_fields = ["custom_id"]  # shows the box; get_search_results says what is searched
    search_help_text = "Event or request id, X-CUSTOM-EVENT-ID, or user id: the whole of it"
    actions = ["export_csv"]
    list_disable_select_all = True
    export_url = "admin:reporting_usageevent_export"
    fieldsets = [
        (
            "Request",
            {"fields": ["time", "key", "shown_tags", "shown_method", "shown_model", ("operation", "stream")]},
        ),
        ("Outcome", {"fields": [("shown_status", "shown_ending"), "error_code", ("attempts", "admitted"), "tried"]}),
        (
            "Tokens",
            {
                "fields": ["usage_source", ("shown_prompt", "shown_completion"), "usage"],
                "description": "Every token is in one kind; reasoning is a part of output.",
            },
        ),
        ("Money and time", {"fields": [("cost", "price"), ("latency", "upstream_latency"), "first_chunk"]}),
        (
            "Identity",
            {
                "fields": [
                    *("id", ("custom_id", "user_id"), "shown_setting", "upstream_request_id"),
                    *(("policy_id", "route_id"), "action", text_field("metadata")),
                ]
            },
        ),
        (
            "Bodies",
            {
                "fields": [text_field("request_body", "request"), text_field("response_body", "answer")],
                "description": "Stored only when the key says so.",
            },
        ),
    ]

    # Lists

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageEvent]:
        rows: QuerySet[UsageEvent] = super().get_queryset(request)
        match = request.resolver_match
        one = match is not None and "object_id" in match.kwargs
        # A list does not carry every prompt of its page through memory.
        return rows if one else rows.defer("request_body", "response_body", "metadata")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> UsageEvent | None:
        """By id alone every partition would be searched; the id tells which one it is."""
        try:
            wanted = _with_id(UUID(unquote(object_id)))
        except ValueError:  # no id of an event
            return None
        return self.get_queryset(request).filter(wanted).first()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UsageEvent], search_term: str
    ) -> tuple[QuerySet[UsageEvent], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        # The two conditions are what their partial indexes hold.
        found = Q(custom_id=term) & ~Q(custom_id="") | Q(user_id=term) & ~Q(user_id="")
        with suppress(ValueError):  # not an id of ours
            found |= _with_id(UUID(term))
        return queryset.filter(found), False

    # Columns

    @admin.display(description="time (UTC)")
    def time(self, row: UsageEvent) -> SafeString:
        return unbroken(formats.utc(row.created_at))

    @admin.display(description="model")
    def asked_model(self, row: UsageEvent) -> str:
        return row.request_model or row.operation or formats.NOTHING

    @admin.display(description="model")
    def shown_model(self, row: UsageEvent) -> str:
        answered = f", answered by {row.response_model}" if row.response_model not in ("", row.request_model) else ""
        return f"{row.request_model or formats.NOTHING}{answered} ({row.provider or 'no provider'})"

    @admin.display(description="status")
    def shown_status(self, row: UsageEvent) -> SafeString:
        return label(row.status, GOOD if row.status < 300 else BAD if row.status >= 500 else WARN)

    @admin.display(description="ending")
    def shown_ending(self, row: UsageEvent) -> SafeString:
        return label(row.ending.replace("_", " "), _ENDINGS.get(row.ending, INFO))

    @admin.display(description="tokens in / out")
    def tokens(self, row: UsageEvent) -> str:
        return f"{formats.whole(row.prompt_tokens)} / {formats.whole(row.completion_tokens)}"

    @admin.display(description="cost")
    def cost(self, row: UsageEvent) -> str:
        return "unknown" if row.price_status == "unpriced" else formats.usd(row.cost_nano)

    @admin.display(description="latency")
    def latency(self, row: UsageEvent) -> str:
        return formats.milliseconds(row.latency_ms)

    @admin.display(description="upstream latency")
    def upstream_latency(self, row: UsageEvent) -> str:
        return formats.milliseconds(row.upstream_latency_ms)

    @admin.display(description="first chunk")
    def first_chunk(self, row: UsageEvent) -> str:
        return formats.milliseconds(row.time_to_first_chunk_ms)

    @admin.display(description="price")
    def price(self, row: UsageEvent) -> SafeString:
        return label(row.price_status, _PRICES.get(row.price_status, INFO))

    @admin.display(description="tags")
    def shown_tags(self, row: UsageEvent) -> SafeString | str:
        return labels([str(tag) for tag in row.tags])

    @admin.display(description="call")
    def shown_method(self, row: UsageEvent) -> SafeString | str:
        return mono(f"{row.method} {row.path}")

    @admin.display(description="admitted", boolean=True)
    def admitted(self, row: UsageEvent) -> bool:
        return bool(row.requests)

    @admin.display(description="input tokens in all")
    def shown_prompt(self, row: UsageEvent) -> str:
        return formats.whole(row.prompt_tokens)

    @admin.display(description="output tokens in all")
    def shown_completion(self, row: UsageEvent) -> str:
        return formats.whole(row.completion_tokens)

    @admin.display(description="by kind")
    def usage(self, row: UsageEvent) -> SafeString | str:
        """What there was of each kind of token and of what else is paid for; kinds without any are left out."""
        amounts = {name.removesuffix("_tokens").replace("_", " "): getattr(row, name) for name in _KINDS}
        return labels([f"{name} {amount:,}" for name, amount in amounts.items() if amount])

    @admin.display(description="what the route tried")
    def tried(self, row: UsageEvent) -> SafeString | str:
        if not row.attempt_details:
            return formats.NOTHING
        return format_html_join("", "<div>{}</div>", ((_attempt_line(each),) for each in row.attempt_details))

    @admin.display(description="provider setting")
    def shown_setting(self, row: UsageEvent) -> SafeString | str:
        if not row.setting_id:
            return formats.NOTHING
        return link(reverse("admin:providers_providersetting_change", args=[row.setting_id]), row.setting_id)

    # Export

    def get_urls(self) -> list[URLPattern]:
        export_view = self.admin_site.admin_view(self.export_view)
        return [path("export/", export_view, name="reporting_usageevent_export"), *super().get_urls()]

    @admin.action(description="Export the selected events as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[UsageEvent]) -> HttpResponse:
        return export(queryset)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """The events that match the list's filters, the newest MAX_ROWS of them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return export(self.get_changelist_instance(request).queryset)


_EXPORTED = (
    *("id", "key_id", "method", "path", "status", "ending", "error_code", "operation", "provider", "request_model"),
    *("response_model", "stream", "prompt_tokens", "completion_tokens", "cache_read_tokens", "reasoning_tokens"),
    *("usage_source", "price_status", "latency_ms", "time_to_first_chunk_ms", "attempts", "custom_id", "user_id"),
)


def export(queryset: QuerySet[UsageEvent]) -> HttpResponse:
    """Events without their bodies."""
    rows = (
        (formats.utc(row.created_at), f"{row.cost_nano / 1e9:.9f}", *(getattr(row, name) for name in _EXPORTED))
        for row in queryset[:MAX_ROWS].iterator(chunk_size=2000)
    )
    return csv_response("events", ("time_utc", "cost_usd", *_EXPORTED), rows)


def _attempt_line(attempt: Mapping[str, Any]) -> str:
    """One attempt in words; members that are left out of the stored form are empty."""
    outcome = attempt.get("error_code") or attempt.get("status", 0)
    cost = "cost unknown" if attempt.get("price_status") == "unpriced" else formats.usd(attempt.get("cost_nano", 0))
    estimated = " (estimated)" if attempt.get("estimated") else ""
    took = formats.milliseconds(attempt.get("duration_ms", 0))
    return f"{attempt['provider']} {attempt['model']}: {outcome}, {took}, {cost}{estimated}"


def _with_id(event_id: UUID) -> Q:
    if event_id.version != 7:
        return Q(pk=event_id)
    made_at = (event_id.int >> 80) // 1000
    return Q(pk=event_id, created_at__gte=made_at - _ID_SLACK_S, created_at__lt=made_at + _ID_SLACK_S)
