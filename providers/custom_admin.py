"""Admin pages of custom providers. Every change goes through custom_services, so that it reaches traffic."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import StackedInline

from gateway_project.admin_pages.columns import labels, link, time_column
from gateway_project.admin_pages.formats import NOTHING, whole
from gateway_project.admin_pages.service_forms import ServiceAdmin
from providers import custom_services
from providers.custom_admin_forms import CustomProviderForm, RouteConfigForm, RouteConfigFormSet
from providers.custom_rules import LOCATIONS, MAX_ROUTES
from providers.models import CustomProvider, CustomRoute, ProviderSetting

_PATHS_SHOWN = 5
_ABOUT = ("id", "shown_created", "shown_updated")
_SHOWN_ROUTE = (
    *("path", "target_url", "shown_methods", *LOCATIONS),
    *("stream_end_word", "stream_max_empty_messages"),
)


class CustomRouteInline(StackedInline):
    """The paths of a provider. Who may change the provider may change its paths."""

    model = CustomRoute
    form = RouteConfigForm
    formset = RouteConfigFormSet
    verbose_name = "path"
    max_num = MAX_ROUTES
    ordering = ["position"]

    def get_extra(self, request: HttpRequest, obj: CustomProvider | None = None, **kwargs: Any) -> int:
        return 1 if obj is None else 0

    def get_fieldsets(self, request: HttpRequest, obj: CustomProvider | None = None) -> Any:
        if not self.has_change_permission(request, obj):
            return [(None, {"fields": list(_SHOWN_ROUTE)})]
        return [
            (
                None,
                {
                    "fields": [
                        ("path", "target_url"),
                        "methods",
                        ("model_location", "request_prompt_location"),
                        ("response_completion_location", "max_tokens_location"),
                        ("stream_location", "stream_response_completion_location"),
                        ("stream_end_word", "stream_max_empty_messages"),
                    ]
                },
            )
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: CustomProvider | None = None) -> tuple[str, ...]:
        return () if self.has_change_permission(request, obj) else _SHOWN_ROUTE

    @admin.display(description="methods")
    def shown_methods(self, route: CustomRoute) -> SafeString | str:
        return labels([str(method) for method in route.methods])

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # Django asks for the provider's own permission first.

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(f"providers.{'add' if obj is None else 'change'}_customprovider")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)


class CustomProviderAdmin(ServiceAdmin):
    """Providers that operators describe: paths, and where their JSON holds what counts."""

    form = CustomProviderForm
    inlines = [CustomRouteInline]
    list_display = ["provider", "shown_paths", "shown_parameter", "settings", time_column("updated_at", "last change")]
    list_disable_select_all = True
    ordering = ["provider"]
    search_fields = ["provider", "routes__path", "routes__target_url", "id"]
    search_help_text = "Name, path, target or id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[CustomProvider]:
        rows: QuerySet[CustomProvider] = super().get_queryset(request)
        stored = ProviderSetting.objects.filter(provider=OuterRef("provider")).order_by().values("provider")
        count = Subquery(stored.annotate(count=Count("pk")).values("count"))
        return rows.annotate(setting_count=Coalesce(count, 0)).prefetch_related("routes")

    @admin.display(description="paths")
    def shown_paths(self, row: CustomProvider) -> SafeString | str:
        paths = [route.path for route in row.routes.all()]
        more = len(paths) - _PATHS_SHOWN
        return labels([*paths[:_PATHS_SHOWN], *([f"{more} more"] if more > 0 else [])])

    @admin.display(description="sent as bearer", ordering="authentication_param")
    def shown_parameter(self, row: CustomProvider) -> str:
        return row.authentication_param or NOTHING

    @admin.display(description="settings", ordering="setting_count")
    def settings(self, row: CustomProvider) -> SafeString | str:
        count = row.setting_count  # type: ignore[attr-defined]
        listed = f"{reverse('admin:providers_providersetting_changelist')}?provider={row.provider}"
        return link(listed, whole(count)) if count else "none"

    shown_created = staticmethod(time_column("created_at"))
    shown_updated = staticmethod(time_column("updated_at", "last change"))

    def get_fieldsets(self, request: HttpRequest, obj: CustomProvider | None = None) -> Any:
        about = [("About", {"fields": [*_ABOUT, "settings"]})] if obj else []
        description = (
            "Secrets are sealed for the hosts of all target URLs: when a path leads to a further host, those of the "
            "provider's settings have to be entered again."
        )
        return [(None, {"fields": ["provider", "authentication_param"], "description": description}), *about]

    def get_readonly_fields(self, request: HttpRequest, obj: CustomProvider | None = None) -> tuple[str, ...]:
        if obj is not None and not self.has_change_permission(request, obj):
            return ("provider", "authentication_param", *_ABOUT, "settings")
        return (*_ABOUT, "settings")

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> CustomProvider:
        """Hand the form over to the paths' formset, which makes the change."""
        row: CustomProvider = super().save_form(request, form, change)
        row.provider_form = form  # type: ignore[attr-defined]
        return row

    def delete_model(self, request: HttpRequest, obj: CustomProvider) -> None:
        custom_services.delete_custom_provider(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CustomProvider]) -> None:
        for provider_id in queryset.values_list("pk", flat=True):
            custom_services.delete_custom_provider(provider_id)

    def get_deleted_objects(self, objs: Sequence[CustomProvider], request: HttpRequest) -> Any:
        """One that settings are stored for is not deleted: their secrets would belong to nobody."""
        names = [row.provider for row in objs]
        used = ProviderSetting.objects.filter(provider__in=names).order_by().values_list("provider", flat=True)
        protected = [f"{name} is used by provider settings: delete them first" for name in sorted(set(used))]
        return names, {"custom providers": len(objs)}, set(), protected
