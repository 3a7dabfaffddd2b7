"""The admin's forms of a route and its steps."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar, cast
from uuid import UUID

import orjson
from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.db import transaction
from django.utils.text import capfirst
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from gateway_project.admin_pages.service_forms import ServiceForm
from gateway_project.shared.problems import Problem, ValidationFailed
from providers.catalog import CATALOG, provider_choices
from routes import services
from routes.models import Route, RouteStep
from routes.rules import (
    DEFAULT_DEADLINE,
    DEFAULT_RETRY_INTERVAL,
    DEFAULT_TIMEOUT,
    DEFAULT_TTL,
    MAX_RETRIES,
    RouteFields,
    StepFields,
)
from routes.step_rules import route_providers

# Every parameter of any provider, once, in the order of the catalogue.
PARAMS = tuple(dict.fromkeys(name for kind in CATALOG.values() for name in kind.route_params))
_PARAM_LABELS = {"deploymentId": "deployment id", "apiVersion": "API version"}
_FORMATS = [
    ("", "Told by the first model: chat or embeddings"),
    ("openai_chat", "Chat completions"),
    ("openai_embeddings", "Embeddings"),
    ("openai_completions", "Completions"),
    ("openai_responses", "Responses"),
]
_STRATEGIES = [
    ("", "Constant: the step's interval"),
    ("exponential", "Exponential: growing, at random"),
]
_STEP = re.compile(r"steps\.\[(\d+)\]\.?(.*)")


def param_field(name: str) -> str:
    """The form field of a parameter of a step."""
    return f"param_{name}"


def step_provider_choices() -> list[tuple[str, str]]:
    known = route_providers()
    return [(name, label) for name, label in provider_choices() if name in known]


def _text(help_text: str, *, label: str | None = None, initial: str = "", required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label, initial=initial, required=required, help_text=help_text, widget=UnfoldAdminTextInputWidget
    )


def _param_fields() -> dict[str, forms.Field]:
    """A field for each parameter that any provider needs."""
    takers = {name: ", ".join(kind.label for kind in CATALOG.values() if name in kind.route_params) for name in PARAMS}
    return {
        param_field(name): _text(f"Only for {takers[name]}.", label=_PARAM_LABELS.get(name, name), required=False)
        for name in PARAMS
    }


class ObjectField(forms.CharField):
    """A JSON object; empty is one without members."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 2, "class": "gh-mono"})

    def clean(self, value: Any) -> dict[str, Any]:
        text = super().clean(value)
        if not text:
            return {}
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise forms.ValidationError(f"Write a JSON object: {error}") from error
        if not isinstance(document, dict):
            raise forms.ValidationError('Write a JSON object, such as {"temperature": 0}.')
        return document

    def prepare_value(self, value: Any) -> Any:
        return (orjson.dumps(value).decode() if value else "") if isinstance(value, dict) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


# Made from the catalogue, so that a further provider brings its fields along.
ParamForm = type("ParamForm", (forms.ModelForm,), {"__module__": __name__, **_param_fields()})


