"""The admin REST described: OpenAPI for programs, Swagger UI for people."""

from typing import Any, ClassVar

from django.http import HttpRequest
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request

from gateway_project.shared.access import Access
from gateway_project.shared.rest import problem_response
from gateway_project.shared.rest_access import check_admin_access


class _ForAdmins:
    """A browser cannot send the password's header: whoever is signed in to the admin site may read as well."""

    access: ClassVar[Access] = "admin_rest"
    authentication_classes = ()
    permission_classes = ()

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)  # type: ignore[misc]
        # REST framework takes the session's user away, since no authentication class of its own found one.
        self._is_staff = _is_staff(request)

    def check_permissions(self, request: Request) -> None:
        if not self._is_staff:
            check_admin_access(request._request)

    def get_exception_handler(self) -> Any:
        return problem_response


class SchemaView(_ForAdmins, SpectacularAPIView):  # type: ignore[misc]
    renderer_classes = [OpenApiJsonRenderer]


class DocsView(_ForAdmins, SpectacularSwaggerSplitView):  # type: ignore[misc]
    url_name = "openapi"


def _is_staff(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_active and user.is_staff)
