"""Whether the gateway lives, and whether it can do its work."""

import logging
from typing import ClassVar

from django.db import DatabaseError, InterfaceError, connection
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.shared.access import Access
from gateway_project.shared.rest import AdminView

log = logging.getLogger(__name__)


class HealthView(AdminView):
    """Alive: the process answers. Nothing else is asked, so a broken database does not get it restarted."""

    access: ClassVar[Access] = "public"

    @extend_schema(operation_id="health", responses={200: OpenApiResponse(description="Alive; no body.")})
    def get(self, request: Request) -> Response:
        return Response()


class ReadyView(AdminView):
    """Ready: the database answers, too."""

    access: ClassVar[Access] = "public"

    @extend_schema(
        operation_id="ready",
        responses={
            200: OpenApiResponse(description='{"status": "ready", "checks": {"database": "ok"}}'),
            503: OpenApiResponse(description='The same with "unavailable" for what does not answer.'),
        },
    )
    def get(self, request: Request) -> Response:
        database = _database_answers()
        body = {
            "status": "ready" if database else "unavailable",
            "checks": {"database": "ok" if database else "unavailable"},
        }
        return Response(body, 200 if database else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError) as error:
        log.warning("readiness: the database does not answer: %s", error)
        return False
    return True
