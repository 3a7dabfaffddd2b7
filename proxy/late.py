"""Books the usage that is told after the work: of batches and runs, once each, however often one looks at them."""

import structlog

from gateway_project.shared import clock
from gateway_project.shared.ids import event_id_of
from providers.adapters.base import LateUsage
from providers.costs import cost_nano
from proxy.ledger import Ledger
from proxy.recorder import Recorder
from proxy.visit import Visit

logger = structlog.get_logger("proxy.late")
# Results are kept for 30 days. What ended at another time is nonsense, or was seen long ago and is forgotten here.
OLDEST_S = 31 * 86_400
AHEAD_S = 86_400
KEPT = 10_000


class LateBooks:
    """Each piece of work has an event of its own, whose id and time follow from the work's: the books take it once,
    whichever process brings it and however often. The key that looks first pays."""

    def __init__(self, recorder: Recorder, ledger: Ledger) -> None:
        self._recorder = recorder
        self._ledger = ledger
        self._booked: set[str] = set()

    def book(self, visit: Visit, late: LateUsage) -> None:
        """Write the event, if this process has not done so. Raises OSError when the disk does not take it."""
        plan, now = visit.plan, clock.now()
        if plan is None:
            return
        if not now - OLDEST_S <= late.ended_at <= now + AHEAD_S:
            logger.warning("late_usage_left_out", work=late.name[:64], ended_at=late.ended_at)
            return
        event_id = event_id_of(late.ended_at, f"{plan.setting.base_url} {late.name}")
        if event_id in self._booked:
            return
        price = plan.price_by_answer(late.model) if plan.price_by_answer else None
        cost = None if price is None else cost_nano(late.usage, price)
        self._recorder.record_late(visit, late, event_id, cost)
        if len(self._booked) >= KEPT:
            self._booked.clear()
        self._booked.add(event_id)
        if visit.reservation is not None and cost:
            # Only the books know whether it was new: the counters are loaded from them again.
            self._ledger.doubt(visit.reservation)
