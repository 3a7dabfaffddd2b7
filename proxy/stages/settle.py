"""Close the books of a request: find the truth, record it, settle it. Exactly once, however it ended."""

import asyncio

import msgspec
import structlog

from gateway_project.shared.problems import Unavailable
from providers.costs import cost_nano
from providers.records import PriceRecord, TokenUsage
from proxy.attempts import add_up
from proxy.flow import Meter, Plan
from proxy.generation import count_generated, count_input, count_text, counted_usage
from proxy.late import LateBooks
from proxy.ledger import Ledger
from proxy.recorder import Recorder
from proxy.visit import Visit

logger = structlog.get_logger("proxy.settle")
# Operations whose tokens can be counted from their text.
_COUNTED = frozenset({"chat", "text_completion", "responses", "embeddings", "custom"})


def spool_full() -> Unavailable:
    return Unavailable(
        "The gateway cannot store its records: its disk does not take them. Nothing is served until it does.",
        code="spool_full",
        retry_after_s=5,
    )


class Settler:
    """Settles visits. A visit that was settled is never settled again."""

    def __init__(self, recorder: Recorder, ledger: Ledger) -> None:
        self._recorder = recorder
        self._ledger = ledger
        self._late = LateBooks(recorder, ledger)
        self._closing: set[asyncio.Task[None]] = set()

    def check_room(self) -> None:
        """Raises Unavailable while the disk does not take records: nothing is asked for that cannot be booked."""
        if not self._recorder.has_room:
            raise spool_full()

    async def close(self, visit: Visit) -> None:
        """Record and settle. Raises Unavailable when the event cannot be stored (the answer must not end then)."""
        if visit.meter.recorded:
            return
        if _must_count(visit):
            await self.close_surely(visit)
        else:
            # No await before the record is written: a cancelled request is recorded whole or not at all.
            await self._book(visit)

    async def close_surely(self, visit: Visit) -> None:
        """Close although the request's task is being cancelled, also if it is cancelled again meanwhile."""
        task = visit.meter.closing
        if task is None:
            task = visit.meter.closing = asyncio.ensure_future(self._count_and_book(visit))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        await asyncio.shield(task)

    async def _count_and_book(self, visit: Visit) -> None:
        if _must_count(visit):
            await self._find_usage(visit)
        await self._book(visit)

    async def _book(self, visit: Visit) -> None:
        meter = visit.meter
        if meter.recorded:
            return
        cost, status = _cost(visit)
        if visit.call is not None and visit.call.route is not None:
            cost, status = add_up(visit, cost, status)
        try:
            if meter.late is not None:
                self._late.book(visit, meter.late)  # first: where the request is in the books, this is as well
            self._recorder.record(visit, cost_nano=cost, price_status=status)
        except OSError as error:
            logger.error("event_not_stored", request_id=visit.request.id, reason=str(error))
            # The reservation stays: what cannot be booked is not given back either.
            raise spool_full() from error
        meter.recorded = True
        if visit.reservation is not None:
            await self._ledger.settle(visit.reservation, cost_nano=cost)

    async def drain(self) -> None:
        """Wait for the closes that outlived their requests."""
        if self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def _find_usage(self, visit: Visit) -> None:
        """Fill in what the provider did not tell: counted from what went in and what came out."""
        call, body, meter = visit.call, visit.body, visit.meter
        if call is None or body is None:
            return
        operation = call.operation
        model = meter.response_model or body.facts.model
        generated, meter.generated = meter.generated, []
        output = meter.counted_output_tokens + await count_generated(call.adapter, operation, generated, model)
        output += await count_text(meter.answered, model)
        if meter.begun is not None:
            # The provider has told what went in, and of what came out only the beginning.
            meter.usage = msgspec.structs.replace(meter.begun, output_tokens=max(meter.begun.output_tokens, output))
        else:
            meter.usage = counted_usage(operation, input_tokens=await count_input(body, model), output_tokens=output)
        meter.usage_source = "counted"


def _must_count(visit: Visit) -> bool:
    """True when tokens were spent and nobody told how many."""
    call, meter = visit.call, visit.meter
    if call is None or visit.body is None or not meter.sent or meter.usage is not None or meter.uncountable:
        return False
    return call.operation.name in _COUNTED and not _is_upstream_error(meter)


def _is_upstream_error(meter: Meter) -> bool:
    """The provider answered in full, with an error or a redirect: it bills nothing for that."""
    return not 200 <= meter.status < 300 and meter.ending == "completed" and meter.usage is None


def _cost(visit: Visit) -> tuple[int, str]:
    """(nano-dollars, price status). What was sent and cannot be counted costs its estimate."""
    call, plan, meter = visit.call, visit.plan, visit.meter
    if call is None or plan is None or not meter.sent or call.operation.metering == "free":
        return 0, "free"
    if _is_upstream_error(meter):
        return 0, "free"
    price = _price(plan, meter)
    if price is None:
        return 0, "unpriced" if meter.late is None else "free"
    if meter.usage is None and call.operation.name == "speech" and price.character_pico is not None:
        meter.usage, meter.usage_source = (
            TokenUsage(characters=visit.body.facts.characters if visit.body else 0),
            "counted",
        )
    if meter.usage is None:
        return plan.estimate_nano, "priced"
    if meter.service_tier and not meter.usage.service_tier:
        meter.usage = msgspec.structs.replace(meter.usage, service_tier=meter.service_tier)
    cost = cost_nano(meter.usage, price)
    if cost is None:
        # Units without a price: a limit on cost must hold nevertheless.
        return (plan.estimate_nano if visit.key.has_cost_limit else 0), "unpriced"
    return cost, "priced"


def _price(plan: Plan, meter: Meter) -> PriceRecord | None:
    """The price that holds: where the answer's model decides, that model's, if it has one."""
    if plan.price_by_answer is None or meter.usage is None or not meter.response_model:
        return plan.price
    return plan.price_by_answer(meter.response_model) or plan.price
