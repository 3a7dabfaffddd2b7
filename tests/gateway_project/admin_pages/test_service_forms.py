"""Forms whose last check is the service's: its refusals stand at the right fields."""

from typing import Any, ClassVar

import pytest
from django import forms

from gateway_project.admin_pages.service_forms import ServiceForm
from gateway_project.models import KeyChange
from gateway_project.shared.problems import Conflict, Problem, ValidationFailed

pytestmark = pytest.mark.django_db


class Refusing(ServiceForm):
    """A form whose service writes a row and then says `problem`."""

    problem: ClassVar[Problem | None] = None
    field_of: ClassVar[dict[str, str]] = {"allowedPaths": "paths", "setting.url": "address"}
    paths = forms.CharField(label="allowed paths")
    address = forms.CharField(required=False)

    class Meta:
        model = KeyChange
        fields: ClassVar[list[str]] = []

    def store(self) -> KeyChange:
        row = KeyChange.objects.create(version=1, digest=self.cleaned_data["paths"], created_at=1)
        if self.problem:
            raise self.problem
        return row


def refused_with(problem: Problem) -> Any:
    form = type("Form", (Refusing,), {"problem": problem, "__module__": __name__})({"paths": "x"})
    assert not form.is_valid()
    return form.errors


def test_a_valid_form_has_been_stored() -> None:
    form = Refusing({"paths": "x"})
    assert form.is_valid()
    assert form.save(commit=False) == KeyChange.objects.get()
    assert form.fields["paths"].label == "Allowed paths"


def test_nothing_is_stored_of_what_is_refused_or_incomplete() -> None:
    refused_with(Conflict("taken"))
    assert not Refusing({"paths": ""}).is_valid()
    assert not KeyChange.objects.exists()


def test_a_refusal_stands_at_the_field_it_names() -> None:
    indexed = ValidationFailed(
        "fields [allowedPaths[0].path] are invalid: must begin", fields=("allowedPaths[0].path",)
    )
    assert refused_with(indexed) == {"paths": ["must begin"]}
    assert refused_with(ValidationFailed("no", fields=("setting.url",))) == {"address": ["no"]}


def test_any_other_refusal_stands_above_the_form() -> None:
    assert refused_with(Conflict("taken")) == {"__all__": ["taken"]}
    assert refused_with(ValidationFailed("odd", fields=("nothing known",))) == {"__all__": ["odd"]}
