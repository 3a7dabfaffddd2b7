"""Admin pages of routes. Every change goes through routes.services, so that it reaches traffic."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import StackedInline

from gateway_project.admin_pages.columns import GOOD, INFO, labels, text_block, time_column
from gateway_project.admin_pages.formats import NOTHING, whole
from gateway_project.admin_pages.proxy_address import proxy_url
from gateway_project.admin_pages.service_forms import ServiceAdmin
from routes import services
from routes.admin_filters import CachingFilter, OperationFilter, StepProviderFilter
from routes.admin_forms import PARAMS, RouteForm, StepForm, StepFormSet, param_field
from routes.models import Route, RouteStep
from routes.queries import keys_lacking_settings
from routes.rules import MAX_STEPS

_STEPS_SHOWN = 5
# Shown to those who may look but not change.
_SHOWN = (
    *("name", "path", "shown_operation", "shown_keys", "shown_strategy", "deadline_text", "shown_caching"),
    *("id", "shown_created", "shown_updated"),
)
_ABOUT = ("id", "shown_operation", "shown_created", "shown_updated")
_SHOWN_STEP = (
    *("provider", "model", "shown_params", "retries", "retry_interval_text", "timeout_text", "shown_request_params"),
)


class StepInline(StackedInline):
    """The steps of a route, in order. Who may change the route may change its steps."""

    model = RouteStep
    form = StepForm
    formset = StepFormSet
    verbose_name = "step"
    max_num = MAX_STEPS
    ordering = ["position"]
    ordering_field = "position"

    def get_extra(self, request: HttpRequest, obj: Route | None = None, **kwargs: Any) -> int:
        return 1 if obj is None else 0

    def get_fieldsets(self, request: HttpRequest, obj: Route | None = None) -> Any:
        if not self.has_change_permission(request, obj):
            return [(None, {"fields": list(_SHOWN_STEP)})]
        fields = [
            ("provider", "model"),
            tuple(map(param_field, PARAMS)),
            ("retries", "retry_interval_text", "timeout_text"),
            "request_params",
            "position",
        ]
        return [(None, {"fields": fields})]

    def get_readonly_fields(self, request: HttpRequest, obj: Route | None = None) -> tuple[str, ...]:
        return () if self.has_change_permission(request, obj) else _SHOWN_STEP

    @admin.display(description="parameters")
    def shown_params(self, step: RouteStep) -> SafeString | str:
        return labels([f"{name}: {value}" for name, value in step.params.items()])

    @admin.display(description="request parameters")
    def shown_request_params(self, step: RouteStep) -> SafeString | str:
        return text_block(str(step.request_params) if step.request_params else None)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # Django asks for the route's own permission first.

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("routes.add_route" if obj is None else "routes.change_route")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)


@admin.register(Route)
class RouteAdmin(ServiceAdmin):
    """Routes: paths that are answered by several providers in turn."""

    form = RouteForm
    inlines = [StepInline]
    list_display = [
        *("shown_name", "shown_operation", "shown_steps", "key_number", "shown_caching"),
        time_column("updated_at", "last change"),
    ]
    list_filter = [OperationFilter, StepProviderFilter, CachingFilter]
    list_filter_submit = True
    list_disable_select_all = True
    list_per_page = 50
    ordering = ["-created_at"]
    search_fields = ["name", "path", "steps__model", "id"]
    search_help_text = "Name, path, model of a step, or id"
    actions = ["purge_caches"]

    # Lists

    def get_queryset(self, request: HttpRequest) -> QuerySet[Route]:
        rows: QuerySet[Route] = super().get_queryset(request)
        return rows.annotate(key_count=Count("key_links", distinct=True)).prefetch_related("steps")

    @admin.display(description="route", ordering="name")
    def shown_name(self, route: Route) -> SafeString:
        return format_html(
            '<span class="gh-strong">{}</span><br><span class="gh-quiet gh-mono">{}</span>', route.name, route.path
        )

    @admin.display(description="format", ordering="operation")
    def shown_operation(self, route: Route) -> str:
        return route.get_operation_display()

    @admin.display(description="steps")
    def shown_steps(self, route: Route) -> SafeString | str:
        texts = [f"{step.provider} {step.model}" for step in route.steps.all()]
        more = len(texts) - _STEPS_SHOWN
        return labels([*texts[:_STEPS_SHOWN], *([f"{more} more"] if more > 0 else [])])

    @admin.display(description="keys", ordering="key_count")
    def key_number(self, route: Route) -> str:
        return whole(route.key_count) if route.key_count else "nobody"  # type: ignore[attr-defined]

    @admin.display(description="caching", ordering="cache_enabled")
    def shown_caching(self, route: Route) -> SafeString | str:
        if not route.cache_enabled:
            return NOTHING
        return labels({route.cache_ttl_text: GOOD, **({"asks once": INFO} if route.cache_single_flight else {})})

    # Forms

    def get_fieldsets(self, request: HttpRequest, obj: Route | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": list(_SHOWN)})]
        about = [("About", {"fields": list(_ABOUT)})] if obj else []
        return [
            (None, {"fields": ["name", "path", "key_ids", "request_format"]}),
            ("Attempts", {"fields": [("retry_strategy", "deadline_text")]}),
            ("Caching", {"fields": ["cache_enabled", ("cache_ttl_text", "cache_single_flight")]}),
            *about,
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Route | None = None) -> tuple[str, ...]:
        if obj is not None and not self.has_change_permission(request, obj):
            return _SHOWN
        return _ABOUT

    @admin.display(description="keys")
    def shown_keys(self, route: Route) -> SafeString | str:
        return labels([str(link.key) for link in route.key_links.select_related("key")])

    @admin.display(description="waits between attempts")
    def shown_strategy(self, route: Route) -> str:
        return route.retry_strategy or "constant"

    shown_created = staticmethod(time_column("created_at"))
    shown_updated = staticmethod(time_column("updated_at", "last change"))

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Route:
        """Hand the form over to the steps' formset, which makes the change."""
        route: Route = super().save_form(request, form, change)
        route.route_form = form  # type: ignore[attr-defined]
        return route

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        route = kwargs.get("obj")
        if route is not None:
            context["route_address"] = f"{proxy_url(request)}/api/routes{route.path}"
            context["lacking"] = keys_lacking_settings(route)
            context["may_purge"] = route.cache_enabled and self.has_change_permission(request, route)
        return super().render_change_form(request, context, *args, **kwargs)

    def delete_model(self, request: HttpRequest, obj: Route) -> None:
        services.delete_route(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Route]) -> None:
        for route_id in queryset.values_list("pk", flat=True):
            services.delete_route(route_id)

    def get_deleted_objects(self, objs: Sequence[Route], request: HttpRequest) -> Any:
        """The routes alone: their steps and links say nothing to anybody, and their events stay."""
        return [str(route) for route in objs], {"routes": len(objs)}, set(), []

    # Purging

    def get_urls(self) -> list[URLPattern]:
        purge = self.admin_site.admin_view(self.purge_view)
        return [path("<path:object_id>/purge/", purge, name="routes_route_purge"), *super().get_urls()]

    def purge_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Purge the cache of one route. Only for POST: a link must not change anything."""
        route = self.get_object(request, unquote(object_id))
        if not self.has_change_permission(request, route):
            raise PermissionDenied
        if route is None:
            raise Http404("There is no such route.")
        if request.method == "POST":
            self._purge(request, [route])
        return HttpResponseRedirect(reverse("admin:routes_route_change", args=[route.pk]))

    @admin.action(description="Purge the cache of the selected routes", permissions=["change"])
    def purge_caches(self, request: HttpRequest, queryset: QuerySet[Route]) -> None:
        self._purge(request, list(queryset))

    def _purge(self, request: HttpRequest, routes: Sequence[Route]) -> None:
        for route in routes:
            services.purge_cache(route.pk)
            self.log_change(request, route, "Purged the cache.")
        which = f"of “{routes[0].name}”" if len(routes) == 1 else f"of {len(routes)} routes"
        self.message_user(
            request, f"The cache {which} was purged: old answers are gone within a second.", messages.SUCCESS
        )
