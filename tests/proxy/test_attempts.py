"""Tests of how attempts stand in the books."""

from providers.records import TokenUsage
from proxy.attempts import add_up, end_attempt, spent_nano, usage_of_all
from proxy.flow import Meter
from proxy.visit import Visit
from reporting.records import AttemptRecord
from tests.proxy.builders import visit_of


def trying(visit: Visit, *, status: int) -> None:
    visit.meter.trying_since, visit.meter.upstream_ended, visit.meter.status = 10.0, 10.5, status
    visit.meter.sent = True


async def test_an_attempt_is_written_down_once() -> None:
    visit = visit_of(content=b'{"model":"gpt-4o"}')
    trying(visit, status=503)
    end_attempt(visit)
    end_attempt(visit)
    assert visit.meter.tried == (AttemptRecord("openai", "setting-1", "gpt-4o", status=503, duration_ms=500),)
    assert (visit.meter.sent, visit.meter.trying_since) == (False, None)


async def test_the_event_has_the_sum() -> None:
    visit = visit_of()
    trying(visit, status=0)
    end_attempt(visit, cost_nano=5, price_status="priced", error_code="upstream_timed_out", input_tokens=5)
    trying(visit, status=200)
    visit.meter.usage_source = "upstream"
    assert add_up(visit, 7, "priced") == (12, "priced")
    assert add_up(visit, 7, "priced") == (12, "priced")
    assert [(each.cost_nano, each.estimated) for each in visit.meter.tried] == [(5, True), (7, False)]


async def test_nothing_running_adds_nothing() -> None:
    visit = visit_of()
    trying(visit, status=503)
    end_attempt(visit)
    assert add_up(visit, 99, "priced") == (0, "free")
    assert spent_nano(visit.meter.tried) == 0


async def test_one_attempt_of_unknown_cost_makes_the_whole_unpriced() -> None:
    visit = visit_of()
    for status in ("unpriced", "priced", "free"):
        trying(visit, status=200)
        end_attempt(visit, cost_nano=1, price_status=status)
    assert add_up(visit, 0, "free") == (3, "unpriced")


def test_usage_holds_the_input_that_was_lost() -> None:
    lost = AttemptRecord("openai", "s", "m", input_tokens=8)
    told = TokenUsage(input_tokens=3, output_tokens=4)
    assert usage_of_all(Meter(tried=(lost, lost))) == (TokenUsage(input_tokens=16), "counted")
    assert usage_of_all(Meter(tried=(lost,), usage=told, usage_source="upstream")) == (
        TokenUsage(input_tokens=11, output_tokens=4), "partly_counted",
    )  # fmt: skip
    assert usage_of_all(Meter(tried=(lost,), usage=told, usage_source="counted"))[1] == "counted"
    none = AttemptRecord("openai", "s", "m", status=503)
    assert usage_of_all(Meter(tried=(none,), usage=told, usage_source="upstream")) == (told, "upstream")
