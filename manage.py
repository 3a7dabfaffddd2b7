#!/usr/bin/env python
"""Django's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415  (settings must be named first)

    from gateway_project.env import SettingError  # noqa: PLC0415  (as above)

    try:
        execute_from_command_line(sys.argv)
    except SettingError as error:
        sys.exit(f"gatehouse: {error}")


if __name__ == "__main__":
    main()