class StepForm(ParamForm):  # type: ignore[misc, valid-type]
    """One step. What it may hold is checked by the service, with the whole route."""

    field_of: ClassVar[dict[str, str]] = {
        "provider": "provider",
        "model": "model",
        "retries": "retries",
        "retryInterval": "retry_interval_text",
        "timeout": "timeout_text",
        "requestParams": "request_params",
        **{f"params.{name}": param_field(name) for name in PARAMS},
    }

    provider = forms.ChoiceField(
        choices=step_provider_choices,
        widget=UnfoldAdminSelectWidget,
        help_text="Every key of the route needs a setting of it.",
    )
    model = _text("Takes the place of the model in the request.")
    retries = forms.IntegerField(
        initial=0,
        min_value=0,
        max_value=MAX_RETRIES,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Further attempts before the next step.",
    )
    retry_interval_text = _text(
        "Between attempts: 500ms, 1s.", label="retry interval", initial=DEFAULT_RETRY_INTERVAL, required=False
    )
    timeout_text = _text("Of one attempt: 30s, 5m.", label="timeout", initial=DEFAULT_TIMEOUT, required=False)
    request_params = ObjectField(
        required=False,
        label="request parameters",
        help_text='Take the place of what the request has: {"temperature": 0, "max_tokens": 500}.',
    )
    position = forms.IntegerField(
        required=False,
        min_value=0,
        label="order",
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The lowest is tried first. Empty: after the others.",
    )

    class Meta:
        model = RouteStep
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if field.label:
                field.label = capfirst(field.label)
        if self.instance._state.adding:
            return
        for name in ("provider", "model", "retries", "retry_interval_text", "timeout_text", "request_params"):
            self.initial.setdefault(name, getattr(self.instance, name))
        self.initial.setdefault("position", self.instance.position)
        for name in PARAMS:
            self.initial.setdefault(param_field(name), self.instance.params.get(name, ""))

    def _post_clean(self) -> None:
        """The service checks steps, together."""

    def step_fields(self) -> StepFields:
        data = self.cleaned_data
        return {
            "provider": data["provider"],
            "model": data["model"],
            "params": {name: text for name in PARAMS if (text := data[param_field(name)])},
            "request_params": data["request_params"],
            "retries": data["retries"],
            "retry_interval": data["retry_interval_text"],
            "timeout": data["timeout_text"],
        }

    def refuse(self, member: str, reason: str) -> None:
        stem = member if member in self.field_of else re.split(r"[.\[]", member)[0]
        self.add_error(self.field_of.get(stem), reason)


class KeyPicker(AutocompleteSelectMultiple):
    """Finds keys as one types."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        """Shows what was chosen. What is no id names no key, and is not asked for."""
        return super().optgroups(name, [each for each in value if _is_id(each)], attrs)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


class RouteForm(ServiceForm):
    """A route without its steps: StepFormSet makes the change, with both."""

    field_of: ClassVar[dict[str, str]] = {
        "name": "name",
        "path": "path",
        "keyIds": "key_ids",
        "requestFormat": "request_format",
        "retryStrategy": "retry_strategy",
        "deadline": "deadline_text",
        "cacheConfig.ttl": "cache_ttl_text",
    }

    name = _text("For people; it need not be unique.")
    path = _text("Begins with a slash: callers send to /api/routes and this. An SDK adds /chat/completions by itself.")
    key_ids: ClassVar[Any] = forms.ModelMultipleChoiceField(
        queryset=None,
        label="keys",
        help_text="Who may call it. Each needs a setting of every provider of the steps.",
    )
    request_format = forms.ChoiceField(
        required=False,
        choices=_FORMATS,
        widget=UnfoldAdminSelectWidget,
        label="format",
        help_text="What callers send, in OpenAI's dialect.",
    )
    retry_strategy = forms.ChoiceField(
        required=False, choices=_STRATEGIES, widget=UnfoldAdminSelectWidget, label="waits between attempts"
    )
    deadline_text = _text(
        "For all attempts and waits together: 30s, 10m.", label="deadline", initial=DEFAULT_DEADLINE, required=False
    )
    cache_enabled = forms.BooleanField(
        required=False,
        label="keep answers",
        widget=UnfoldBooleanSwitchWidget,
        help_text="Answer equal requests of one key from what was answered before.",
    )
    cache_ttl_text = _text("How long: 5s, 168h, at most 30d.", label="for", initial=DEFAULT_TTL, required=False)
    cache_single_flight = forms.BooleanField(
        required=False,
        label="ask once",
        widget=UnfoldBooleanSwitchWidget,
        help_text="Equal requests at the same time wait for the first of them.",
    )

    class Meta:
        model = Route
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = Route._meta.get_field("keys")
        keys = cast("forms.ModelMultipleChoiceField[Any]", self.fields["key_ids"])
        keys.widget = KeyPicker(field, admin.site)
        keys.queryset = field.remote_field.model._default_manager.all()
        formats = cast("forms.ChoiceField", self.fields["request_format"])
        if self.instance._state.adding:
            return
        if self.instance.request_format not in dict(_FORMATS):
            formats.choices = [*_FORMATS, (self.instance.request_format, self.instance.request_format)]
        for name in self.fields:
            if name != "key_ids":
                self.initial.setdefault(name, getattr(self.instance, name))
        self.initial["key_ids"] = [link.key_id for link in self.instance.key_links.all()]

    def _post_clean(self) -> None:
        """The steps' formset makes the change."""

    def store_with(self, steps: list[StepFields]) -> Route:
        """Make the change. Raises Problem."""
        data = self.cleaned_data
        fields: RouteFields = {
            "name": data["name"],
            "path": data["path"],
            "key_ids": self._ordered([key.pk for key in data["key_ids"]]),
            "steps": steps,
            "request_format": data["request_format"],
            "retry_strategy": data["retry_strategy"],
            "deadline": data["deadline_text"],
            "cache_enabled": data["cache_enabled"],
            "cache_ttl": data["cache_ttl_text"],
            "cache_single_flight": data["cache_single_flight"],
        }
        if self.instance._state.adding:
            return services.create_route(**fields)
        return services.update_route(self.instance.pk, **fields)

    def _ordered(self, chosen: list[Any]) -> list[Any]:
        """The chosen keys: those the route had keep their order, new ones follow. A list widget has no order."""
        had = [each for each in self.initial.get("key_ids", []) if each in chosen]
        return had + [each for each in chosen if each not in had]

    def refuse(self, problem: Problem) -> None:
        self._refuse(problem)


