"""What the operator is told when the gateway is up."""

from django.conf import settings

from gateway_project.checks import is_loopback
from gateway_project.supervisor.prepare import ADMIN_USER, PASSWORD_FILE

_EVERYWHERE = ("0.0.0.0", "::", "")


def banner(roles: frozenset[str], new_password: str | None) -> list[str]:
    """Lines for people. The password is shown in this one and never again."""
    lines = ["", "Gatehouse is ready."]
    if "admin" in roles:
        lines += _admin_lines(new_password)
    if "proxy" in roles:
        url = _url(settings.PROXY_HOST, settings.PROXY_PORT)
        reach = "this machine only" if is_loopback(settings.PROXY_HOST) else f"bound to {settings.PROXY_HOST}"
        lines.append(f"  proxy       {url}/api/providers/openai/v1   ({reach})")
    if "worker" in roles:
        lines.append(f"  worker      events, schedules; files under {settings.VAR_DIR}")
    return [*lines, "  Ctrl-C stops it.", ""]


def _admin_lines(new_password: str | None) -> list[str]:
    url = _url(settings.ADMIN_HOST, settings.ADMIN_PORT)
    kept_in = settings.VAR_DIR / PASSWORD_FILE
    lines = [f"  admin site  {url}/admin/"]
    if new_password:
        lines.append(f"              user {ADMIN_USER}, password {new_password}   (shown once; kept in {kept_in})")
    if settings.ADMIN_PASS:
        lines.append(f"  admin REST  {url}/api/   (header X-API-KEY: your ADMIN_PASS)")
    else:
        lines.append(f"  admin REST  {url}/api/   (without ADMIN_PASS it answers this machine only)")
    return lines


def _url(host: str, port: int) -> str:
    name = "localhost" if host in _EVERYWHERE or is_loopback(host) else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
