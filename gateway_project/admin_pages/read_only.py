"""Admin pages of what the gateway writes itself: to be looked at, never changed by hand."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import flatten_fieldsets
from django.http import HttpRequest
from unfold.admin import ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Lists and shows; nobody adds, changes or deletes. Whom it may be shown to, the view permission says."""

    actions: Sequence[str] | None = None
    list_filter_submit = True
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # they count the table once for every choice of every filter

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Without a history: nobody can have changed it here."""
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), "show_history": False})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[Any, ...]:
        return tuple(flatten_fieldsets(self.get_fieldsets(request, obj)))
