"""Where callers reach the proxy, for the examples on admin pages."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def proxy_url(request: HttpRequest) -> str:
    """The host this page was asked under, with the proxy's port: as much as can be known here."""
    host = urlsplit(f"//{request.get_host()}").hostname or "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.PROXY_PORT}"
