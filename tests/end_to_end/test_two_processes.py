"""Two proxy processes and one Redis: a key's limits hold across both."""

import asyncio
import secrets

import pytest

from tests.end_to_end.callers import call_at_once
from tests.end_to_end.gateways import Whole
from tests.end_to_end.prices import GPT_4O_MINI

pytestmark = pytest.mark.end_to_end

CALLERS = 200


def test_exactly_as_many_requests_pass_as_the_key_may_make(on_services: Whole) -> None:
    secret = f"fifty {secrets.token_hex(4)}"
    key_id = on_services.new_key(secret, rateLimitOverTime=50, rateLimitUnit="d")
    before = on_services.books.stored()
    seen = asyncio.run(call_at_once(on_services.url, CALLERS, secret))
    passed = [one for one in seen if one.status == 200]
    refused = [one for one in seen if one.status == 429]
    assert (len(passed), len(refused)) == (50, 150)
    assert all(one.complete for one in seen)
    assert all(int(one.headers["retry-after"]) > 0 for one in refused)
    on_services.books.wait_until_all_is_stored()
    events = on_services.books.events(key_id)
    assert {event.id for event in events} == {one.request_id for one in seen}
    assert sum(event.admitted for event in events) == 50
    after = on_services.books.stored()
    assert sum(1 for spool, position in after.items() if position > before.get(spool, 0)) == 2


def test_spend_never_exceeds_a_small_limit(on_services: Whole) -> None:
    secret = f"cents {secrets.token_hex(4)}"
    limit_nano = 250_000
    key_id = on_services.new_key(secret, costLimitInUsd=limit_nano / 1e9)
    seen = asyncio.run(call_at_once(on_services.url, CALLERS, secret))
    # What could cost more than is left was refused at first; when all is settled, smaller crowds use up the rest.
    for _ in range(10):
        if any(one.status == 402 for one in seen):
            break
        seen += asyncio.run(call_at_once(on_services.url, 20, secret))
    assert {one.status for one in seen} == {200, 402, 429}
    assert all(one.headers["x-should-retry"] == "false" for one in seen if one.status == 402)
    spent_nano = sum(one.cost_nano(*GPT_4O_MINI) for one in seen)
    assert limit_nano / 2 < spent_nano <= limit_nano
    on_services.books.wait_until_all_is_stored()
    assert on_services.books.total(key_id) == (sum(one.status == 200 for one in seen), spent_nano)
