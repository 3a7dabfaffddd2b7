"""Admin pages of the project's own tables, and Django's users and groups in the site's look."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from gateway_project.admin_pages.columns import count_column, mono, time_column
from gateway_project.admin_pages.read_only import ReadOnlyAdmin
from gateway_project.models import ConfigVersion, KeyChange, SecretCheck

admin.site.unregister([User, Group])


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    """Who may sign in here. These users are staff of the gateway, not callers: callers have keys."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    compressed_fields = True


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Permissions that users have in common."""


@admin.register(ConfigVersion)
class ConfigVersionAdmin(ReadOnlyAdmin):
    """The number that every change of configuration raises; proxies follow it."""

    list_display = [count_column("version"), count_column("snapshot_version", "newest version of settings or prices")]
    fields = ["version", "snapshot_version"]


@admin.register(KeyChange)
class KeyChangeAdmin(ReadOnlyAdmin):
    """Which key digests proxies were told to forget, kept for a day."""

    list_display = ["version", "short_digest", time_column("created_at", "changed")]
    fields = ["version", "short_digest", time_column("created_at", "changed")]
    search_fields = ["version", "digest"]
    search_help_text = "Version, or the beginning of a digest"
    ordering = ["-version"]

    @admin.display(description="digest of the key")
    def short_digest(self, row: KeyChange) -> str:
        # The beginning tells digests apart; nobody needs all of one on a screen.
        return mono(f"{row.digest[:20]}…")


@admin.register(SecretCheck)
class SecretCheckAdmin(ReadOnlyAdmin):
    """Which peppers and data keys this installation was started with. What they must yield is not shown."""

    list_display = ["kind", "ring_id"]
    fields = ["kind", "ring_id"]
    search_fields = ["kind", "ring_id"]
    search_help_text = "Kind or id"


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """Who changed what on these pages. Changes over REST are not here."""

    list_display = ["action_time", "user", "content_type", "object_repr", "change"]
    list_filter = ["action_flag", "content_type"]
    list_select_related = ["user", "content_type"]
    fields = ["action_time", "user", "content_type", "object_id", "object_repr", "change"]
    search_fields = ["object_repr", "object_id", "user__username"]
    search_help_text = "Name or id of what was changed, or who changed it"

    @admin.display(description="change")
    def change(self, row: LogEntry) -> Any:
        return row.get_change_message() or row.get_action_flag_display()
