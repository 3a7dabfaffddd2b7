"""Admin forms whose rules are those of a service."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import ShowFacets
from django.core.exceptions import NON_FIELD_ERRORS
from django.db import transaction
from django.http import HttpRequest
from django.utils.text import capfirst
from unfold.admin import ModelAdmin

from gateway_project.shared.problems import Problem, ValidationFailed

_LISTED = re.compile(r"^fields \[.*?\] are invalid: ")


class ServiceForm(forms.ModelForm):
    """A form whose last check is the change itself: once it is valid, the service has made the change.

    So every rule is the service's own and its errors stand at the right fields. For views that ask is_valid() once,
    inside a transaction, as the admin's do; pair it with ServiceAdmin, which saves nothing more.
    field_of: form fields by the service's names for them (the stem: `tags` for `tags[0]`).
    """

    field_of: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if field.label:
                field.label = capfirst(field.label)

    def store(self) -> Any:
        """Make the change and return the row. Raises Problem."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.store()
        except Problem as problem:
            self._refuse(problem)

    def _refuse(self, problem: Problem) -> None:
        """Show a refusal at the field it names first, or above the form."""
        named = problem.fields if isinstance(problem, ValidationFailed) else ()
        known = [field for name in named if (field := self.form_field(name)) in self.fields]
        self.add_error(known[0] if known else NON_FIELD_ERRORS, _LISTED.sub("", problem.detail))

    def form_field(self, name: str) -> str:
        """The form field of what a service calls `name`."""
        return self.field_of.get(name) or self.field_of.get(re.split(r"[.\[]", name)[0], "")

    def _save_m2m(self) -> None:
        """The service has saved everything."""


class ServiceAdmin(ModelAdmin):
    """Pages whose changes are made by services: the form (a ServiceForm) has made them when it is valid."""

    show_facets = ShowFacets.NEVER  # they count the table once for every choice of every filter

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """No form for who may only look: the page then has read-only fields alone."""
        if obj is not None and not self.has_change_permission(request, obj):
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """The form's service has saved it."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        """The form's service has saved it."""
