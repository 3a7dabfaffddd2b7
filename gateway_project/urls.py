"""The admin listener's URLs: Django's admin site and the admin REST of every app."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from gateway_project.api.docs import DocsView, SchemaView
from gateway_project.shared.access import allows
from gateway_project.shared.rest import not_found_view

handler400 = "gateway_project.shared.rest.bad_request_handler"
handler404 = "gateway_project.shared.rest.not_found_handler"
handler500 = "gateway_project.shared.rest.server_error_handler"

urlpatterns = [
    path("", allows("public")(RedirectView.as_view(pattern_name="admin:index"))),
    path("admin/", admin.site.urls),
    path("", include("gateway_project.api.urls")),
    path("", include("providers.api.urls")),
    path("", include("keys.api.urls")),
    path("", include("routes.api.urls")),
    *([path("", include("reporting.api.urls"))] if find_spec("reporting.api.urls") else []),
    path("api/openapi.json", SchemaView.as_view(), name="openapi"),
    path("api/docs/", DocsView.as_view(), name="docs"),
    # Last: what is under /api/ and matched nothing above is refused in the REST's own way.
    re_path(r"^api(/.*)?$", not_found_view),
]
