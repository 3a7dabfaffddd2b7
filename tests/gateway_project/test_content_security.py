"""The admin site's own policy."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def policy_of(path: str) -> str:
    response = Client(HTTP_HOST="localhost:8001").get(path)
    return response.headers.get("Content-Security-Policy", "")


def test_the_admin_site_loads_nothing_from_elsewhere_and_no_inline_script() -> None:
    rules = dict(rule.split(" ", 1) for rule in policy_of("/admin/login/").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'unsafe-eval'"
    assert rules["frame-ancestors"] == "'none'"
    assert not [rule for rule in rules.values() if "http" in rule or "*" in rule]


def test_answers_without_a_page_have_it_too() -> None:
    assert policy_of("/admin/nowhere/") == policy_of("/admin/")
    assert policy_of("/admin/") == policy_of("/admin/login/")


def test_other_surfaces_are_left_alone() -> None:
    assert policy_of("/api/health") == ""
