"""The admin's forms of provider settings and prices: secrets are only entered, prices are in USD."""

import json
from typing import Any, ClassVar

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from gateway_project.admin_pages.service_forms import ServiceForm
from providers import rules, services
from providers.catalog import CATALOG
from providers.deployments import EXAMPLE
from providers.kinds import kind_of, provider_names
from providers.models import ProviderSetting, StreamUsage

_LABELS = {
    "apikey": ("API key", "The secret that the provider gave you."),
    "awsAccessKeyId": ("AWS access key id", ""),
    "awsSecretAccessKey": ("AWS secret access key", ""),
    "awsSessionToken": ("AWS session token", "Only for temporary credentials."),
    "awsRegion": ("AWS region", "Such as us-east-1."),
    "awsCredentialChain": (
        "AWS identity of the gateway",
        "The word true in place of keys: sign with what the gateway finds by itself (environment, profile, role).",
    ),
    "resourceName": ("resource name", "The first part of the resource's host: NAME.openai.azure.com."),
    "entraToken": ("Entra token", "A bearer token in place of the API key. Whoever renews it enters it here."),
    "deploymentModels": (
        "models of deployments",
        f"A JSON object that says which model a deployment is, for prices and allowed models: {EXAMPLE}.",
    ),
    "url": (
        "base URL",
        (
            "Where requests go instead of the provider's own address, as an SDK's base URL: http://host:8000/v1. "
            "A secret is bound to where it is sent: whoever changes this enters the secrets again."
        ),
    ),
}
# Every member of any provider, once, in the order of the catalogue.
SECRETS = tuple(dict.fromkeys(name for kind in CATALOG.values() for name in kind.secrets))
PARAMETERS = tuple(dict.fromkeys(name for kind in CATALOG.values() for name in kind.parameters))
COST_MAP_EXAMPLE = '{"promptCostPerModel": {"my-model": 0.0005}, "completionCostPerModel": {"my-model": 0.0015}}'


# The form field of the one secret that an operator's own provider has, whatever its member is called.
OWN_SECRET = "own_secret"  # noqa: S105  (a field, no secret)


def member_field(name: str) -> str:
    """The form field of a member of `setting`."""
    return f"member_{name}"


def remove_field(name: str) -> str:
    """The form field that removes a stored secret which its provider can do without."""
    return f"remove_{name}"


def members_of(provider: str) -> tuple[str, ...]:
    """The members of a provider's settings that have fields of their own: secrets first, then what may be shown."""
    kind = CATALOG.get(provider)
    if kind is None:
        return ()
    return (*kind.secrets, *(name for name in PARAMETERS if name in kind.parameters))


def _member(name: str) -> forms.CharField:
    label, help_text = _LABELS.get(name, (name, ""))
    if name in PARAMETERS:
        widget: forms.Widget = UnfoldAdminTextInputWidget()
    else:
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return forms.CharField(required=False, label=label, help_text=help_text, widget=widget)


def _member_fields() -> dict[str, forms.Field]:
    """A field for each member of any provider, and a switch for each secret that can be removed."""
    fields: dict[str, forms.Field] = {member_field(name): _member(name) for name in (*SECRETS, *PARAMETERS)}
    for name in SECRETS:
        label = f"remove the {_LABELS.get(name, (name, ''))[0]}"
        fields[remove_field(name)] = forms.BooleanField(required=False, label=label, widget=UnfoldBooleanSwitchWidget)
    return fields


# Made from the catalogue, so that a further provider brings its fields along.
MemberForm = type("MemberForm", (ServiceForm,), {"__module__": __name__, **_member_fields()})


def removable_secrets(row: ProviderSetting) -> list[str]:
    """Secrets that are stored and that the provider can do without."""
    kind = CATALOG.get(row.provider)
    if kind is None:
        return []
    needed = {name for name in kind.required if name not in kind.instead}
    return [name for name in SECRETS if name in row.sealed_secrets and name not in needed]


class ModelsField(forms.CharField):
    """One model per line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 4, "class": "gh-mono"})

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value


class CostMapField(forms.JSONField):
    """A JSON object; empty is None, and None is empty."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else json.dumps(value, indent=2) if isinstance(value, dict) else value


