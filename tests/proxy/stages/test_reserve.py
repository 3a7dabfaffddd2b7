"""Tests of what limits mean to a client."""

import pytest

from gateway_project.shared.counters import CounterId, Limit, LimitKind, Refused
from gateway_project.shared.memory_counters import MemoryCounters
from gateway_project.shared.problems import AmountLimitReached, PermissionDenied, Problem, RateLimitReached
from proxy.ledger import Ledger
from proxy.stages.reserve import check_metered, refusal, reserve, reserve_free
from tests.proxy.builders import body_of, call_of, incoming, visit_of
from tests.proxy_gateway import PlainDoors, key

AT = 1_000


def refused(
    kind: LimitKind, unit: str, *, end_at: int = 0, maximum: int = 1_000_000_000, amount: int = 400_000_000,
    used: int = 0, reserved: int = 0,
) -> Problem:  # fmt: skip
    limit = Limit(CounterId(kind, unit, 0, 0), end_at, maximum, amount)
    return refusal(Refused(limit, used, reserved), at=AT)


def test_too_many_requests_wait_for_the_next_window() -> None:
    problem = refused("requests", "m", end_at=AT + 20, maximum=5, amount=1, used=5)
    assert isinstance(problem, RateLimitReached)
    assert (problem.code, problem.retry_after_s) == ("rate_limit_reached", 20)
    assert problem.detail == "This key may make 5 requests per minute; the next minute begins in 20 s."
    assert problem.extra["limit"] == {"scope": "key", "unit": "requests", "limit": 5, "used": 5, "resets_at": AT + 20}


def test_a_window_that_ends_now_is_waited_for_a_second() -> None:
    assert refused("requests", "s", end_at=AT, maximum=1, amount=1, used=1).retry_after_s == 1


def test_what_only_others_hold_comes_back_at_once() -> None:
    problem = refused("cost", "total", used=500_000_000, reserved=300_000_000)
    assert isinstance(problem, RateLimitReached)
    assert (problem.code, problem.retry_after_s) == ("cost_limit_held", 1)


def test_spent_money_does_not_come_back() -> None:
    problem = refused("cost", "total", used=700_000_000)
    assert isinstance(problem, AmountLimitReached)
    assert problem.retry_after_s is None
    assert problem.detail == (
        "This request may cost up to 0.40 USD; of the key's total cost limit of 1.00 USD, 0.70 USD are spent. "
        "Send a smaller max_tokens to lower what it may cost."
    )
    assert problem.extra["limit"] == {
        "scope": "key", "unit": "usd", "limit": 1.0, "used": 0.7, "reserved": 0.0, "resets_at": None,
    }  # fmt: skip


def test_money_of_a_window_comes_back_with_the_next_one() -> None:
    problem = refused("cost", "d", end_at=AT + 500, used=700_000_000)
    assert isinstance(problem, RateLimitReached)
    assert (problem.code, problem.retry_after_s) == ("cost_limit_reached", 500)


def test_what_never_fits_is_not_to_be_tried_again() -> None:
    problem = refused("cost", "d", end_at=AT + 500, amount=1_000_000_001)
    assert isinstance(problem, AmountLimitReached)


def test_a_request_that_costs_nothing_gets_no_advice_on_its_cost() -> None:
    problem = refused("cost", "total", amount=0, used=1_000_000_001)
    assert isinstance(problem, AmountLimitReached)
    assert "max_tokens" not in problem.detail


@pytest.mark.parametrize(
    ("nano", "shown"), [(1, "0.000000001"), (40, "0.00000004"), (1_500_000_000, "1.50"), (10**12, "1000.00")]
)
def test_small_amounts_are_shown_in_full(nano: int, shown: str) -> None:
    assert f"may cost up to {shown} USD" in refused("cost", "total", amount=nano, used=10**15).detail


async def test_a_request_without_room_is_a_problem() -> None:
    ledger = Ledger(MemoryCounters(), PlainDoors(), lease_s=90)
    owner = key(request_limit=1, request_window_unit="d")
    plan = visit_of().plan
    assert plan is not None
    assert (await reserve(incoming(), owner, plan, ledger)).limits
    with pytest.raises(RateLimitReached):
        await reserve(incoming(), owner, plan, ledger)


async def test_only_what_can_be_bounded_passes_under_a_cost_limit() -> None:
    plan = visit_of().plan
    assert plan is not None
    limited = key(cost_limit_nano=1)
    unpriced = visit_of().plan
    body = body_of(b'{"model":"gpt-7"}')
    check_metered(limited, call_of(), body, plan)
    check_metered(limited, call_of("/files"), body, plan)
    check_metered(limited, call_of("/models", "GET"), body, plan)
    check_metered(key(), call_of("/batches"), body, plan)
    check_metered(key(cost_limit_nano=1, allow_unmetered=True), call_of("/batches"), body, plan)
    with pytest.raises(PermissionDenied, match="allowUnmetered") as caught:
        check_metered(limited, call_of("/batches"), body, plan)
    assert caught.value.code == "unmetered_path"
    deferred = body_of(b'{"model":"gpt-4o","background":true}', "/responses")
    with pytest.raises(PermissionDenied, match="allowUnmetered"):
        check_metered(limited, call_of("/responses"), deferred, plan)
    assert unpriced is not None
    without_price = type(plan)(plan.setting, plan.request, 1.0, None, 0)
    with pytest.raises(PermissionDenied, match="gpt-7") as caught:
        check_metered(key(cost_window_limit_nano=1, cost_window_unit="d"), call_of(), body, without_price)
    assert caught.value.code == "model_unpriced"
    check_metered(key(request_limit=1, request_window_unit="d"), call_of(), body, without_price)


async def test_what_costs_nothing_is_refused_only_for_too_many_requests() -> None:
    ledger = Ledger(MemoryCounters(), PlainDoors(), lease_s=90)
    limited = key(cost_limit_nano=0, request_limit=1, request_window_unit="d")
    reservation = await reserve_free(incoming(), limited, ledger)
    assert reservation.usage[0] == (0, 1)
    with pytest.raises(RateLimitReached) as caught:
        await reserve_free(incoming(), limited, ledger)
    assert caught.value.code == "rate_limit_reached"
