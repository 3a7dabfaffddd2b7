"""Tests of closing the books: the truth, once, however a request ended."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway_project.shared.memory_counters import MemoryCounters
from gateway_project.shared.problems import Unavailable
from providers.records import TokenUsage
from proxy.config import ProxyConfig
from proxy.ledger import Ledger
from proxy.recorder import Recorder
from proxy.stages.settle import Settler
from proxy.visit import Visit
from reporting.records import UsageEventRecord
from reporting.spool import SpoolWriter, list_spools, read_records
from tests.proxy.builders import visit_of
from tests.proxy_gateway import PEPPER, PlainDoors, key, price

CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
EVENT = b'data: {"choices":[{"delta":{"content":"one two three"}}]}\n\n'


class Books:
    """A settler with a real spool and real counters."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spool = SpoolWriter(root, "spool-1")
        self.counters = MemoryCounters()
        self.ledger = Ledger(self.counters, PlainDoors(), lease_s=90)
        self.recorder = Recorder(ProxyConfig(peppers=(PEPPER,), spool_root=root), self.spool)
        self.settler = Settler(self.recorder, self.ledger)

    def events(self) -> list[UsageEventRecord]:
        batch = read_records(list_spools(self.root)[0], 0, 100, 1 << 20)
        return [msgspec.json.decode(record, type=UsageEventRecord) for record in batch.records]

    async def visit(self, tail: str = "/chat/completions", content: bytes = CHAT, **changes: Any) -> Visit:
        owner = changes.pop("owner", key(cost_limit_nano=10_000))
        visit = visit_of(tail, content, key=owner)
        if visit.plan is not None and changes:
            visit.plan = msgspec.structs.replace(visit.plan, **changes)
        visit.reservation = await self.ledger.reserve(owner, visit.request.id, cost_nano=1000, at=1_800_000_000)
        return visit

    def used(self) -> tuple[int, int]:
        counter = self.counters._subjects[f"key:{key().id}"].counters["cost", "total"]
        return counter.used, counter.reserved


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.spool.close()


async def test_the_providers_usage_is_the_truth(books: Books) -> None:
    visit = await books.visit()
    visit.meter.usage, visit.meter.usage_source = TokenUsage(input_tokens=3, output_tokens=4), "upstream"
    await books.settler.close(visit)
    [event] = books.events()
    assert (event.cost_nano, event.price_status, event.usage_source) == (3 + 8, "priced", "upstream")
    assert books.used() == (11, 0)


async def test_what_it_does_not_tell_is_counted(books: Books) -> None:
    visit = await books.visit()
    visit.meter.generated, visit.meter.counted_output_tokens = [EVENT, EVENT], 10
    await books.settler.close(visit)
    [event] = books.events()
    assert (event.input_tokens, event.output_tokens, event.usage_source) == (8, 16, "counted")
    assert books.used() == (8 + 32, 0)


async def test_what_the_provider_told_of_the_input_stands_when_only_the_output_is_counted(books: Books) -> None:
    visit = await books.visit()
    visit.meter.generated = [EVENT]
    visit.meter.begun = TokenUsage(input_tokens=100, cache_read_tokens=20, output_tokens=1)
    await books.settler.close(visit)
    [event] = books.events()
    assert (event.input_tokens, event.cache_read_tokens, event.usage_source) == (100, 20, "counted")
    assert event.output_tokens == 3
    assert books.used() == (120 + 6, 0)


async def test_books_are_closed_once(books: Books) -> None:
    visit = await books.visit()
    for _ in range(3):
        await books.settler.close(visit)
        await books.settler.close_surely(visit)
    assert len(books.events()) == 1
    assert books.used()[1] == 0


async def test_closing_at_once_from_two_sides_books_once(books: Books) -> None:
    visit = await books.visit()
    visit.meter.generated = [EVENT]
    await asyncio.gather(*(books.settler.close(visit) for _ in range(5)), books.settler.close_surely(visit))
    assert len(books.events()) == 1


async def test_a_request_that_is_cancelled_while_it_is_counted_is_booked_all_the_same(books: Books) -> None:
    visit = await books.visit()
    visit.meter.generated = [EVENT] * 2000
    closing = asyncio.ensure_future(books.settler.close(visit))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert closing.cancelled()
    await books.settler.drain()
    [event] = books.events()
    assert event.output_tokens == 6000
    assert books.used() == (event.cost_nano, 0)


@pytest.mark.parametrize(
    ("status", "sent", "ending", "cost"),
    [
        (429, True, "completed", 0),
        (500, True, "completed", 0),
        (307, True, "completed", 0),
        (200, False, "upstream_failed", 0),
        (502, True, "upstream_failed", 8),
        (499, True, "client_left", 8),
    ],
)
async def test_only_what_the_provider_may_bill_costs(
    books: Books, status: int, sent: bool, ending: Any, cost: int
) -> None:
    visit = await books.visit()
    visit.meter.status, visit.meter.sent, visit.meter.ending = status, sent, ending
    await books.settler.close(visit)
    [event] = books.events()
    assert event.cost_nano == cost
    assert event.price_status == ("priced" if cost else "free")
    assert books.used() == (cost, 0)


async def test_what_cannot_be_counted_costs_its_estimate(books: Books) -> None:
    visit = await books.visit("/images/generations", b'{"prompt":"x"}')
    await books.settler.close(visit)
    unreadable = await books.visit()
    unreadable.meter.uncountable = True
    await books.settler.close(unreadable)
    assert [(event.cost_nano, event.usage_source) for event in books.events()] == [(1000, "none")] * 2


async def test_speech_is_billed_by_what_was_to_be_spoken(books: Books) -> None:
    row = price(input_pico=None, output_pico=None, character_pico=15_000_000)
    visit = await books.visit("/audio/speech", b'{"input":"12345"}', price=row)
    await books.settler.close(visit)
    [event] = books.events()
    assert (event.characters, event.cost_nano, event.usage_source) == (5, 75_000, "counted")


async def test_what_has_no_price_is_unpriced_and_never_free(books: Books) -> None:
    visit = await books.visit(owner=key(), price=None)
    visit.meter.usage = TokenUsage(input_tokens=3)
    await books.settler.close(visit)
    unknown_unit = await books.visit(owner=key())
    unknown_unit.meter.usage = TokenUsage(images=2)
    await books.settler.close(unknown_unit)
    limited = await books.visit()
    limited.meter.usage = TokenUsage(images=2)
    await books.settler.close(limited)
    assert [(event.cost_nano, event.price_status) for event in books.events()] == [
        (0, "unpriced"), (0, "unpriced"), (1000, "unpriced"),
    ]  # fmt: skip


async def test_what_is_free_costs_nothing(books: Books) -> None:
    visit = await books.visit("/files", owner=key())
    await books.settler.close(visit)
    [event] = books.events()
    assert (event.cost_nano, event.price_status, event.usage_source) == (0, "free", "none")


async def test_what_cannot_be_stored_is_not_settled_and_refuses_what_comes(books: Books, monkeypatch: Any) -> None:
    visit = await books.visit()
    visit.meter.usage = TokenUsage(input_tokens=1)

    def full(_: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(books.spool, "append", full)
        with pytest.raises(Unavailable) as caught:
            await books.settler.close(visit)
        assert caught.value.code == "spool_full"
        with pytest.raises(Unavailable):
            books.settler.check_room()
    assert books.used() == (0, 1000)
    books.recorder.probe()
    books.settler.check_room()
    await books.settler.close(visit)
    assert books.used() == (1, 0)


async def test_draining_with_nothing_to_wait_for_is_quick(books: Books) -> None:
    await books.settler.drain()
