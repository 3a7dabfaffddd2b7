"""The admin listener: Django."""

import orjson
from django.conf import settings

from gateway_project.servers.listening import Announce
from gateway_project.supervisor.roles.listener import serve, set_up_django


def run(announce: Announce) -> None:
    set_up_django("admin")
    from gateway_project.asgi import build_admin_listener  # noqa: PLC0415  (needs Django's apps)

    refusal = {
        "status": 413,
        "title": "request body too large",
        "type": "/errors/body-too-large",
        "detail": f"The body exceeds {settings.MAX_BODY_BYTES} bytes (MAX_BODY_BYTES).",
        "instance": "",
    }
    too_large = orjson.dumps(refusal)
    serve(
        lambda: build_admin_listener(too_large),
        announce,
        address=(settings.ADMIN_HOST, settings.ADMIN_PORT),
        too_large_body=too_large,
    )