class SettingForm(MemberForm):  # type: ignore[misc, valid-type]
    """Creates and changes a provider setting. A secret is never put into the page: blank keeps it."""

    field_of: ClassVar[dict[str, str]] = {
        "provider": "provider",
        "name": "name",
        "allowedModels": "allowed_models",
        "costMap": "cost_map",
        "streamUsage": "stream_usage",
        "priority": "priority",
        "weight": "weight",
        **{f"setting.{name}": member_field(name) for name in (*SECRETS, *PARAMETERS)},
    }

    own_secret = forms.CharField(
        required=False,
        label="secret",
        help_text="Sent as bearer, if the custom provider has an authentication param.",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    provider = forms.ChoiceField(
        choices=provider_names, widget=UnfoldAdminSelectWidget, help_text="Whose API it is. It cannot be changed."
    )
    name = forms.CharField(
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget,
        help_text="For people; it need not be unique.",
    )
    allowed_models = ModelsField(
        required=False, help_text="One per line. Empty: every model the account may use.", strip=False
    )
    cost_map = CostMapField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "class": "gh-mono"}),
        help_text=f"Prices of your own in USD per 1000 tokens; they come before the price table. Such as "
        f"{COST_MAP_EXAMPLE}. There is embeddingsCostPerModel as well.",
    )
    stream_usage = forms.ChoiceField(
        choices=StreamUsage.choices,
        initial=StreamUsage.AUTO,
        widget=UnfoldAdminSelectWidget,
        label="usage of streams",
        help_text="Whether streams are asked for their usage when the client did not. Without it tokens are counted.",
    )
    priority = forms.IntegerField(
        initial=0, widget=UnfoldAdminIntegerFieldWidget, help_text="The highest of a key's settings is tried first."
    )
    weight = forms.IntegerField(
        initial=1,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The share of the turns among equals when a key rotates; without rotation the heaviest is used.",
    )

    class Meta:
        model = ProviderSetting
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self._show(self.instance)

    def _show(self, row: ProviderSetting) -> None:
        """Fill in what is stored, but for the secrets."""
        self.fields["provider"].disabled = True
        self.initial["provider"] = row.provider
        for name in ("name", "allowed_models", "cost_map", "stream_usage", "priority", "weight"):
            self.initial.setdefault(name, getattr(row, name))
        if row.provider in CATALOG:
            del self.fields[OWN_SECRET]
        elif row.sealed_secrets:
            self.fields[OWN_SECRET].widget.attrs["placeholder"] = "stored; blank keeps it"
        for name in {*SECRETS, *PARAMETERS}.difference(members_of(row.provider)):
            del self.fields[member_field(name)]
        for name in set(SECRETS).difference(removable_secrets(row)):
            del self.fields[remove_field(name)]
        for name in set(SECRETS).intersection(row.sealed_secrets, members_of(row.provider)):
            self.fields[member_field(name)].widget.attrs["placeholder"] = "stored; blank keeps it"
        for name in PARAMETERS:
            self.initial.setdefault(member_field(name), row.parameters.get(name, ""))

    def store(self) -> ProviderSetting:
        data = self.cleaned_data
        options: services.SettingOptions = {
            "name": data["name"],
            "allowed_models": data["allowed_models"],
            "cost_map": data["cost_map"],
            "stream_usage": data["stream_usage"],
            "priority": data["priority"],
            "weight": data["weight"],
        }
        if not self.instance._state.adding:
            return services.update_setting(self.instance.pk, setting=self._members(self.instance.provider), **options)
        provider = data["provider"]
        return services.create_setting(provider=provider, setting=self._members(provider), **options)

    def _members(self, provider: str) -> dict[str, str]:
        """What was entered for this provider: parameters as they stand, secrets only if they are given or removed."""
        data, row = self.cleaned_data, self.instance
        members = {}
        if provider not in CATALOG:
            return self._own_secret(provider, data.get(OWN_SECRET, ""))
        for name in members_of(provider):
            value = data.get(member_field(name), "")
            if name in CATALOG[provider].parameters:
                if value != row.parameters.get(name, ""):
                    members[name] = value
            elif value or data.get(remove_field(name)):
                members[name] = value
        return members

    def _own_secret(self, provider: str, value: str) -> dict[str, str]:
        """What was entered for a provider that an operator described."""
        needed = kind_of(provider).required
        if value and not needed:
            raise rules.invalid("setting", f"has no secret for {provider}: it has no authentication param")
        return {needed[0]: value} if value else {}

    def form_field(self, name: str) -> str:
        """Members of an operator's own provider are all in one field."""
        is_member = name.partition(".")[0] == "setting"
        if is_member and (self.instance.provider or self.cleaned_data.get("provider")) not in CATALOG:
            return OWN_SECRET
        return super().form_field(name)
