"""Cross-origin answers for browsers. Source: WHATWG Fetch, CORS protocol. Never with credentials: keys are headers."""

from collections.abc import Mapping

Header = tuple[bytes, bytes]
EXPOSED = (
    b"x-request-id, retry-after, x-gateway-error, x-gateway-attempts, x-gateway-provider, x-gateway-model, "
    b"x-gateway-cache"
)


def answer_headers(origin: bytes, allowed: frozenset[str]) -> list[Header]:
    """Headers that let a page of this origin read the answer; none when the origin is not on the list."""
    if "*" not in allowed and origin.decode("latin-1") not in allowed:
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", EXPOSED),
        (b"vary", b"origin"),
    ]


def preflight_headers(asked: Mapping[bytes, bytes]) -> list[Header]:
    """What a preflight asks for is what it gets; the origin decides (answer_headers)."""
    return [
        (b"access-control-allow-methods", asked.get(b"access-control-request-method", b"*")),
        (b"access-control-allow-headers", asked.get(b"access-control-request-headers", b"*")),
        (b"access-control-max-age", b"3600"),
    ]
