"""Admin pages of keys. Every change goes through keys.services, so that it is journalled and reaches traffic."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.views import ChangeList

from gateway_project.admin_pages.columns import BAD, GOOD, WARN, label, labels, text_block, time_column
from gateway_project.admin_pages.csv_export import MAX_ROWS, csv_response
from gateway_project.admin_pages.formats import usd, usd_exact, utc, whole
from gateway_project.admin_pages.proxy_address import proxy_url
from gateway_project.admin_pages.service_forms import ServiceAdmin
from gateway_project.shared import clock
from keys import services
from keys.admin_filters import LimitFilter, SettingFilter, StateFilter, TagFilter
from keys.admin_forms import KeyForm, RevokeForm
from keys.models import CostUnit, Key, KeySetting, RateUnit
from keys.queries import revocation, spend_nano

ACTIVE, REVOKED, EXPIRED = "active", "revoked", "expired"
_COLOURS = {ACTIVE: GOOD, REVOKED: BAD, EXPIRED: WARN}
_KEYS_PER_QUERY = 500
# Shown to those who may look but not change.
_SHOWN = (
    *("name", "shown_tags", "shown_settings", "state", "limits", "spend", "shown_paths", "shown_switches"),
    *("id", "secret_hint", "shown_created", "shown_updated", "shown_expiry"),
)


def state_of(key: Key, at: int) -> str:
    """active, revoked or expired, as the proxy treats it at `at`."""
    if key.expires_at is not None and key.expires_at <= at:
        return EXPIRED
    return REVOKED if revocation(key, at)[0] else ACTIVE


def limit_texts(key: Key) -> list[str]:
    """The limits as people say them: "2 requests / minute", "$0.25 in total", "$5 / day"."""
    texts = []
    if key.request_limit is not None and key.request_window_unit:
        noun = "request" if key.request_limit == 1 else "requests"
        texts.append(f"{whole(key.request_limit)} {noun} / {RateUnit(key.request_window_unit).label}")
    if key.cost_limit_nano is not None:
        texts.append(f"{usd_exact(key.cost_limit_nano)} in total")
    if key.cost_window_limit_nano is not None and key.cost_window_unit:
        texts.append(f"{usd_exact(key.cost_window_limit_nano)} / {CostUnit(key.cost_window_unit).label}")
    return texts


class KeyChangeList(ChangeList):
    """Keys with what they have spent: one more query for a page, however many keys are on it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found: Iterable[Key] = self.result_list  # type: ignore[has-type]
        self.result_list = with_spend(found)


def with_spend(keys: Iterable[Key]) -> list[Key]:
    """The keys, each with spent_nano: None when nobody keeps books."""
    keys = list(keys)
    spent = spend_nano([str(key.pk) for key in keys])
    for key in keys:
        key.spent_nano = None if spent is None else spent.get(str(key.pk), 0)  # type: ignore[attr-defined]
    return keys


_LIMITS = [("request_limit", "request_window_unit"), ("cost_window_limit_nano", "cost_window_unit"), "cost_limit_nano"]
_ACCESS: list[tuple[str, dict[str, Any]]] = [
    ("Access", {"fields": ["allowed_paths", "rotation_enabled", "allow_unmetered"]}),
    ("Privacy", {"fields": ["should_log_request", "should_log_response"]}),
]


