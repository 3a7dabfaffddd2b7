"""The admin's form of a key: amounts in USD, lists as text, a secret that is only ever entered."""

from decimal import Decimal
from typing import Any, ClassVar, cast

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from gateway_project.admin_pages.formats import plain
from gateway_project.admin_pages.service_forms import ServiceForm
from gateway_project.shared.money import NANO_PER_USD, usd_to_nano
from keys import services
from keys.models import CostUnit, Key, RateUnit
from keys.records import PathRule
from keys.rules import KeyFields
from providers.queries import setting_names

SMALLEST_USD = Decimal("0.000000001")
_FLAGS = ("should_log_request", "should_log_response", "rotation_enabled", "allow_unmetered")


class UsdField(forms.DecimalField):
    """An amount in USD; nano-dollars once cleaned. Empty is None: no limit."""

    def __init__(self, **options: Any) -> None:
        widget = UnfoldAdminDecimalFieldWidget(attrs={"inputmode": "decimal", "step": "any", "placeholder": "no limit"})
        super().__init__(
            required=False, min_value=SMALLEST_USD, max_digits=19, decimal_places=9, widget=widget, **options
        )

    def clean(self, value: Any) -> int | None:
        amount = super().clean(value)
        return None if amount is None else usd_to_nano(amount)

    def prepare_value(self, value: Any) -> Any:
        return plain(Decimal(value) / NANO_PER_USD) if isinstance(value, int) else value


class TagsField(forms.CharField):
    """Tags between commas or in lines."""

    def clean(self, value: Any) -> list[str]:
        parts = (part.strip() for line in super().clean(value).splitlines() for part in line.split(","))
        return list(dict.fromkeys(part for part in parts if part))

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


