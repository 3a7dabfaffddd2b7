"""Admin pages of provider settings and prices. Every change goes through services, so that it reaches traffic."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from gateway_project.admin_pages.columns import (
    GOOD,
    INFO,
    PLAIN,
    label,
    labels,
    link,
    text_block,
    time_column,
    unbroken,
)
from gateway_project.admin_pages.formats import NOTHING, plain, utc, whole
from gateway_project.admin_pages.read_only import ReadOnlyAdmin
from gateway_project.admin_pages.service_forms import ServiceAdmin
from gateway_project.shared import clock
from providers import price_services, services
from providers.admin_filters import ProviderFilter, SourceFilter, ValidFilter
from providers.admin_forms import (
    OWN_SECRET,
    PARAMETERS,
    SECRETS,
    SettingForm,
    member_field,
    members_of,
    removable_secrets,
    remove_field,
)
from providers.catalog import CATALOG
from providers.custom_admin import CustomProviderAdmin
from providers.destinations import destinations_of
from providers.models import CustomProvider, LoadedPriceList, ModelPrice, ProviderSetting
from providers.price_forms import PriceForm, copied, price_title
from providers.price_units import PER_MILLION_TOKENS, TOKENS, images_in_usd, tiers_in_usd, unit_of
from providers.rules import PRICE_MEMBERS

_MODELS_SHOWN = 4
_SHOWN_SETTING = (
    *("provider", "name", "destinations", "stored_secrets", "shown_models", "shown_cost_map", "stream_usage"),
    *("priority", "weight", "used_by", "id", "shown_created", "shown_updated"),
)


@admin.register(ProviderSetting)
class ProviderSettingAdmin(ServiceAdmin):
    """Accounts at providers. Secrets are entered, sealed and never shown."""

    form = SettingForm
    list_display = ["__str__", "provider", "destinations", "shown_models", "used_by", time_column("updated_at")]
    list_filter = [ProviderFilter]
    list_filter_submit = True
    list_disable_select_all = True
    ordering = ["-created_at"]
    search_fields = ["name", "provider", "id"]
    search_help_text = "Name, provider or id"
    # Alpine shows what the chosen provider has.
    conditional_fields = {
        field: f"{[kind for kind in CATALOG if name in members_of(kind)]}.includes(provider)"
        for name in (*SECRETS, *PARAMETERS)
        for field in (member_field(name),)
    } | {OWN_SECRET: f"!{list(CATALOG)}.includes(provider)"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderSetting]:
        rows: QuerySet[ProviderSetting] = super().get_queryset(request)
        return rows.annotate(key_count=Count("key_links"))

    def get_fieldsets(self, request: HttpRequest, obj: ProviderSetting | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": list(_SHOWN_SETTING)})]
        known = members_of(obj.provider) if obj else (*SECRETS, *PARAMETERS)
        members = [member_field(name) for name in known]
        if obj is None or obj.provider not in CATALOG:
            members.append(OWN_SECRET)
        if obj:
            members += [remove_field(name) for name in removable_secrets(obj)]
        about = [("About", {"fields": [*_SHOWN_SETTING[2:4], *_SHOWN_SETTING[9:]]})] if obj else []
        return [
            (None, {"fields": ["provider", "name"]}),
            (
                "Account",
                {
                    "fields": members,
                    "description": "Secrets are sealed for where they are sent and never shown again: "
                    "blank keeps what is stored.",
                },
            ),
            ("Models and prices", {"fields": ["allowed_models", "cost_map"]}),
            ("Traffic", {"fields": ["stream_usage", "priority", "weight"]}),
            *about,
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderSetting | None = None) -> tuple[str, ...]:
        if obj is not None and not self.has_change_permission(request, obj):
            return _SHOWN_SETTING
        return (*_SHOWN_SETTING[2:4], *_SHOWN_SETTING[9:])

    @admin.display(description="destination")
    def destinations(self, row: ProviderSetting) -> SafeString | str:
        """Hosts only: a path may hold what nobody else should read."""
        if row.provider not in CATALOG:
            described = reverse("admin:providers_customprovider_changelist")
            return link(f"{described}?q={row.provider}", "as its paths say")
        addresses = destinations_of(row.provider, row.parameters)
        hosts = (urlsplit(address).netloc or address for address in addresses)
        return ", ".join(host.removesuffix(":443").removesuffix(":80") for host in hosts)

    @admin.display(description="stored secrets")
    def stored_secrets(self, row: ProviderSetting) -> SafeString | str:
        return labels(dict.fromkeys(row.sealed_secrets, GOOD))

    @admin.display(description="allowed models")
    def shown_models(self, row: ProviderSetting) -> SafeString | str:
        if not row.allowed_models:
            return "all"
        more = len(row.allowed_models) - _MODELS_SHOWN
        return labels([*map(str, row.allowed_models[:_MODELS_SHOWN]), *([f"{more} more"] if more > 0 else [])])

    @admin.display(description="cost map")
    def shown_cost_map(self, row: ProviderSetting) -> SafeString | str:
        return text_block(None if row.cost_map is None else str(row.cost_map))

    @admin.display(description="keys using it", ordering="key_count")
    def used_by(self, row: ProviderSetting) -> SafeString | str:
        keys = row.key_count  # type: ignore[attr-defined]
        return link(f"{reverse('admin:keys_key_changelist')}?setting={row.pk}", whole(keys)) if keys else "none"

    shown_created = staticmethod(time_column("created_at"))
    shown_updated = staticmethod(time_column("updated_at", "last change"))

    def delete_model(self, request: HttpRequest, obj: ProviderSetting) -> None:
        services.delete_setting(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ProviderSetting]) -> None:
        for setting_id in queryset.values_list("pk", flat=True):
            services.delete_setting(setting_id)

    def get_deleted_objects(self, objs: Sequence[ProviderSetting], request: HttpRequest) -> Any:
        """A setting that keys use is not deleted: they would be left with nothing to call."""
        used = ProviderSetting.objects.filter(pk__in=[row.pk for row in objs], key_links__isnull=False).distinct()
        protected = [f"{row} is used by keys: take it from them first" for row in used]
        return [str(row) for row in objs], {"provider settings": len(objs)}, set(), protected


_PLAIN_PRICES = ("input_pico", "output_pico", "cache_read_pico", "cache_write_pico", "cache_write_1h_pico")
_LONG_PRICES = tuple(name for name in PRICE_MEMBERS if name.startswith("long_"))
_OTHER_PRICES = tuple(name for name in PRICE_MEMBERS if name not in (*_PLAIN_PRICES, *_LONG_PRICES))


def _price_column(member: str) -> Any:
    def column(row: ModelPrice) -> str:
        return dollars(member, getattr(row, member))

    column.__name__ = f"{member}_shown"
    unit = unit_of(member)
    title = price_title(member) if unit is TOKENS else f"{price_title(member)} ({unit.text})"
    return admin.display(description=title, ordering=member)(column)


def dollars(member: str, pico: int | None) -> str:
    """A price as people write it, with cents at least: "$2.50"."""
    if pico is None:
        return NOTHING
    usd = unit_of(member).usd(pico)
    cents = usd.quantize(Decimal("0.01"))
    return f"${cents}" if cents == usd else f"${plain(usd)}"


_SHOWN_PRICES = {member: _price_column(member) for member in PRICE_MEMBERS}


@admin.register(ModelPrice)
class ModelPriceAdmin(ServiceAdmin):
    """What models cost. Rows of the public list are only shown; a row of one's own comes before them."""

    form = PriceForm
    list_display = [
        *("shown_model", "provider", *(_SHOWN_PRICES[name] for name in _PLAIN_PRICES[:4])),
        *("others", "validity", "shown_source"),
    ]
    list_filter = [ProviderFilter, SourceFilter, ValidFilter]
    list_filter_submit = True
    list_disable_select_all = True
    list_before_template = "admin/providers/modelprice/units.html"
    list_per_page = 50
    search_fields = ["model"]
    search_help_text = "Part of a model's name"
    ordering = ["provider", "model", "-valid_from"]

    def get_fieldsets(self, request: HttpRequest, obj: ModelPrice | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return self._shown_fieldsets(obj)
        return [
            (None, {"fields": ["provider", "model", ("valid_from", "valid_until"), "note"]}),
            ("Tokens", {"fields": [("input_pico", "output_pico"), *_PLAIN_PRICES[2:]]}),
            ("Audio, images, characters", {"fields": [*_OTHER_PRICES, "image_prices"], "classes": ["collapse"]}),
            ("Long context", {"fields": ["long_context_from", *_LONG_PRICES], "classes": ["collapse"]}),
            ("Service tiers", {"fields": ["tiers"], "classes": ["collapse"]}),
            ("Most tokens", {"fields": ["max_input_tokens", "max_output_tokens"], "classes": ["collapse"]}),
        ]

    def _shown_fieldsets(self, row: ModelPrice) -> Any:
        """What there is of a row, and nothing of what there is not."""
        members = (*_PLAIN_PRICES, *_OTHER_PRICES, *(_LONG_PRICES if row.long_context_from else ()))
        prices = [_SHOWN_PRICES[name] for name in members if getattr(row, name) is not None]
        more = {"shown_images": row.image_prices, "shown_tiers": row.tiers, "long_context_from": row.long_context_from}
        return [
            (None, {"fields": ["provider", "model", "validity", "shown_source", "source_text", "note"]}),
            (PER_MILLION_TOKENS, {"fields": [*prices, *(name for name, value in more.items() if value)]}),
            ("Most tokens", {"fields": [("max_input_tokens", "max_output_tokens")]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: ModelPrice | None = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return ()
        return tuple(flatten_fieldsets(self._shown_fieldsets(obj)))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """From the address: the provider and model to price, or the row to begin from (`copy`)."""
        wanted = request.GET.get("copy", "")
        row = ModelPrice.objects.filter(pk=int(wanted)).first() if wanted.isdecimal() and len(wanted) < 19 else None
        if row is not None:
            return copied(row)
        return {name: request.GET[name] for name in ("provider", "model") if name in request.GET}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_own(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_own(obj) and super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: ModelPrice) -> None:
        price_services.delete_price(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ModelPrice]) -> None:
        for row in queryset:
            price_services.delete_price(row)

    def get_deleted_objects(self, objs: Sequence[ModelPrice], request: HttpRequest) -> Any:
        listed = [f"{row}: a row of the public list stays" for row in objs if not _is_own(row)]
        return [str(row) for row in objs], {"prices": len(objs)}, set(), listed

    @admin.display(description="model", ordering="model")
    def shown_model(self, row: ModelPrice) -> SafeString:
        return unbroken(row.model)

    @admin.display(description="other prices")
    def others(self, row: ModelPrice) -> SafeString | str:
        texts = [
            f"{price_title(name)} {dollars(name, value)}"
            for name in _OTHER_PRICES
            if (value := getattr(row, name)) is not None
        ]
        if row.image_prices:
            texts.append("images")
        if row.long_context_from:
            texts.append("long context")
        return labels([*texts, *map(str, row.tiers)])

    @admin.display(description="valid (UTC)", ordering="valid_from")
    def validity(self, row: ModelPrice) -> str:
        begin = f"from {utc(row.valid_from)}" if row.valid_from else "always"
        return begin if row.valid_until is None else f"{begin} before {utc(row.valid_until)}"

    @admin.display(description="source", ordering="source")
    def shown_source(self, row: ModelPrice) -> SafeString:
        ended = row.valid_until is not None and row.valid_until <= clock.now()
        name = "your own" if _is_own(row) else row.source
        return label(f"{name}, ended" if ended else name, PLAIN if ended else GOOD if _is_own(row) else INFO)

    @admin.display(description="images (USD per image)")
    def shown_images(self, row: ModelPrice) -> SafeString | str:
        return labels([f"{kind or 'any'}: ${usd:g}" for kind, usd in images_in_usd(row.image_prices).items()])

    @admin.display(description="service tiers")
    def shown_tiers(self, row: ModelPrice) -> SafeString | str:
        tiers = tiers_in_usd(row.tiers)
        return labels([f"{tier} {name} ${usd:g}" for tier, prices in tiers.items() for name, usd in prices.items()])

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        row = kwargs.get("obj")
        context["copy_link"] = (
            f"{reverse('admin:providers_modelprice_add')}?copy={row.pk}"
            if row is not None and not _is_own(row) and self.has_add_permission(request)
            else ""
        )
        return super().render_change_form(request, context, *args, **kwargs)


def _is_own(obj: Any) -> bool:
    """Whether a price may be changed here; asked without a row, whether any may. The theme asks with an id."""
    return not isinstance(obj, ModelPrice) or obj.source == ModelPrice.Source.OPERATOR


admin.site.register(CustomProvider, CustomProviderAdmin)


@admin.register(LoadedPriceList)
class LoadedPriceListAdmin(ReadOnlyAdmin):
    """Which public price list the prices are from."""

    list_display = ["name", "version", time_column("loaded_at")]
    fields = ["name", "version", time_column("loaded_at")]
    search_fields = ["name", "version"]
    search_help_text = "Name or version"
