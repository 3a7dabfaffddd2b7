"""Tests of streams that outgrow what was reserved for them: they get more while there is more, else they end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from providers.records import PriceRecord
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, openai_setting, price, proxy_in_thread, waited_for
from tests.upstream import Upstream

TOKENS = 3000
INPUT_TOKENS = 8


@pytest.fixture
def small(upstream: Upstream) -> Iterator[RunningProxy]:
    """A proxy that reserves 200 tokens where nobody says more; its models have no maximum."""
    prices: dict[tuple[str, str], PriceRecord] = {("openai", "gpt-4o"): price()}
    doors = PlainDoors(settings={"setting-1": openai_setting(upstream.url)}, prices=prices)
    with proxy_in_thread(doors, default_max_output_tokens=200) as gateway:
        yield gateway


def stream(caller: Caller, path: str = "/chat/completions", **members: Any) -> list[Any]:
    """The events of a stream of 3000 tokens."""
    body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hi"}], **members}
    answer = caller.post(path, json=body, headers={"x-fake-fault": f"tokens={TOKENS}"}, timeout=30)
    assert answer.status_code == 200, answer.text
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(each) if each.startswith("{") else each for each in data]


def check_books(caller: Caller) -> int:
    """What the key has spent, by its counters and by its event; nothing is reserved any more."""
    subject = caller.gateway.counters._subjects[caller.subject]  # type: ignore[attr-defined]
    counter = subject.counters["cost", "total"]
    waited_for(lambda: not subject.reservations and not counter.reserved)
    used: int = counter.used
    assert used == caller.event().cost_nano
    return used


def test_a_stream_grows_while_there_is_room(small: RunningProxy) -> None:
    caller = small.caller(cost_limit_nano=100_000)
    events = stream(caller)
    assert events[-1] == "[DONE]"
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    event = caller.event()
    assert (event.ending, event.output_tokens, event.usage_source) == ("completed", TOKENS, "upstream")
    assert check_books(caller) == INPUT_TOKENS + 2 * TOKENS


@pytest.mark.parametrize("asked", [False, True])
def test_a_stream_ends_where_the_money_ends(small: RunningProxy, asked: bool) -> None:
    limit = 4_000
    caller = small.caller(cost_limit_nano=limit)
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asked else {}
    events = stream(caller, **options)
    last = events[-3] if asked else events[-2]
    assert events[-1] == "[DONE]"
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    assert (last["object"], last["id"]) == (events[0]["object"], events[0]["id"])
    event = caller.event()
    assert (event.ending, event.error_code, event.status) == ("cut", "cost_limit_reached", 200)
    assert 200 < event.output_tokens < TOKENS
    assert event.cost_nano == INPUT_TOKENS + 2 * event.output_tokens
    assert limit / 4 < check_books(caller) <= limit
    if asked:
        told = events[-2]["usage"]
        assert (told["completion_tokens"], told["prompt_tokens"]) == (event.output_tokens, INPUT_TOKENS)


def test_a_response_ends_incomplete(small: RunningProxy) -> None:
    caller = small.caller(cost_limit_nano=5_900)
    events = stream(caller, "/responses", messages=None, input="hi")
    assert (events[-1]["type"], events[-1]["response"]["status"]) == ("response.incomplete", "incomplete")
    assert events[-1]["response"]["id"] == events[0]["response"]["id"]
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert caller.event().ending == "cut"
    assert check_books(caller) <= 6_000


def test_a_stream_without_a_limit_is_never_cut(small: RunningProxy) -> None:
    caller = small.caller()
    assert stream(caller)[-1] == "[DONE]"
    assert caller.event().output_tokens == TOKENS


def test_a_provider_that_ignores_the_maximum_is_cut_too(small: RunningProxy, upstream: Upstream) -> None:
    caller = small.caller(cost_limit_nano=3_000)
    body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20}
    answer = caller.post(json=body, headers={"x-fake-fault": "huge=20"}, timeout=30)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert len(answer.content) < 2_000_000
    assert caller.event().ending == "cut"
    assert upstream.wait_for_ending("client-left")
    check_books(caller)


def test_two_streams_share_what_is_left(small: RunningProxy) -> None:
    """What one has reserved the other cannot have."""
    caller = small.caller(cost_limit_nano=5_900)
    with caller.http(timeout=30) as client:
        body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        headers = {"x-fake-fault": "slow=1,tokens=50"}
        with client.stream("POST", "/chat/completions", json=body, headers=headers) as slow:
            lines = slow.iter_lines()
            next(lines)
            first = client.post("/chat/completions", json=body, headers={"x-fake-fault": f"tokens={TOKENS}"})
            assert first.text.endswith("data: [DONE]\n\n")
            *_, last = (line for line in lines if line)
    assert last == "data: [DONE]"
    events = waited_for(lambda: len(found := caller.events()) == 2 and found)
    assert {event.ending for event in events} == {"completed", "cut"}
    assert sum(event.cost_nano for event in events) <= 6_000
