"""Tests of Anthropic's streams that do not end as they should: the right ending, the right event, the right bill."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx
import pytest

from reporting.records import UsageEventRecord
from tests.end_to_end import claude
from tests.end_to_end.claude import ASKED, INPUT_TOKENS, OPUS, fault
from tests.proxy_gateway import Caller, RunningProxy, waited_for
from tests.upstream import Upstream

CACHED = 1000
INPUT_COST = INPUT_TOKENS * claude.OPUS_INPUT + CACHED * claude.OPUS_CACHE_READ


@pytest.fixture(scope="module")
def served(running_upstream: Upstream) -> Iterator[RunningProxy]:
    with claude.claude_gateway(running_upstream.url) as gateway:
        yield gateway


@pytest.fixture
def limited(served: RunningProxy, upstream: Upstream) -> Caller:
    """A key with room for everything, whose counters can be looked at."""
    return served.caller(cost_limit_nano=10**10)


@contextmanager
def streaming(caller: Caller, name: str, tail: str = "messages", **members: Any) -> Iterator[httpx.Response]:
    url = f"{caller.gateway.url}{claude.PREFIX}/v1/{tail}"
    body = {**ASKED, "stream": True, **members}
    headers = fault(name, **{"x-api-key": caller.secret})
    with httpx.Client(timeout=10) as client, client.stream("POST", url, json=body, headers=headers) as answer:
        yield answer


def payloads(answer: httpx.Response) -> list[Any]:
    return [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {") and line.endswith("}")]


def check_books(caller: Caller, event: UsageEventRecord) -> None:
    """Counters and event say the same, and nothing is left over."""
    subject = caller.gateway.counters._subjects[caller.subject]  # type: ignore[attr-defined]
    waited_for(lambda: not subject.reservations and not any(each.reserved for each in subject.counters.values()))
    assert subject.counters["cost", "total"].used == event.cost_nano
    assert event.requests == 1


def test_a_client_that_leaves_pays_for_what_went_in_and_what_was_generated(limited: Caller, upstream: Upstream) -> None:
    with streaming(limited, f"slow=40,tokens=60,cached={CACHED}") as answer:
        seen = 0
        for line in answer.iter_lines():
            seen += '"text_delta"' in line
            if seen == 5:
                break
    ended = upstream.wait_for_ending("client-left")
    event = limited.event()
    assert (event.ending, event.usage_source) == ("client_left", "counted")
    # The input is as the upstream told it at the beginning, the output as far as it came.
    assert (event.input_tokens, event.cache_read_tokens) == (INPUT_TOKENS, CACHED)
    assert 5 <= event.output_tokens <= ended.chunks < 30
    assert event.cost_nano == INPUT_COST + event.output_tokens * claude.OPUS_OUTPUT
    assert event.response_model == OPUS
    check_books(limited, event)


def test_a_client_that_leaves_before_the_first_event_pays_for_its_input(limited: Caller, upstream: Upstream) -> None:
    url = f"{limited.gateway.url}{claude.PREFIX}/v1/messages"
    headers = fault("slow-first-byte=5000", **{"x-api-key": limited.secret})
    with httpx.Client(timeout=0.3) as client, pytest.raises(httpx.ReadTimeout):
        client.post(url, json={**ASKED, "stream": True}, headers=headers)
    event = limited.event()
    assert (event.ending, event.output_tokens) == ("client_left", 0)
    assert 0 < event.input_tokens <= INPUT_TOKENS
    check_books(limited, event)


@pytest.mark.parametrize("name", ["cut=4", "cut-close=4", "cut-clean=4"])
def test_a_stream_that_breaks_off_says_so_inside(limited: Caller, name: str) -> None:
    client = claude.sdk(limited)
    said: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(**ASKED, extra_headers=fault(f"{name},cached={CACHED}")) as stream,
    ):
        said += stream.text_stream
    assert "".join(said) == "The quick brown fox"
    assert (caught.value.type, caught.value.error_code) == ("api_error", "gateway_upstream_stream_broken")
    event = limited.event()
    assert (event.ending, event.error_code, event.status) == ("upstream_failed", "upstream_stream_broken", 200)
    assert (event.input_tokens, event.cache_read_tokens, event.output_tokens) == (INPUT_TOKENS, CACHED, 4)
    assert event.cost_nano == INPUT_COST + 4 * claude.OPUS_OUTPUT
    check_books(limited, event)


def test_a_stream_that_hangs_ends_at_its_time_out(limited: Caller, upstream: Upstream) -> None:
    started = time.monotonic()
    url = f"{limited.gateway.url}{claude.PREFIX}/v1/messages"
    headers = fault("hang=3", **{"x-api-key": limited.secret, "x-request-timeout": "400ms"})
    answer = httpx.post(url, json={**ASKED, "stream": True}, headers=headers, timeout=10)
    assert time.monotonic() - started < 5
    assert answer.text.rstrip().rpartition("event: ")[2].startswith('error\ndata: {"type":"error"')
    event = limited.event()
    assert (event.ending, event.output_tokens) == ("upstream_failed", 3)
    assert upstream.wait_for_ending("client-left").chunks == 3
    check_books(limited, event)


def test_an_error_event_of_the_upstream_is_the_last_word(limited: Caller) -> None:
    with streaming(limited, f"error-event=3,cached={CACHED}") as answer:
        events = payloads(answer)
    assert events[-1] == {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert [event["type"] for event in events].count("error") == 1
    event = limited.event()
    assert (event.ending, event.error_code, event.output_tokens) == ("upstream_failed", "overloaded_error", 3)
    assert event.cost_nano == INPUT_COST + 3 * claude.OPUS_OUTPUT
    check_books(limited, event)


def test_a_broken_event_passes_and_spoils_nothing(limited: Caller) -> None:
    with streaming(limited, "malformed=2") as answer:
        events = payloads(answer)
    assert events[-1]["type"] == "message_stop"
    event = limited.event()
    assert (event.ending, event.usage_source, event.output_tokens) == ("completed", "upstream", 16)


def test_a_stream_without_usage_is_counted(limited: Caller) -> None:
    with streaming(limited, "no-usage") as answer:
        assert payloads(answer)[-1]["type"] == "message_stop"
    event = limited.event()
    assert (event.ending, event.usage_source, event.output_tokens) == ("completed", "counted", 16)
    assert 0 < event.input_tokens <= INPUT_TOKENS
    check_books(limited, event)


def test_a_compressed_stream_is_read_and_goes_out_plain(limited: Caller) -> None:
    with claude.sdk(limited).messages.stream(**ASKED, extra_headers=fault("gzip")) as stream:
        assert stream.get_final_text() == claude.TEXT
    assert (limited.event().usage_source, limited.event().output_tokens) == ("upstream", 16)


def test_text_that_speaks_of_the_end_is_not_the_end(limited: Caller) -> None:
    words = '{"type":"message_stop"} event: message_stop {"usage":{"output_tokens":9}} "error" end'
    asked: Any = {**ASKED, "messages": [{"role": "user", "content": words}]}
    with claude.sdk(limited).messages.stream(**asked, extra_headers=fault("echo")) as stream:
        assert stream.get_final_text() == words
    event = limited.event()
    assert (event.ending, event.usage_source, event.output_tokens) == ("completed", "upstream", len(words.split()))


def test_a_stream_ends_where_the_money_ends(served: RunningProxy, upstream: Upstream) -> None:
    """As at its length limit, in a form the SDK takes, although the upstream does not keep to the maximum."""
    caller = served.caller(cost_limit_nano=8_000_000)
    asked: Any = {**ASKED, "max_tokens": 30}
    with claude.sdk(caller).messages.stream(**asked, extra_headers=fault("huge=20")) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == "max_tokens"
    assert final.content[-1].type == "text"
    event = caller.event()
    assert (event.ending, event.error_code, event.status) == ("cut", "cost_limit_reached", 200)
    assert (final.usage.input_tokens, final.usage.output_tokens) == (INPUT_TOKENS, event.output_tokens)
    assert upstream.wait_for_ending("client-left")


def test_the_older_completions_break_off_and_end(limited: Caller, upstream: Upstream) -> None:
    members = {"model": "claude-2.1", "prompt": "\n\nHuman: hi\n\nAssistant:", "max_tokens_to_sample": 30}
    with streaming(limited, "error-event=3", "complete", **members) as answer:
        assert payloads(answer)[-1]["error"]["type"] == "overloaded_error"
    event = limited.event()
    assert (event.ending, event.error_code, event.output_tokens) == ("upstream_failed", "overloaded_error", 3)
    caller = limited.gateway.caller(cost_limit_nano=8_000_000)
    with streaming(caller, "huge=20", "complete", **members) as answer:
        last = payloads(answer)[-1]
    assert (last["type"], last["stop_reason"], last["completion"]) == ("completion", "max_tokens", "")
    assert caller.event().ending == "cut"
