"""Is there room under the key's limits? Hold it."""

from gateway_project.shared import clock
from gateway_project.shared.counters import Limit, Refused
from gateway_project.shared.money import nano_to_usd
from gateway_project.shared.problems import AmountLimitReached, PermissionDenied, Problem, RateLimitReached
from keys.records import KeyRecord
from proxy.flow import Body, Call, IncomingRequest, Plan, Reservation
from proxy.ledger import Ledger, LimitReached

_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "mo": "month", "total": "total"}


def check_metered(key: KeyRecord, call: Call, body: Body, plan: Plan) -> None:
    """Raises PermissionDenied where a key with a cost limit would spend what nobody can bound."""
    if not key.has_cost_limit or call.operation.metering == "free":
        return
    if call.operation.metering == "unmetered" or body.facts.deferred:
        if not key.allow_unmetered:
            raise PermissionDenied(
                "The cost of this path cannot be told in advance, and the key has a cost limit. "
                "Set allowUnmetered on the key to let it pass.",
                code="unmetered_path",
            )
    elif plan.price is None:
        model = body.facts.model or "(no model named)"
        raise PermissionDenied(
            f"The model {model} has no price, and the key has a cost limit. Add a model price for it in the admin "
            "site, or a costMap to the provider setting.",
            code="model_unpriced",
        )


async def reserve(request: IncomingRequest, key: KeyRecord, plan: Plan, ledger: Ledger) -> Reservation:
    """Take the request and its estimate. Raises AmountLimitReached, RateLimitReached or Unavailable."""
    try:
        return await ledger.reserve(key, request.id, cost_nano=plan.estimate_nano, at=request.arrived_at)
    except LimitReached as reached:
        raise refusal(reached.refused, at=clock.now()) from reached


async def reserve_free(request: IncomingRequest, key: KeyRecord, ledger: Ledger) -> Reservation:
    """Take a request that costs nothing. Raises RateLimitReached or Unavailable."""
    try:
        return await ledger.reserve(key, request.id, cost_nano=None, at=request.arrived_at)
    except LimitReached as reached:
        raise refusal(reached.refused, at=clock.now()) from reached


def refusal(refused: Refused, *, at: int) -> Problem:
    """What a limit without room means to the client: wait (429), or do not come back (402)."""
    limit = refused.limit
    if limit.counter.kind == "requests":
        return _rate_refusal(limit, refused.used, at)
    extra = _figures(refused)
    if refused.used + limit.amount <= limit.maximum:
        return RateLimitReached(
            "Requests in flight hold the rest of this key's cost limit. Try again in a second.",
            code="cost_limit_held",
            retry_after_s=1,
            extra=extra,
        )
    text = (
        f"This request may cost up to {_usd(limit.amount)} USD; of the key's {_UNITS[limit.counter.unit]} "
        f"cost limit of {_usd(limit.maximum)} USD, {_usd(refused.used)} USD are spent."
    )
    advice = " Send a smaller max_tokens to lower what it may cost."
    fits_anew = limit.amount <= limit.maximum and limit.counter.unit != "total"
    if fits_anew:
        return RateLimitReached(text + advice, code="cost_limit_reached", retry_after_s=_wait(limit, at), extra=extra)
    return AmountLimitReached(text + (advice if limit.amount > 0 else ""), extra=extra)


def _rate_refusal(limit: Limit, used: int, at: int) -> Problem:
    unit = _UNITS[limit.counter.unit]
    return RateLimitReached(
        f"This key may make {limit.maximum} requests per {unit}; the next {unit} begins in {_wait(limit, at)} s.",
        retry_after_s=_wait(limit, at),
        extra={"limit": {"scope": "key", "unit": "requests", "limit": limit.maximum, "used": used,
                         "resets_at": limit.end_at}},
    )  # fmt: skip


def _figures(refused: Refused) -> dict[str, object]:
    limit = refused.limit
    return {
        "limit": {
            "scope": "key",
            "unit": "usd",
            "limit": nano_to_usd(limit.maximum),
            "used": nano_to_usd(refused.used),
            "reserved": nano_to_usd(refused.reserved),
            "resets_at": limit.end_at or None,
        }
    }


def _usd(nano: int) -> str:
    whole, _, rest = f"{nano / 1_000_000_000:.9f}".partition(".")
    return f"{whole}.{rest.rstrip('0'):0<2}"


def _wait(limit: Limit, at: int) -> int:
    return max(limit.end_at - at, 1)
