"""Who may use the admin REST: the holder of ADMIN_PASS; without one, only this machine, asked directly."""

import hmac
import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

from gateway_project.shared.problems import PermissionDenied, Unauthenticated

PASSWORD_HEADER = "X-API-KEY"  # noqa: S105  The header's name.
FORWARDING_HEADERS = ("Forwarded", "X-Real-IP", "Via", "CF-Connecting-IP", "True-Client-IP")
_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::\d+)?")
_REMEDY = "Set ADMIN_PASS and send it in the header X-API-KEY to use the admin REST from elsewhere."


def check_admin_access(request: HttpRequest) -> None:
    """Raises Unauthenticated (wrong or no password) or PermissionDenied (no password set, not this machine)."""
    password: str | None = getattr(settings, "ADMIN_PASS", None)
    if password:
        _check_password(request.headers.get(PASSWORD_HEADER, ""), password)
    else:
        _check_loopback(request)


def _check_password(given: str, password: str) -> None:
    # Header values arrive decoded as latin-1, whatever the client's bytes were.
    if not hmac.compare_digest(given.encode("latin-1", "replace"), password.encode()):
        raise Unauthenticated(f"The header {PASSWORD_HEADER} is missing or is not the admin password.")


def _check_loopback(request: HttpRequest) -> None:
    """A loopback peer may be a tunnel or a browser under a foreign page; their headers give them away."""
    if not _is_loopback(str(request.META.get("REMOTE_ADDR", ""))):
        raise PermissionDenied(f"ADMIN_PASS is not set, so only this machine is answered. {_REMEDY}")
    host = request.headers.get("Host", "")
    if not _is_loopback(_hostname(host)):
        raise PermissionDenied(f"ADMIN_PASS is not set, so the Host must be localhost or 127.0.0.1. {_REMEDY}")
    if any(name.lower().startswith("x-forwarded") for name in request.headers) or any(
        name in request.headers for name in FORWARDING_HEADERS
    ):
        raise PermissionDenied(f"ADMIN_PASS is not set, so forwarded requests are refused. {_REMEDY}")
    origin = request.headers.get("Origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        raise PermissionDenied(f"ADMIN_PASS is not set, so other sites' pages are refused. {_REMEDY}")


def _hostname(host: str) -> str:
    """The Host header without its port and brackets; "" for what is none."""
    parts = _HOST.fullmatch(host)
    return (parts["address"] or parts["name"]) if parts else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
