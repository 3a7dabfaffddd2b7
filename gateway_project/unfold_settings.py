"""How the admin site looks: names, colours, the sidebar. Everything is served by the gateway itself."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _file(name: str) -> Callable[[HttpRequest], str]:
    """A static file of ours, found when it is asked for: settings are read before Django is ready."""
    return lambda _request: static(f"gatehouse/{name}")


def _page(title: str, icon: str, model: str, page: str = "changelist") -> dict[str, Any]:
    """A sidebar entry for a model ("app.model"), for those who may see its rows."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_{page}"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


NAVIGATION = [
    {
        "items": [
            {"title": "Dashboard", "icon": "monitoring", "link": reverse_lazy("admin:index")},
            _page("Keys", "key", "keys.key"),
            _page("Provider settings", "hub", "providers.providersetting"),
            _page("Custom providers", "extension", "providers.customprovider"),
            _page("Routes", "alt_route", "routes.route"),
            _page("Prices", "sell", "providers.modelprice"),
        ],
    },
    {
        "title": "Usage",
        "separator": True,
        "items": [
            _page("Events", "receipt_long", "reporting.usageevent"),
            _page("Spend", "payments", "reporting.keyspend"),
            _page("Hourly usage", "schedule", "reporting.hourlyusage"),
            _page("Daily usage", "calendar_month", "reporting.dailyusage"),
        ],
    },
    {
        "title": "Machinery",
        "separator": True,
        "items": [
            _page("Spool cursors", "conveyor_belt", "reporting.spoolcursor"),
            _page("Rejected records", "report", "reporting.rejectedrecord"),
            _page("Configuration version", "commit", "gateway_project.configversion"),
            _page("Key changes", "published_with_changes", "gateway_project.keychange"),
            _page("Secret checks", "fingerprint", "gateway_project.secretcheck"),
            _page("Price lists", "inventory_2", "providers.loadedpricelist"),
        ],
    },
    {
        "title": "Staff",
        "separator": True,
        "items": [
            _page("Users", "person", "auth.user"),
            _page("Groups", "group", "auth.group"),
            _page("Changes made here", "history", "admin.logentry"),
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Gatehouse",
    "SITE_HEADER": "Gatehouse",
    "SITE_SUBHEADER": "AI gateway",
    "SITE_URL": None,
    "SITE_ICON": _file("gate.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _file("gate.svg")}],
    "SHOW_BACK_BUTTON": True,
    "STYLES": [_file("admin.css")],
    "SCRIPTS": [_file("admin.js")],
    "DASHBOARD_CALLBACK": "reporting.dashboard.dashboard_context",
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": NAVIGATION},
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
}
