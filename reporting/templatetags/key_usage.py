"""Template tags for pages of other apps that show what reporting knows."""

from typing import Any

from django import template

from gateway_project.admin_pages import formats
from gateway_project.shared import clock
from gateway_project.shared.windows import Window, window_at
from reporting.dashboard_queries import used_in

register = template.Library()
_TOTAL = ("total", 0, 0)


@register.inclusion_tag("admin/keys/key/usage.html", takes_context=True)
def key_usage(context: template.Context, key: Any, may_change: bool) -> dict[str, Any]:
    """What a key has used of its limits, by the books: what the proxies hold reserved at this moment is not in them."""
    now = clock.now()
    request = context["request"]
    expired = key.expires_at is not None and key.expires_at <= now
    shown = request.user.has_perm("reporting.view_keyspend")
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "key": key,
        "shown": shown,
        "cards": _cards(key, now) if shown else [],
        "revoked": key.revoked or expired,
        "revoked_title": f"Expired at {formats.utc(key.expires_at)} UTC." if expired else "Revoked.",
        "can_restore": may_change and key.revoked and not expired,
        "can_revoke": may_change and not key.revoked and not expired,
    }


def _cards(key: Any, now: int) -> list[dict[str, Any]]:
    rate = window_at(key.request_window_unit, now) if key.request_window_unit else None
    cost = window_at(key.cost_window_unit, now) if key.cost_window_unit else None
    places = [_TOTAL, *(_place(window, key) for window in (rate, cost) if window)]
    used = used_in(key.pk, places)
    requests, spent = used[_TOTAL]
    cards = [
        _card("Spent in total", spent, key.cost_limit_nano, formats.usd),
        {"title": "Requests in total", "figure": formats.compact(requests), "limit": ""},
    ]
    if cost:
        words = f"Spent this {key.get_cost_window_unit_display()}"
        cards.insert(1, _card(words, used[_place(cost, key)][1], key.cost_window_limit_nano, formats.usd, cost))
    if rate:
        words = f"Requests this {key.get_request_window_unit_display()}"
        cards.append(_card(words, used[_place(rate, key)][0], key.request_limit, formats.whole, rate))
    return cards


def _place(window: Window, key: Any) -> tuple[str, int, int]:
    return window.unit, window.start_at, key.counter_epoch


def _card(title: str, used: int, limit: int | None, write: Any, window: Window | None = None) -> dict[str, Any]:
    card: dict[str, Any] = {"title": title, "figure": write(used), "limit": "" if limit is None else write(limit)}
    if limit is not None:
        card["share"] = min(100, round(100 * used / limit)) if limit else 100
    if window:
        card["resets"] = formats.utc(window.end_at)
    return card
