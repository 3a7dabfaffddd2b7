"""manage.py load_prices."""

from io import StringIO

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_it_says_what_it_did_and_then_that_nothing_is_to_do() -> None:
    first, second = StringIO(), StringIO()
    call_command("load_prices", stdout=first)
    call_command("load_prices", stdout=second)
    assert " added, 0 ended." in first.getvalue()
    assert "nothing to do" in second.getvalue()
