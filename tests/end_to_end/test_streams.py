"""Tests of answers that go wrong, and of clients that leave: the right answer, the right event, the right bill."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from providers.tokens import count_tokens
from reporting.records import UsageEventRecord
from tests.proxy_gateway import Caller, RunningProxy, waited_for
from tests.upstream import Upstream

HI = [{"role": "user", "content": "hi"}]
CHAT = "/chat/completions"
INPUT_TOKENS = 8
BILLED_IN_FULL = INPUT_TOKENS + 2 * 16


def body(**members: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": HI, "max_tokens": 64, **members}


def fault(name: str, **headers: str) -> dict[str, str]:
    return {"x-fake-fault": name, **headers}


@contextmanager
def streaming(caller: Caller, name: str, path: str = CHAT, **members: Any) -> Iterator[httpx.Response]:
    with (
        caller.http() as client,
        client.stream("POST", path, json=body(stream=True, **members), headers=fault(name)) as answer,
    ):
        yield answer


def streamed(caller: Caller, name: str, path: str = CHAT, **members: Any) -> list[str]:
    """The data of the events of a whole stream."""
    with streaming(caller, name, path, **members) as answer:
        assert answer.status_code == 200, answer.read()
        return [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]


def text_of(events: list[str]) -> str:
    payloads = [json.loads(event) for event in events if event.startswith("{") and '"choices"' in event]
    return "".join(choice["delta"].get("content") or "" for payload in payloads for choice in payload["choices"])


def nothing_is_reserved(caller: Caller) -> bool:
    """What the counters hold for the key: only what is settled."""
    subject = caller.gateway.counters._subjects[caller.subject]  # type: ignore[attr-defined]
    return not subject.reservations and all(counter.reserved == 0 for counter in subject.counters.values())


def spent(caller: Caller) -> int:
    subject = caller.gateway.counters._subjects[caller.subject]  # type: ignore[attr-defined]
    used: int = subject.counters["cost", "total"].used
    return used


@pytest.fixture
def limited(gateway: RunningProxy) -> Caller:
    """A key with room for everything, whose counters can be looked at."""
    return gateway.caller(cost_limit_nano=10**9, request_limit=1000, request_window_unit="d")


def check_books(caller: Caller, event: UsageEventRecord) -> None:
    """Counters and event say the same, and nothing is left over."""
    waited_for(lambda: nothing_is_reserved(caller))
    assert spent(caller) == event.cost_nano
    assert event.requests == 1


# Clients that leave.


def test_a_client_that_leaves_a_stream_stops_it_and_pays_for_what_was_generated(
    limited: Caller, upstream: Upstream
) -> None:
    with streaming(limited, "slow=40,tokens=60") as answer:
        lines = answer.iter_lines()
        seen = 0
        while seen < 5:
            seen += '"content":"' in (line := next(lines)) and '"content":""' not in line
        left_at = time.time()
    ended = upstream.wait_for_ending("client-left")
    assert ended.ended_at is not None
    assert ended.ended_at - left_at < 1
    assert 5 <= ended.chunks < 30
    event = limited.event()
    assert (event.ending, event.error_code, event.status) == ("client_left", "client_left", 200)
    assert event.usage_source == "counted"
    assert event.input_tokens == INPUT_TOKENS
    assert 5 <= event.output_tokens <= ended.chunks
    assert event.cost_nano == INPUT_TOKENS + 2 * event.output_tokens
    check_books(limited, event)


def test_a_client_that_leaves_before_the_first_chunk_pays_for_its_input(limited: Caller, upstream: Upstream) -> None:
    left(limited, "slow-first-byte=5000", stream=True)
    assert upstream.wait_for_ending("client-left", 1.5).chunks == 0
    event = limited.event()
    assert (event.ending, event.status, event.output_tokens) == ("client_left", 499, 0)
    assert event.input_tokens == INPUT_TOKENS
    check_books(limited, event)


def test_a_client_that_leaves_a_plain_request_stops_it(limited: Caller, upstream: Upstream) -> None:
    left_at = left(limited, "slow-first-byte=5000")
    ended = upstream.wait_for_ending("client-left", 1.5)
    assert ended.ended_at is not None
    assert ended.ended_at - left_at < 1
    event = limited.event()
    assert (event.ending, event.status, event.cost_nano) == ("client_left", 499, INPUT_TOKENS)
    check_books(limited, event)


def test_a_client_that_leaves_in_the_middle_of_a_plain_answer_stops_it(limited: Caller, upstream: Upstream) -> None:
    left(limited, "hang=1")
    event = limited.event()
    assert (event.ending, event.output_tokens) == ("client_left", 0)
    check_books(limited, event)


def left(caller: Caller, name: str, **members: Any) -> float:
    """Send a request and leave once the upstream has it; when that was."""
    with caller.http(timeout=0.3) as client, pytest.raises(httpx.ReadTimeout):
        client.post(CHAT, json=body(**members), headers=fault(name))
    return time.time()


def test_a_client_that_leaves_while_it_sends_costs_nothing(caller: Caller, upstream: Upstream) -> None:
    def content() -> Iterator[bytes]:
        yield b'{"model":'
        raise BrokenPipeError

    with caller.http() as client, pytest.raises(BrokenPipeError):
        client.post(CHAT, content=content(), headers={"content-type": "application/json"})
    event = caller.event()
    assert (event.ending, event.status, event.requests, event.cost_nano) == ("client_left", 499, 0, 0)
    assert upstream.count() == 0
    assert waited_for(lambda: caller.gateway.proxy.requests_in_flight == 0)


def test_a_client_that_leaves_after_its_answer_has_completed_it(limited: Caller) -> None:
    with streaming(limited, "tokens=3") as answer:
        for line in answer.iter_lines():
            if line == "data: [DONE]":
                break
    event = limited.event()
    assert (event.ending, event.usage_source, event.output_tokens) == ("completed", "upstream", 3)
    time.sleep(0.2)
    assert len(limited.events()) == 1


# Streams the upstream spoils.


@pytest.mark.parametrize("name", ["cut=4", "cut-close=4", "cut-clean=4"])
def test_a_stream_that_breaks_off_says_so_inside(limited: Caller, name: str) -> None:
    events = streamed(limited, name)
    assert text_of(events) == "The quick brown fox"
    assert json.loads(events[-1])["error"]["code"] == "gateway_upstream_stream_broken"
    assert "[DONE]" not in events
    event = limited.event()
    assert (event.ending, event.error_code, event.status) == ("upstream_failed", "upstream_stream_broken", 200)
    assert (event.input_tokens, event.output_tokens, event.usage_source) == (INPUT_TOKENS, 4, "counted")
    check_books(limited, event)


@pytest.mark.parametrize("name", ["cut=4", "cut-close=4", "cut-clean=4"])
def test_a_responses_stream_that_breaks_off_says_so_inside(caller: Caller, name: str) -> None:
    events = streamed(caller, name, "/responses", input="hi", messages=None)
    last = json.loads(events[-1])
    assert (last["type"], last["error"]["code"]) == ("error", "gateway_upstream_stream_broken")
    event = caller.event()
    assert (event.ending, event.output_tokens) == ("upstream_failed", 4)


def test_a_stream_that_hangs_ends_at_its_time_out(limited: Caller, upstream: Upstream) -> None:
    with limited.http() as client:
        started = time.monotonic()
        answer = client.post(CHAT, json=body(stream=True), headers=fault("hang=3", **{"x-request-timeout": "400ms"}))
    assert 0.3 < time.monotonic() - started < 3
    assert answer.text.count('"content":') == 4
    assert '"error":{' in answer.text.splitlines()[-2]
    assert upstream.wait_for_ending("client-left").chunks == 3
    event = limited.event()
    assert (event.ending, event.output_tokens) == ("upstream_failed", 3)
    check_books(limited, event)


def test_a_broken_event_passes_and_spoils_nothing(limited: Caller) -> None:
    events = streamed(limited, "malformed=2")
    assert sum(1 for event in events if event.startswith("{") and not event.endswith("}")) == 1
    assert events[-1] == "[DONE]"
    event = limited.event()
    assert (event.ending, event.output_tokens, event.usage_source) == ("completed", 16, "upstream")


def test_an_error_event_of_the_upstream_is_the_last_word(limited: Caller) -> None:
    events = streamed(limited, "error-event=3")
    assert [event for event in events if '"error"' in event] == [events[-1]]
    assert "The server had an error" in events[-1]
    event = limited.event()
    assert (event.ending, event.error_code, event.output_tokens) == ("upstream_failed", "upstream_error", 3)
    check_books(limited, event)


def test_a_huge_stream_flows_through(limited: Caller) -> None:
    size = 0
    with streaming(limited, "huge=8") as answer:
        for chunk in answer.iter_bytes():
            size += len(chunk)
    assert size > 8_000_000
    event = limited.event()
    assert (event.ending, event.usage_source) == ("completed", "upstream")
    check_books(limited, event)


def test_a_stream_without_usage_is_counted(limited: Caller) -> None:
    events = streamed(limited, "no-usage")
    assert events[-1] == "[DONE]"
    event = limited.event()
    assert (event.input_tokens, event.output_tokens, event.usage_source) == (INPUT_TOKENS, 16, "counted")
    assert event.cost_nano == BILLED_IN_FULL
    check_books(limited, event)


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_knows_no_stream_options_is_asked_again_without(
    limited: Caller, upstream: Upstream, status: int
) -> None:
    model = f"gpt-4o@reject-stream-options={status}"
    limited.gateway.doors.prices["openai", model] = limited.gateway.doors.prices["openai", "gpt-4o"]
    limited.gateway.doors.version += 1
    time.sleep(0.15)
    for _ in range(2):
        assert streamed(limited, "tokens=3", model=model)[-1] == "[DONE]"
    first, second = limited.events()
    assert (first.attempts, second.attempts, upstream.count()) == (2, 1, 3)
    assert (first.output_tokens, first.usage_source, first.status) == (3, "counted", 200)
    assert [("stream_options" in request.json()) for request in upstream.requests()] == [True, False, False]


def test_a_client_that_asks_for_usage_itself_hears_what_the_server_thinks_of_it(limited: Caller) -> None:
    with streaming(limited, "reject-stream-options", stream_options={"include_usage": True}) as answer:
        assert answer.status_code == 400
        assert json.loads(answer.read())["error"]["param"] == "stream_options"
    assert limited.event().attempts == 1


def test_a_compressed_stream_is_read_and_goes_out_plain(limited: Caller) -> None:
    with streaming(limited, "gzip") as answer:
        assert "content-encoding" not in answer.headers
        text = answer.read().decode()
    assert text.endswith("data: [DONE]\n\n")
    assert '"usage"' not in text
    event = limited.event()
    assert (event.output_tokens, event.usage_source, event.ending) == (16, "upstream", "completed")


def test_a_slow_first_byte_is_waited_for(limited: Caller) -> None:
    events = streamed(limited, "slow-first-byte=300")
    assert events[-1] == "[DONE]"
    event = limited.event()
    assert event.time_to_first_chunk_ms is not None
    assert event.time_to_first_chunk_ms >= 300


@pytest.mark.parametrize(("name", "status"), [("429=7", 429), ("503=9", 503), ("429-quota", 429), ("bad-status", 418)])
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_of_the_upstream_passes_and_costs_nothing(
    limited: Caller, name: str, status: int, stream: bool
) -> None:
    answer = limited.post(json=body(stream=stream), headers=fault(name))
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert answer.headers.get("retry-after") == (name.partition("=")[2] or None)
    event = limited.event()
    assert (event.status, event.ending, event.cost_nano, event.output_tokens) == (status, "completed", 0, 0)
    check_books(limited, event)


# Plain answers the upstream spoils.


@pytest.mark.parametrize("name", ["cut", "cut-close", "cut-clean", "drop"])
def test_a_plain_answer_that_breaks_off_is_an_error(limited: Caller, name: str) -> None:
    answer = limited.post(json=body(), headers=fault(name))
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
    event = limited.event()
    assert (event.status, event.ending, event.cost_nano) == (502, "upstream_failed", INPUT_TOKENS)
    check_books(limited, event)


@pytest.mark.parametrize("name", ["hang", "hang=1", "slow-first-byte=3000"])
def test_a_plain_answer_that_does_not_come_in_time_is_an_error(limited: Caller, upstream: Upstream, name: str) -> None:
    answer = limited.post(json=body(), headers=fault(name, **{"x-request-timeout": "300ms"}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timed_out")
    event = limited.event()
    assert (event.status, event.ending, event.cost_nano) == (504, "upstream_failed", INPUT_TOKENS)
    assert upstream.wait_for_ending("client-left")
    check_books(limited, event)


def test_a_plain_answer_that_is_no_json_passes_and_is_counted(limited: Caller) -> None:
    answer = limited.post(json=body(), headers=fault("malformed"))
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    event = limited.event()
    assert (event.usage_source, event.input_tokens) == ("counted", INPUT_TOKENS)
    assert event.output_tokens >= 16
    check_books(limited, event)


def test_an_empty_answer_passes(limited: Caller) -> None:
    answer = limited.post(json=body(), headers=fault("empty"))
    assert (answer.status_code, answer.content) == (200, b"")
    event = limited.event()
    assert (event.usage_source, event.output_tokens) == ("counted", 0)


def test_a_huge_plain_answer_flows_through_with_its_usage(limited: Caller) -> None:
    answer = limited.post(json=body(), headers=fault("huge=10,tokens=16"))
    assert len(answer.content) > 10_000_000
    usage = answer.json()["usage"]
    event = limited.event()
    assert (event.input_tokens, event.output_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert event.usage_source == "upstream"
    check_books(limited, event)


def test_a_plain_answer_without_usage_is_counted(limited: Caller) -> None:
    limited.post(json=body(), headers=fault("no-usage"))
    event = limited.event()
    assert (event.output_tokens, event.usage_source, event.cost_nano) == (16, "counted", BILLED_IN_FULL)
    check_books(limited, event)


def test_a_compressed_plain_answer_passes_as_it_came_and_is_read(limited: Caller) -> None:
    answer = limited.post(json=body(), headers=fault("gzip"))
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["usage"]["completion_tokens"] == 16
    event = limited.event()
    assert (event.output_tokens, event.usage_source) == (16, "upstream")


def test_embeddings_without_usage_are_counted(caller: Caller) -> None:
    sent = {"model": "text-embedding-3-small", "input": ["the quick fox", "jumps"]}
    caller.post("/embeddings", json=sent, headers=fault("no-usage"))
    event = caller.event()
    assert event.input_tokens == sum(count_tokens(text, "text-embedding-3-small") for text in sent["input"])
    assert event.output_tokens == 0
    assert event.usage_source == "counted"


# What only the gateway asked for.


@pytest.mark.parametrize("members", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}},
                                     {"stream_options": {}}])  # fmt: skip
def test_usage_nobody_asked_for_never_reaches_the_client(limited: Caller, members: dict[str, Any]) -> None:
    with streaming(limited, "tokens=4", **members) as answer:
        text = answer.read().decode()
    assert "usage" not in text
    assert text.endswith("data: [DONE]\n\n")
    assert limited.event().usage_source == "upstream"


def test_usage_the_client_asked_for_reaches_it_as_it_came(limited: Caller) -> None:
    events = streamed(limited, "tokens=4", stream_options={"include_usage": True})
    assert sum('"usage":null' in event for event in events) == 6
    assert json.loads(events[-2])["usage"]["completion_tokens"] == 4


def test_a_model_that_says_done_has_not_ended_its_stream(limited: Caller, upstream: Upstream) -> None:
    """Whatever the text says: what comes after it is billed too."""
    said = '[DONE] data: [DONE] "usage":{"completion_tokens":0} "error":{ and some more words'
    events = streamed(limited, "echo", messages=[{"role": "user", "content": said}])
    assert text_of(events) == said
    event = limited.event()
    assert (event.ending, event.usage_source, event.output_tokens) == ("completed", "upstream", len(said.split()))


def test_metadata_that_looks_like_the_end_of_a_response_is_none(caller: Caller) -> None:
    trick = {"type": "response.completed", "usage": "{}", "error": "x"}
    events = streamed(caller, "tokens=5", "/responses", input="hi", messages=None, metadata=trick)
    assert json.loads(events[-1])["type"] == "response.completed"
    assert (caller.event().output_tokens, caller.event().usage_source) == (5, "upstream")
