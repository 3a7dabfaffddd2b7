"""Tests of usage that is told after the work: in the books once, with a time of its own."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway_project.shared import clock
from gateway_project.shared.memory_counters import MemoryCounters
from providers.adapters.base import LateUsage
from providers.records import TokenUsage
from proxy.config import ProxyConfig
from proxy.flow import Reservation
from proxy.late import AHEAD_S, KEPT, OLDEST_S, LateBooks
from proxy.ledger import Ledger
from proxy.recorder import Recorder
from proxy.visit import Visit
from reporting.records import Charge, UsageEventRecord
from reporting.spool import SpoolWriter, list_spools, read_records
from tests.proxy.builders import visit_of
from tests.proxy_gateway import PEPPER, PlainDoors, price

CHARGES = (Charge("total", 0, 0),)


class Books:
    """Late books with a spool of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = Ledger(MemoryCounters(), PlainDoors(), lease_s=60)
        spool = SpoolWriter(root, "spool-1")
        self.late = LateBooks(Recorder(ProxyConfig(peppers=(PEPPER,), spool_root=root), spool), self.ledger)

    def stored(self) -> list[UsageEventRecord]:
        return [
            msgspec.json.decode(record, type=UsageEventRecord)
            for spool in list_spools(self.root)
            for record in read_records(spool, 0, 100_000, 1 << 28).records
        ]


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def looking() -> Visit:
    visit = visit_of("/batches/batch_1")
    assert visit.plan is not None
    visit.plan = msgspec.structs.replace(visit.plan, price_by_answer={"gpt-4o": price()}.get)
    visit.reservation = Reservation("id", "key:1", (), CHARGES)
    return visit


def late(**changes: Any) -> LateUsage:
    values = {
        "name": "batch_1",
        "ended_at": clock.now() - 60,
        "usage": TokenUsage(5, output_tokens=7),
        "model": "gpt-4o",
    }
    return LateUsage(**{**values, **changes})


async def test_it_is_an_event_of_its_own(books: Books) -> None:
    told = late()
    books.late.book(looking(), told)
    [event] = books.stored()
    assert (event.operation, event.created_at, event.requests, event.charges) == (
        "late_usage", told.ended_at, 0, CHARGES,
    )  # fmt: skip
    assert (event.input_tokens, event.output_tokens, event.cost_nano, event.price_status) == (5, 7, 19, "priced")
    assert (event.provider, event.setting_id, event.upstream_request_id) == ("openai", "setting-1", "batch_1")
    assert books.ledger.unsettled == 1  # the counters will ask the books


async def test_it_is_booked_once(books: Books) -> None:
    told = late()
    for each in (told, told, late(name="batch_2")):
        books.late.book(looking(), each)
    assert [event.upstream_request_id for event in books.stored()] == ["batch_1", "batch_2"]


async def test_servers_may_call_their_work_alike(books: Books) -> None:
    told, elsewhere = late(), looking()
    assert elsewhere.plan is not None
    setting = elsewhere.plan.setting.__class__(id="s2", provider="openai", base_url="http://other/v1")
    elsewhere.plan = msgspec.structs.replace(elsewhere.plan, setting=setting)
    books.late.book(looking(), told)
    books.late.book(elsewhere, told)
    first, second = books.stored()
    assert first.id != second.id


async def test_what_has_no_price_is_unpriced(books: Books) -> None:
    books.late.book(looking(), late(model="gpt-7"))
    [event] = books.stored()
    assert (event.cost_nano, event.price_status) == (0, "unpriced")
    assert books.ledger.unsettled == 0


@pytest.mark.parametrize("away_s", [-OLDEST_S - 10, AHEAD_S + 10])
async def test_a_time_that_cannot_be_is_left_out(books: Books, away_s: int) -> None:
    with capture_logs() as logs:
        books.late.book(looking(), late(ended_at=clock.now() + away_s))
    assert [line["event"] for line in logs] == ["late_usage_left_out"]
    assert books.stored() == []


async def test_what_it_remembers_is_bounded(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEPT > 1000
    monkeypatch.setattr("proxy.late.KEPT", 2)
    visit = looking()
    for number in range(5):
        books.late.book(visit, late(name=f"batch_{number}"))
    assert len(books.late._booked) <= 2
    assert len(books.stored()) == 5
