"""Management commands for operators: what goes wrong is told in one line, with exit code 1."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from gateway_project.shared.problems import Problem


class OperatorCommand(BaseCommand):
    """Subclasses write `run` and let problems of ours, the settings and the database pass."""

    def run(self, **options: Any) -> None:
        """What the command does. options: the parsed arguments, and Django's."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.run(**options)
        except Problem as error:
            raise CommandError(error.detail) from error
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            reason = str(error).strip().partition("\n")[0]
            raise CommandError(f"the database does not do it: {reason} (is it up, and migrated?)") from error

    def print_table(self, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Columns as wide as their widest cell."""
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        for row in (head, *rows):
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
