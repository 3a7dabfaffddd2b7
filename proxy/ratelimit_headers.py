"""The key's own request window as the headers SDK users read."""

from proxy.flow import Reservation


def ratelimit_headers(reservation: Reservation, at: int) -> list[tuple[bytes, bytes]]:
    """x-ratelimit-{limit,remaining,reset}-requests for the request window; nothing without one."""
    for limit, (used, reserved) in zip(reservation.limits, reservation.usage, strict=False):
        if limit.counter.kind == "requests":
            remaining = max(limit.maximum - used - reserved, 0)
            return [
                (b"x-ratelimit-limit-requests", b"%d" % limit.maximum),
                (b"x-ratelimit-remaining-requests", b"%d" % remaining),
                (b"x-ratelimit-reset-requests", b"%ds" % max(limit.end_at - at, 0)),
            ]
    return []
