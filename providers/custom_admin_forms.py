"""The admin's forms of a custom provider and its paths."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django import forms
from django.db import transaction
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from gateway_project.admin_pages.service_forms import ServiceForm
from gateway_project.shared.problems import Problem, ValidationFailed
from providers import custom_services
from providers.custom_queries import route_config
from providers.custom_rules import MEMBERS, METHODS
from providers.models import CustomProvider, CustomRoute

_CONFIG = re.compile(r"route_configs\.\[(\d+)\]\.?(.*)")


def _text(label: str, help_text: str, *, required: bool = True) -> forms.CharField:
    return forms.CharField(label=label, required=required, help_text=help_text, widget=UnfoldAdminTextInputWidget)


def _location(label: str, help_text: str) -> forms.CharField:
    return _text(label, help_text, required=False)


class RouteConfigForm(forms.ModelForm):
    """One path. What it may hold is checked by the service, with the whole provider."""

    path = _text("path", "Callers send to /api/custom/providers/NAME and this: /v1/chat.")
    target_url = _text("target URL", "Where requests go: https://api.example.com/v1/chat. The caller's query is added.")
    methods = forms.MultipleChoiceField(
        choices=[(method, method) for method in METHODS],
        initial=["POST"],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="GET, HEAD and DELETE take no body and cost nothing.",
    )
    model_location = _location("model in the request", "GJSON path: model, or engine.name.")
    request_prompt_location = _location(
        "prompt in the request",
        'GJSON path: prompt, messages.#.content for all messages, messages.#(role=="user")#.content for some.',
    )
    max_tokens_location = _location(
        "most tokens in the request",
        "GJSON path: max_tokens. So much is held back from a cost limit; without it, what the model can do at most.",
    )
    response_completion_location = _location(
        "text in the answer", "GJSON path: choices.#.message.content, or generations.0.text."
    )
    stream_location = _location("stream flag in the request", "GJSON path: stream. Empty: the path never streams.")
    stream_response_completion_location = _location(
        "text in a message of a stream", "GJSON path: choices.#.delta.content. Needed for streams."
    )
    stream_end_word = _location("end word of a stream", "What the last message says: [DONE]. Needed for streams.")
    stream_max_empty_messages = forms.IntegerField(
        initial=0,
        min_value=0,
        label="most messages without text",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="So many in a row end a stream with an error. 0: never.",
    )

    class Meta:
        model = CustomRoute
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial.update(route_config(self.instance))

    def _post_clean(self) -> None:
        """The service checks route configs, together."""

    def config(self) -> dict[str, Any]:
        """The route config as the REST has it."""
        return {name: self.cleaned_data[name] for name in MEMBERS}


class CustomProviderForm(ServiceForm):
    """A custom provider without its paths: RouteConfigFormSet makes the change, with both."""

    field_of: ClassVar[dict[str, str]] = {"provider": "provider", "authentication_param": "authentication_param"}

    provider = _text("name", "Its name in paths and settings, in lower case. It cannot be changed.")
    authentication_param = _text(
        "authentication param",
        "The member of a setting that is sent as bearer, such as apikey. Empty: none is sent.",
        required=False,
    )

    class Meta:
        model = CustomProvider
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["provider"].disabled = True
            for name in self.fields:
                self.initial.setdefault(name, getattr(self.instance, name))

    def _post_clean(self) -> None:
        """The paths' formset makes the change."""

    def store_with(self, configs: list[dict[str, Any]]) -> CustomProvider:
        """Make the change. Raises Problem."""
        parameter = self.cleaned_data["authentication_param"]
        if self.instance._state.adding:
            return custom_services.create_custom_provider(
                provider=self.cleaned_data["provider"], route_configs=configs, authentication_param=parameter
            )
        return custom_services.update_custom_provider(
            self.instance.pk, route_configs=configs, authentication_param=parameter, replace=True
        )

    def refuse(self, problem: Problem) -> None:
        self._refuse(problem)


class RouteConfigFormSet(PaginationInlineFormSet):
    """The paths of a provider. Its last check is the change itself, of the provider and its paths in one.

    The admin checks the provider's form first and hands it over as `provider_form` of the instance; without it that
    form was refused, and nothing is changed.
    """

    refused = False
    # What the admin's log of changes names.
    new_objects: list[Any]
    changed_objects: list[tuple[Any, list[str]]]
    deleted_objects: list[Any]

    def clean(self) -> None:
        provider_form: CustomProviderForm | None = getattr(self.instance, "provider_form", None)
        if provider_form is None or any(self.errors):
            return
        kept = self._kept()
        try:
            with transaction.atomic():
                stored = provider_form.store_with([form.config() for form in kept])
        except Problem as problem:
            self.refused = True
            self._refuse(problem, provider_form, kept)
            return
        for field in CustomProvider._meta.concrete_fields:
            setattr(self.instance, field.attname, getattr(stored, field.attname))
        self._note_changes(kept)

    def is_valid(self) -> bool:
        return super().is_valid() and not self.refused

    def save(self, commit: bool = True) -> list[Any]:
        """The service has saved everything."""
        return []

    def _kept(self) -> list[RouteConfigForm]:
        return [
            form
            for form in cast("Iterable[RouteConfigForm]", self.forms)
            if (form in self.initial_forms or form.has_changed()) and not self._should_delete_form(form)
        ]

    def _refuse(self, problem: Problem, provider_form: CustomProviderForm, kept: list[RouteConfigForm]) -> None:
        """Show a refusal at the field it names, of the provider or of one of its paths."""
        named = problem.fields[0] if isinstance(problem, ValidationFailed) and problem.fields else ""
        config = _CONFIG.fullmatch(named)
        if config is None:
            provider_form.refuse(problem)
            return
        form = kept[int(config[1])]
        form.add_error(config[2] if config[2] in form.fields else None, problem.detail)

    def _note_changes(self, kept: list[RouteConfigForm]) -> None:
        changed = [form for form in kept if form.has_changed()]
        for form in changed:
            form.instance.path = form.cleaned_data["path"]
        self.new_objects = [form.instance for form in changed if form not in self.initial_forms]
        self.changed_objects = [(form.instance, form.changed_data) for form in changed if form in self.initial_forms]
        self.deleted_objects = [form.instance for form in self.initial_forms if form not in kept]