@admin.register(Key)
class KeyAdmin(ServiceAdmin):
    """Keys: who may call, with what limits. A secret is shown once, when its key is made."""

    form = KeyForm
    list_display = ["shown_name", "shown_tags", "shown_settings", "limits", "spend", "state", time_column("created_at")]
    list_filter = [StateFilter, LimitFilter, SettingFilter, TagFilter]
    list_filter_submit = True
    list_disable_select_all = True  # an action takes what can be seen; everything goes through the export
    list_before_template = "admin/keys/key/export.html"
    list_per_page = 50
    ordering = ["-created_at"]
    search_fields = ["name"]  # shows the box; get_search_results says what is searched
    search_help_text = "Name, whole tag, key id, or the hint of a secret"
    actions = ["revoke_keys", "restore_keys", "export_csv"]
    add_fieldsets = [
        (None, {"fields": ["name", "tags", "setting_ids"]}),
        ("Limits", {"fields": [*_LIMITS, "ttl_text"], "description": "Empty means no limit."}),
        *_ACCESS,
        ("Secret", {"fields": ["secret"]}),
    ]
    fieldsets = [
        (None, {"fields": ["name", "tags", "setting_ids"]}),
        (
            "Limits",
            {
                "fields": [*_LIMITS, "shown_expiry"],
                "description": "Empty means no limit. A window whose unit changes begins at zero.",
            },
        ),
        *_ACCESS,
        ("About", {"fields": ["id", "secret_hint", "shown_created", "shown_updated"]}),
    ]

    # Lists

    def get_queryset(self, request: HttpRequest) -> QuerySet[Key]:
        links = Prefetch("setting_links", KeySetting.objects.select_related("setting").order_by("position"))
        return super().get_queryset(request).prefetch_related(links)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeyChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Key], search_term: str
    ) -> tuple[QuerySet[Key], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:  # not an id: a name, a tag or a hint
            found = Q(name__icontains=term) | Q(tags__has_all=[term]) | Q(secret_hint=term)
            return queryset.filter(found), False

    # Columns and read-only fields

    @admin.display(description="name", ordering="name")
    def shown_name(self, key: Key) -> SafeString:
        return format_html(
            '<span class="gh-strong">{}</span><br><span class="gh-quiet gh-mono">{}</span>', key.name, key.secret_hint
        )

    @admin.display(description="tags")
    def shown_tags(self, key: Key) -> SafeString | str:
        return labels(key.tags)

    @admin.display(description="settings")
    def shown_settings(self, key: Key) -> SafeString | str:
        return labels([link.setting.name or link.setting.provider for link in key.setting_links.all()])

    @admin.display(description="limits")
    def limits(self, key: Key) -> SafeString | str:
        return labels(limit_texts(key))

    @admin.display(description="spent")
    def spend(self, key: Key) -> str:
        key = key if hasattr(key, "spent_nano") else with_spend([key])[0]
        return usd(key.spent_nano)  # type: ignore[attr-defined]

    @admin.display(description="state")
    def state(self, key: Key) -> SafeString:
        state = state_of(key, clock.now())
        return label(state, _COLOURS[state])

    @admin.display(description="allowed paths")
    def shown_paths(self, key: Key) -> SafeString | str:
        return text_block("\n".join(f"{rule['method']} {rule['path']}" for rule in key.allowed_paths) or "every path")

    @admin.display(description="switches")
    def shown_switches(self, key: Key) -> SafeString | str:
        names = ("should_log_request", "should_log_response", "rotation_enabled", "allow_unmetered")
        return labels([name.replace("_", " ") for name in names if getattr(key, name)])

    @admin.display(description="expires (UTC)")
    def shown_expiry(self, key: Key) -> str:
        return "never" if key.expires_at is None else f"{utc(key.expires_at)} ({key.ttl_text} after creation)"

    shown_created = staticmethod(time_column("created_at"))
    shown_updated = staticmethod(time_column("updated_at"))

    # Forms

    def get_fieldsets(self, request: HttpRequest, obj: Key | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": list(_SHOWN)})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Key | None = None) -> tuple[str, ...]:
        if obj is not None and not self.has_change_permission(request, obj):
            return _SHOWN
        return ("id", "secret_hint", "shown_created", "shown_updated", "shown_expiry")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """One button: what follows a create is the page with the secret, nothing else."""
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **buttons})

    def response_add(self, request: HttpRequest, obj: Key, post_url_continue: str | None = None) -> HttpResponse:
        """Answer the create itself with the secret: no redirect, so that no session and no cookie ever holds it."""
        secret: str = obj.secret_shown  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": "Key created",
            "opts": self.opts,
            "key": obj,
            "secret": secret,
            "header": shlex.quote(f"Authorization: Bearer {secret}"),
            "proxy_url": proxy_url(request),
        }
        return TemplateResponse(request, "admin/keys/key/created.html", context, headers={"Cache-Control": "no-store"})

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Key:
        key: Key = super().save_form(request, form, change)
        key.secret_shown = form.secret_shown  # type: ignore[attr-defined]
        return key

    def delete_model(self, request: HttpRequest, obj: Key) -> None:
        services.delete_key(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> None:
        for key_id in queryset.values_list("pk", flat=True):
            services.delete_key(key_id)

    def get_deleted_objects(self, objs: Sequence[Key], request: HttpRequest) -> Any:
        """The keys alone: their links to settings say nothing to anybody, and their events stay."""
        return [str(key) for key in objs], {"keys": len(objs)}, set(), []

    # Revoking

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        restore = self.admin_site.admin_view(self.restore_view)
        export = self.admin_site.admin_view(self.export_view)
        return [
            path("export/", export, name="keys_key_export"),
            path("<path:object_id>/revoke/", revoke, name="keys_key_revoke"),
            path("<path:object_id>/restore/", restore, name="keys_key_restore"),
            *super().get_urls(),
        ]

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a reason, then revoke one key."""
        return self._revoke(request, [self._changeable(request, object_id)])

    def restore_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a revocation back. Only for POST: a link must not change anything."""
        key = self._changeable(request, object_id)
        if request.method == "POST":
            self._restore(request, [key])
        return HttpResponseRedirect(reverse("admin:keys_key_change", args=[key.pk]))

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[Key]) -> HttpResponse:
        return self._revoke(request, list(queryset))

    @admin.action(description="Restore the selected revoked keys", permissions=["change"])
    def restore_keys(self, request: HttpRequest, queryset: QuerySet[Key]) -> None:
        self._restore(request, list(queryset))

    def _changeable(self, request: HttpRequest, object_id: str) -> Key:
        key = self.get_object(request, unquote(object_id))
        if not self.has_change_permission(request, key):
            raise PermissionDenied
        if key is None:
            raise Http404("There is no such key.")
        return key

    def _revoke(self, request: HttpRequest, keys: list[Key]) -> HttpResponse:
        confirmed = "revoke" in request.POST
        form = RevokeForm(request.POST if confirmed else None)
        if not confirmed or not form.is_valid():
            return self._revoke_page(request, keys, form)
        reason = form.cleaned_data["reason"]
        for key in keys:
            services.revoke_key(key.pk, reason=reason)
            self.log_change(request, key, f"Revoked: {reason}" if reason else "Revoked.")
        self.message_user(request, f"{_counted(keys)} revoked: refused within a second.", messages.SUCCESS)
        one = reverse("admin:keys_key_change", args=[keys[0].pk]) if len(keys) == 1 else None
        return HttpResponseRedirect(one or reverse("admin:keys_key_changelist"))

    def _revoke_page(self, request: HttpRequest, keys: list[Key], form: RevokeForm) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Revoke {_counted(keys)}",
            "opts": self.opts,
            "media": self.media,
            "keys": keys,
            "form": form,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/keys/key/revoke.html", context)

    def _restore(self, request: HttpRequest, keys: list[Key]) -> None:
        restored = [key for key in keys if state_of(key, clock.now()) == REVOKED]
        for key in restored:
            services.update_key(key.pk, revoked=False)
            self.log_change(request, key, "Restored.")
        if restored:
            self.message_user(request, f"{_counted(restored)} restored.", messages.SUCCESS)
        if len(restored) < len(keys):
            left = "A key whose time to live has ended cannot be restored, and an active one needs no restoring."
            self.message_user(request, left, messages.WARNING)

    # Export

    @admin.action(description="Export the selected keys as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Key]) -> HttpResponse:
        return export(queryset)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """All keys that match the list's filters."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return export(self.get_changelist_instance(request).queryset)


def export(queryset: QuerySet[Key]) -> HttpResponse:
    """Keys with their limits and spend; never a digest."""
    at = clock.now()
    header = ("id", "name", "hint", "tags", "settings", "limits", "spent_usd", "state", "created", "expires")
    rows = (
        (
            *(key.pk, key.name, key.secret_hint, ", ".join(key.tags)),
            ", ".join(str(link.setting_id) for link in key.setting_links.all()),
            "; ".join(limit_texts(key)),
            "" if key.spent_nano is None else f"{key.spent_nano / 1e9:.9f}",  # type: ignore[attr-defined]
            *(state_of(key, at), utc(key.created_at), utc(key.expires_at)),
        )
        for some in _batches(queryset[:MAX_ROWS])
        for key in with_spend(some)
    )
    return csv_response("keys", header, rows)


def _batches(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """As many keys as one question for their spend may name."""
    left = iter(keys)
    while some := list(islice(left, _KEYS_PER_QUERY)):
        yield some


def _counted(keys: Sequence[Key]) -> str:
    return f"the key “{keys[0].name}”" if len(keys) == 1 else f"{len(keys)} keys"