class PathsField(forms.CharField):
    """One "METHOD /path" per line; * for any method."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4, "class": "gh-mono"})

    def clean(self, value: Any) -> list[PathRule]:
        lines = [line.split() for line in super().clean(value).splitlines() if line.strip()]
        wrong = [" ".join(words) for words in lines if len(words) != 2]
        if wrong:
            raise forms.ValidationError(
                f"Write a method and a path, such as POST /v1/chat/completions, not: {wrong[0]}"
            )
        return [PathRule(method=method.upper(), path=path) for method, path in lines]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{rule['method']} {rule['path']}" for rule in value) if isinstance(value, list) else value


def _unit(choices: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        required=False,
        label="per",
        choices=[("", "–"), *choices],
        widget=UnfoldAdminSelectWidget,
        help_text="Windows are aligned to the UTC clock.",
    )


def _switch(label: str, help_text: str) -> forms.BooleanField:
    return forms.BooleanField(required=False, label=label, help_text=help_text, widget=UnfoldBooleanSwitchWidget)


class KeyForm(ServiceForm):
    """Creates and changes a key. secret_shown: after a create the one copy of the secret, to be shown and forgotten."""

    secret_shown = ""
    field_of: ClassVar[dict[str, str]] = {
        "name": "name",
        "tags": "tags",
        "settingIds": "setting_ids",
        "costLimitInUsd": "cost_limit_nano",
        "costLimitInUsdOverTime": "cost_window_limit_nano",
        "costLimitInUsdUnit": "cost_window_unit",
        "rateLimitOverTime": "request_limit",
        "rateLimitUnit": "request_window_unit",
        "ttl": "ttl_text",
        "allowedPaths": "allowed_paths",
        "key": "secret",
    }

    name = forms.CharField(
        max_length=255, widget=UnfoldAdminTextInputWidget, help_text="For people; it need not be unique."
    )
    tags = TagsField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Between commas, such as team-a, batch. They are copied to every event of the key.",
    )
    setting_ids = forms.MultipleChoiceField(
        required=False,
        label="provider settings",
        widget=UnfoldAdminSelect2MultipleWidget,
        help_text="The provider accounts this key may use. Empty: the account that OPENAI_API_KEY made.",
    )
    cost_limit_nano = UsdField(label="spend in total (USD)", help_text="All that may ever be spent, such as 0.25.")
    cost_window_limit_nano = UsdField(label="spend (USD)", help_text="What may be spent in each window.")
    cost_window_unit = _unit(CostUnit.choices)
    request_limit = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2**63 - 1,
        label="requests",
        widget=UnfoldAdminIntegerFieldWidget(attrs={"placeholder": "no limit"}),
        help_text="How many requests each window admits.",
    )
    request_window_unit = _unit(RateUnit.choices)
    ttl_text = forms.CharField(
        required=False,
        max_length=64,
        label="time to live",
        widget=UnfoldAdminTextInputWidget,
        help_text="From now, such as 30s, 15m, 1h30m or 2d. Empty: for ever. It cannot be changed later.",
    )
    allowed_paths = PathsField(
        required=False,
        help_text="One per line, such as POST /api/providers/openai/v1/chat/completions. A path may be exact, a "
        "template (/threads/:thread_id) or a beginning (/api/providers/openai/*); * stands for any method. "
        "Empty: every path.",
    )
    secret = forms.CharField(
        required=False,
        strip=False,
        max_length=1024,
        label="secret of your own",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Empty: a strong one is made and shown once. Only a digest of it is ever stored.",
    )
    should_log_request = _switch("store requests", "Keep request bodies with the key's events. They may be private.")
    should_log_response = _switch("store answers", "Keep answers with the key's events. They may be private.")
    rotation_enabled = _switch("rotate", "Take the settings in turn, to get round a provider's rate limits.")
    allow_unmetered = _switch(
        "allow unmetered", "Let a key with a cost limit use endpoints whose cost cannot be told in advance, as batches."
    )

    class Meta:
        model = Key
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = cast("forms.MultipleChoiceField", self.fields["setting_ids"])
        settings.choices = list(setting_names().items())
        if self.instance._state.adding:
            return
        # Given once, when the key is made.
        del self.fields["secret"], self.fields["ttl_text"]
        settings.help_text = "The provider accounts this key may use."
        for name in self.fields:
            if name != "setting_ids":
                self.initial.setdefault(name, getattr(self.instance, name))
        self.initial["setting_ids"] = [str(link.setting_id) for link in self.instance.setting_links.all()]

    def store(self) -> Key:
        if not self.instance._state.adding:
            return services.update_key(self.instance.pk, **self._fields())
        given = self._fields()
        given["ttl_text"] = self.cleaned_data["ttl_text"]
        if not given["setting_ids"]:
            del given["setting_ids"]
        key, self.secret_shown = services.create_key(secret=self.cleaned_data["secret"] or None, **given)
        return key

    def _fields(self) -> KeyFields:
        data = self.cleaned_data
        fields: KeyFields = {
            "name": data["name"],
            "tags": data["tags"],
            "setting_ids": self._ordered(data["setting_ids"]),
            "cost_limit_nano": data["cost_limit_nano"],
            "cost_window_limit_nano": data["cost_window_limit_nano"],
            "cost_window_unit": data["cost_window_unit"] or None,
            "request_limit": data["request_limit"],
            "request_window_unit": data["request_window_unit"] or None,
            "allowed_paths": data["allowed_paths"],
        }
        for flag in _FLAGS:
            fields[flag] = data[flag]  # type: ignore[literal-required]
        return fields

    def _ordered(self, chosen: list[str]) -> list[str]:
        """The chosen settings: those the key had keep their order, new ones follow. A list widget has no order."""
        had = [each for each in self.initial.get("setting_ids", []) if each in chosen]
        return had + [each for each in chosen if each not in had]


class RevokeForm(forms.Form):
    """Why keys are revoked."""

    reason = forms.CharField(
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text="Told to whoever still uses the key.",
    )