class StepFormSet(PaginationInlineFormSet):
    """The steps of a route. Its last check is the change itself, of the route and the steps in one.

    The admin checks the route's form first and hands it over as `route_form` of the instance (RouteAdmin.save_form);
    without it that form was refused, and nothing is changed.
    """

    refused = False
    # What the admin's log of changes names.
    new_objects: list[Any]
    changed_objects: list[tuple[Any, list[str]]]
    deleted_objects: list[Any]

    def clean(self) -> None:
        route_form: RouteForm | None = getattr(self.instance, "route_form", None)
        if route_form is None or any(self.errors):
            return
        forms_ = self._kept()
        try:
            with transaction.atomic():
                stored = route_form.store_with([form.step_fields() for form in forms_])
        except Problem as problem:
            self.refused = True
            self._refuse(problem, route_form, forms_)
            return
        for field in Route._meta.concrete_fields:
            setattr(self.instance, field.attname, getattr(stored, field.attname))
        self._note_changes(forms_)

    def is_valid(self) -> bool:
        return super().is_valid() and not self.refused

    def save(self, commit: bool = True) -> list[Any]:
        """The service has saved everything."""
        return []

    def _kept(self) -> list[StepForm]:
        """The forms that are steps, in the order of their numbers; those without one come last."""
        kept = [
            form
            for form in cast("Iterable[StepForm]", self.forms)
            if (form in self.initial_forms or form.has_changed()) and not self._should_delete_form(form)
        ]
        positions = [form.cleaned_data["position"] for form in kept]
        ranks = [(position is None, position or 0, index) for index, position in enumerate(positions)]
        return [kept[index] for _, _, index in sorted(ranks)]

    def _refuse(self, problem: Problem, route_form: RouteForm, forms_: list[StepForm]) -> None:
        """Show a refusal at the field it names, of the route or of one of its steps."""
        named = problem.fields[0] if isinstance(problem, ValidationFailed) and problem.fields else ""
        step = _STEP.fullmatch(named)
        if step:
            reason = problem.detail.partition(" are invalid: ")[2]
            forms_[int(step[1])].refuse(step[2], capfirst(reason.removeprefix(named).strip()))
        else:
            route_form.refuse(problem)

    def _note_changes(self, kept: list[StepForm]) -> None:
        changed = [form for form in kept if form.has_changed()]
        for form in changed:
            form.instance.provider, form.instance.model = form.cleaned_data["provider"], form.cleaned_data["model"]
        self.new_objects = [form.instance for form in changed if form not in self.initial_forms]
        self.changed_objects = [(form.instance, form.changed_data) for form in changed if form in self.initial_forms]
        self.deleted_objects = [form.instance for form in self.initial_forms if form not in kept]
