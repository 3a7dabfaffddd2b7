import io
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError

from gateway_project.shared.commands import OperatorCommand
from gateway_project.shared.problems import NotFound


class Failing(OperatorCommand):
    """Raises what it is given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def run(self, **options: Any) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (NotFound("key not found"), "key not found"),
        (ImproperlyConfigured("X is not set"), "X is not set"),
        (OperationalError("connection refused\n\tIs it running?"), "connection refused"),
    ],
)
def test_it_tells_what_went_wrong_in_one_line(error: Exception, line: str) -> None:
    with pytest.raises(CommandError) as failed:
        call_command(Failing(error))
    assert line in str(failed.value)
    assert "\n" not in str(failed.value)
    assert failed.value.returncode == 1


def test_it_lets_bugs_through() -> None:
    with pytest.raises(ZeroDivisionError):
        call_command(Failing(ZeroDivisionError()))


def test_it_prints_columns_as_wide_as_they_need() -> None:
    command = OperatorCommand(stdout=io.StringIO())
    command.print_table(("A", "LONG"), [("wide", "x"), ("", "y")])
    assert command.stdout._out.getvalue() == "A     LONG\nwide  x\n      y\n"  # type: ignore[attr-defined]
