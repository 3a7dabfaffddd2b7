"""What the two roles that listen have in common: Django, logs, the chosen server."""

import importlib
import os
from collections.abc import Callable

import django
from django.conf import settings

from gateway_project.logs import configure_logging
from gateway_project.servers.listening import Announce, Application, ServerConfig


def set_up_django(role: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    configure_logging(mode=settings.GATEWAY_LOG_MODE, privacy=settings.GATEWAY_PRIVACY, role=role)
    django.setup(set_prefix=False)


def serve(
    build: Callable[[], Application], announce: Announce, *, address: tuple[str, int], too_large_body: bytes
) -> None:
    """Serve with the server that GATEWAY_SERVER names. It is imported first: Daphne must choose the event loop."""
    server = importlib.import_module(f"gateway_project.servers.{settings.GATEWAY_SERVER}")
    config = ServerConfig(
        host=address[0],
        port=address[1],
        stop_grace_s=settings.STOP_GRACE_S,
        slow_sender_s=settings.SLOW_SENDER_TIMEOUT_S,
        max_body_bytes=settings.MAX_BODY_BYTES,
        too_large_body=too_large_body,
    )
    server.serve(build(), config, announce)
