"""The attempts of a route in the books: each is charged for itself, the event has their sum."""

from collections.abc import Iterable

import msgspec

from gateway_project.shared import clock
from providers.records import TokenUsage
from proxy.flow import Meter
from proxy.visit import Visit
from reporting.records import AttemptRecord

MAX_TEXT = 255


def end_attempt(
    visit: Visit, *, cost_nano: int = 0, price_status: str = "free", error_code: str = "", input_tokens: int = 0
) -> None:
    """Write down the running attempt; the meter is then as before it. input_tokens: counted, when it failed."""
    call, plan, body, meter = visit.call, visit.plan, visit.body, visit.meter
    if meter.trying_since is None or call is None or plan is None or body is None:
        return
    ended = clock.perf() if meter.upstream_ended is None else meter.upstream_ended
    ended_attempt = AttemptRecord(
        provider=call.adapter.provider,
        setting_id=plan.setting.id,
        model=body.facts.model[:MAX_TEXT],
        status=meter.status,
        error_code=error_code[:MAX_TEXT],
        duration_ms=int((ended - meter.trying_since) * 1000),
        cost_nano=cost_nano,
        price_status=price_status,
        estimated=bool(input_tokens) or meter.usage_source == "counted",
        input_tokens=input_tokens,
    )
    meter.tried = (*meter.tried, ended_attempt)
    meter.trying_since = None
    meter.sent = False


def add_up(visit: Visit, cost_nano: int, price_status: str) -> tuple[int, str]:
    """(nano-dollars, price status) of all attempts. Given: those of the running one, if there is one."""
    end_attempt(visit, cost_nano=cost_nano, price_status=price_status, error_code=visit.meter.error_code)
    tried = visit.meter.tried
    return spent_nano(tried), _worst({attempt.price_status for attempt in tried})


def spent_nano(tried: Iterable[AttemptRecord]) -> int:
    return sum(attempt.cost_nano for attempt in tried)


def _worst(statuses: set[str]) -> str:
    """One attempt of unknown cost makes the cost of all unknown."""
    return next((status for status in ("unpriced", "priced") if status in statuses), "free")


def usage_of_all(meter: Meter) -> tuple[TokenUsage | None, str]:
    """(usage, usage source) of the answer, with the input of the attempts that came to nothing and were charged."""
    lost = sum(attempt.input_tokens for attempt in meter.tried)
    if not lost:
        return meter.usage, meter.usage_source
    if meter.usage is None:
        return TokenUsage(input_tokens=lost), "counted"
    usage = msgspec.structs.replace(meter.usage, input_tokens=meter.usage.input_tokens + lost)
    return usage, "counted" if meter.usage_source == "counted" else "partly_counted"
