"""Batches: their usage is in the books once, from whoever first sees that they have ended."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_project.shared.counters import Balance, CounterId
from tests.proxy_gateway import (
    Caller,
    PlainDoors,
    RunningProxy,
    openai_setting,
    price,
    proxy_in_thread,
    waited_for,
)
from tests.upstream import Upstream

LINES = 3
# Each of the lines: 8 tokens in, 16 out; the batch tier is half the price.
BATCH_NANO = LINES * (8 + 2 * 16) // 2


def gateway_at(upstream: Upstream) -> PlainDoors:
    half = price(input_pico=500, output_pico=1_000)
    return PlainDoors(
        settings={"setting-1": openai_setting(upstream.url)},
        prices={("openai", "gpt-4o"): price(tiers={"batch": half})},
    )


@pytest.fixture
def served(upstream: Upstream) -> Iterator[RunningProxy]:
    with proxy_in_thread(gateway_at(upstream)) as gateway:
        yield gateway


def new_batch(caller: Caller, model: str = "gpt-4o") -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    lines = [
        json.dumps({"custom_id": f"{number}", "method": "POST", "url": "/v1/chat/completions", "body": body})
        for number in range(LINES)
    ]
    client = caller.sdk()
    kept = client.files.create(file=("b.jsonl", "\n".join(lines).encode()), purpose="batch")
    return client.batches.create(input_file_id=kept.id, endpoint="/v1/chat/completions", completion_window="24h")


def test_a_batch_is_booked_when_it_has_ended(served: RunningProxy) -> None:
    caller = served.caller()
    batch = new_batch(caller)
    ended = caller.sdk().batches.retrieve(batch.id)
    late, seen = caller.events()[2:]
    assert (late.operation, late.upstream_request_id, late.response_model) == ("late_usage", batch.id, "gpt-4o")
    assert (late.input_tokens, late.output_tokens, late.cost_nano) == (LINES * 8, LINES * 16, BATCH_NANO)
    assert (late.price_status, late.requests, late.created_at) == ("priced", 0, ended.completed_at)
    assert (seen.operation, seen.cost_nano, seen.price_status, seen.requests) == ("read", 0, "free", 1)


def test_whoever_looks_again_pays_nothing(served: RunningProxy) -> None:
    caller, other = served.caller(), served.caller()
    batch = new_batch(caller)
    for each in (caller, caller, other):
        each.sdk().batches.retrieve(batch.id)
    assert [event.operation for event in caller.events()[2:]] == ["late_usage", "read", "read"]
    assert [event.operation for event in other.events()] == ["read"]


def test_another_process_writes_the_very_same_event(served: RunningProxy, upstream: Upstream) -> None:
    caller = served.caller()
    batch = new_batch(caller)
    caller.sdk().batches.retrieve(batch.id)
    with proxy_in_thread(gateway_at(upstream)) as second:
        again = second.caller()
        again.sdk().batches.retrieve(batch.id)
        [repeated, _] = again.events()
    first = caller.events()[2]
    # The books take an event once, by its id and its time.
    assert (repeated.id, repeated.created_at) == (first.id, first.created_at)


def test_what_goes_on_or_has_no_price_is_not_charged(served: RunningProxy, upstream: Upstream) -> None:
    caller = served.caller()
    batch = new_batch(caller, model="gpt-7")
    caller.sdk().batches.cancel(batch.id)
    caller.sdk().batches.retrieve(batch.id)
    assert [event.operation for event in caller.events()] == ["files", "batches", "batches", "read"]
    unpriced = new_batch(caller, model="gpt-7")
    caller.sdk().batches.retrieve(unpriced.id)
    late = caller.events()[-2]
    assert (late.operation, late.price_status, late.cost_nano) == ("late_usage", "unpriced", 0)


def test_a_limit_on_cost_learns_of_it(served: RunningProxy) -> None:
    caller = served.caller(cost_limit_nano=10_000, allow_unmetered=True)
    batch = new_batch(caller)
    caller.sdk().batches.retrieve(batch.id)
    # The books tell what was spent when the counters ask anew.
    served.doors.balance = Balance({CounterId("cost", "total", 0, 0): 10_000})
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    waited_for(lambda: caller.post(json=asked).status_code == 402)
