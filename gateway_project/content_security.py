"""The admin site's own content security policy: nothing from elsewhere, no inline script."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Alpine, which the theme is built on, evaluates the expressions in its attributes: hence unsafe-eval. Styles are
# written inline by the theme and by Chart.js.
ADMIN_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def admin_content_security(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: the policy on every answer under /admin/; other surfaces have their own."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path_info.startswith("/admin/"):
            response.headers.setdefault("Content-Security-Policy", ADMIN_POLICY)
        return response

    return respond
