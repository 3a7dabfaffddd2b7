"""The proxy listener: the data plane."""

import orjson
from django.conf import settings

from gateway_project.servers.listening import Announce
from gateway_project.supervisor.roles.listener import serve, set_up_django


def run(announce: Announce) -> None:
    set_up_django("proxy")
    from gateway_project.asgi import build_proxy_listener  # noqa: PLC0415  (needs Django's apps)

    refusal = {
        "error": {
            "message": f"The body exceeds {settings.MAX_BODY_BYTES} bytes (MAX_BODY_BYTES).",
            "type": "invalid_request_error",
            "param": None,
            "code": "body_too_large",
        }
    }
    serve(
        build_proxy_listener,
        announce,
        address=(settings.PROXY_HOST, settings.PROXY_PORT),
        too_large_body=orjson.dumps(refusal),
    )
