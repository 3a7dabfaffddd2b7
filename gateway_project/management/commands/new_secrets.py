"""`manage.py new_secrets`: a set of secrets for an installation on services."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from gateway_project.secrets_file import FILE_NAME, new_secrets, read_or_create_secrets


class Command(BaseCommand):
    help = "Print fresh secrets as NAME=value lines, for the environment of every process."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--keep", action="store_true", help=f"write them to {FILE_NAME} in the var folder, unless it is there"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["keep"]:
            read_or_create_secrets(settings.VAR_DIR)
            self.stdout.write(f"The secrets are in {settings.VAR_DIR / FILE_NAME}.")
            return
        for name, value in new_secrets().items():
            self.stdout.write(f"{name}={value}")
