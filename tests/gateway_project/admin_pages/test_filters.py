"""What all lists are narrowed by: a period (presets, times of one's own), a choice, a condition, an exact value."""

from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.contrib.admin import ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q
from django.test import RequestFactory

from gateway_project.admin_pages.filters import ChoiceFilter, ConditionFilter, ExactFilter, PeriodFilter
from gateway_project.models import KeyChange

NOW = 1_763_640_000  # 2025-11-20 12:00 UTC


class ByDigest(ChoiceFilter):
    title = "digest"
    parameter_name = "picked"
    column = "digest"
    options = (("a", "A"), ("b", "B"))


class ByAge(ConditionFilter):
    title = "age"
    parameter_name = "picked"
    options = (("old", "Old"), ("new", "New"))

    def conditions(self) -> dict[str, Q]:
        return {"old": Q(created_at__lt=NOW), "new": Q(created_at__gte=NOW)}


class ExactlyDigest(ExactFilter):
    title = "digest"
    parameter_name = "picked"
    column = "digest"


def period(**query: str) -> PeriodFilter:
    request = RequestFactory().get("/", query)
    return PeriodFilter(request, {name: [value] for name, value in query.items()}, KeyChange, None)


def found(**query: str) -> set[int]:
    """Which of some rows an hour, a day and a year old, by their age in hours."""
    with time_machine.travel(NOW, tick=False):
        filtered = period(**query).queryset(RequestFactory().get("/"), KeyChange.objects.all())
    return {(NOW - at) // 3600 for at in filtered.values_list("created_at", flat=True)}


@pytest.fixture
def rows(db: None) -> None:
    for hours in (0, 5, 24 * 3, 24 * 300):
        KeyChange.objects.create(version=hours, digest="x", created_at=NOW - 3600 * hours)


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        ({}, {0, 5}),
        ({"when": "1h"}, {0}),
        ({"when": "7d"}, {0, 5, 72}),
        ({"when": "any"}, {0, 5, 72, 7200}),
        ({"when": "nonsense"}, {0, 5}),
        ({"q": "searched for"}, {0, 5, 72, 7200}),
        ({"q": "searched for", "when": "1h"}, {0}),
        ({"from": "2025-11-17T00:00", "to": "2025-11-20T11:00"}, {5, 72}),
        ({"to": "2025-11-20T11:00:00", "when": "1h"}, {5, 72, 7200}),
    ],
)
def test_it_finds_the_rows_of_a_period(rows: None, query: dict[str, str], hours: set[int]) -> None:
    assert found(**query) == hours


def test_what_is_no_time_is_refused(rows: None) -> None:
    with pytest.raises(IncorrectLookupParameters):
        found(**{"from": "yesterday"})


def test_it_links_to_its_presets_and_marks_the_one_that_holds() -> None:
    asked: list[Any] = []

    def query_string(new: dict[str, str], gone: list[str]) -> str:
        asked.append((new, gone))
        return "?x"

    changelist = SimpleNamespace(get_query_string=query_string)
    links = period(when="7d").links(changelist)
    assert [link["active"] for link in links] == [False, False, True, False, False]
    assert asked[0] == ({"when": "1h"}, ["from", "to", "p"])
    assert not any(link["active"] for link in period(**{"from": "2025-11-17T00:00"}).links(changelist))


def test_its_form_keeps_what_was_chosen() -> None:
    form = next(period(**{"from": "2025-11-17T00:00"}).choices(None))["form"]
    assert 'value="2025-11-17T00:00"' in str(form["from"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "picked", "versions"),
    [
        (ByDigest, "", {1, 2, 3}),
        (ByDigest, "a", {1, 3}),
        (ByDigest, "nobody", set()),
        (ByAge, "", {1, 2, 3}),
        (ByAge, "old", {1}),
        (ByAge, "new", {2, 3}),
        (ByAge, "nonsense", {1, 2, 3}),
        (ExactlyDigest, " ", {1, 2, 3}),
        (ExactlyDigest, " b ", {2}),
        (ExactlyDigest, "B", set()),
    ],
)
def test_it_keeps_the_rows_of_what_was_picked(kind: Any, picked: str, versions: set[int]) -> None:
    for version, digest, created_at in ((1, "a", NOW - 1), (2, "b", NOW), (3, "a", NOW)):
        KeyChange.objects.create(version=version, digest=digest, created_at=created_at)
    request = RequestFactory().get("/")
    chosen: ListFilter = kind(request, {"picked": [picked]}, KeyChange, None)
    kept = chosen.queryset(request, KeyChange.objects.all())
    assert kept is not None
    assert set(kept.values_list("version", flat=True)) == versions
