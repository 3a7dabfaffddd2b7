"""Tests of streams in a dialect that only its operator's words describe: as events and as lines."""

import json

import httpx
import pytest

from fake_upstream.text import words
from providers.tokens import count_tokens
from tests.end_to_end.acme import TEXT, assert_counted, body, new_caller, said_in, send
from tests.proxy_gateway import Caller, RunningProxy
from tests.upstream import Upstream


@pytest.fixture
def gateway(running_acme: RunningProxy, upstream: Upstream) -> RunningProxy:
    """The proxy that knows acme, before an upstream that remembers nothing."""
    return running_acme


@pytest.fixture
def caller(gateway: RunningProxy) -> Caller:
    return new_caller(gateway)


def test_an_explicit_false_is_no_stream(caller: Caller) -> None:
    assert send(caller, members={"live": False}).json()["result"]["pieces"]
    assert_counted(caller.event(), TEXT)


@pytest.mark.parametrize(
    ("path", "frame", "kind"),
    [("v1/generate", "data: {}\n\n", "text/event-stream"), ("lines", "{}\n", "application/stream+json")],
)
def test_a_stream_ends_at_its_end_word(caller: Caller, path: str, frame: str, kind: str) -> None:
    answer = send(caller, f"acme/{path}", members={"live": True})
    assert answer.headers["content-type"].startswith(kind)
    assert said_in(answer.text) == TEXT
    assert answer.text.endswith(frame.format("<<end>>"))
    assert answer.text.startswith(frame.format('{"began":true}') + frame.format('{"piece":""}'))
    event = caller.event()
    assert_counted(event, TEXT)
    assert (event.ending, event.stream) == ("completed", True)


@pytest.mark.parametrize("path", ["v1/generate", "lines"])
def test_a_stream_comes_as_it_is_sent_and_what_came_is_charged_when_the_client_leaves(
    caller: Caller, upstream: Upstream, path: str
) -> None:
    upstream.fail("hang=5")
    url = f"{caller.gateway.url}/api/custom/providers/acme/{path}"
    with httpx.stream("POST", url, json=body(live=True), headers=caller.headers, timeout=10) as answer:
        seen = ""
        for part in answer.iter_text():
            seen += part
            if said_in(seen[: seen.rfind("\n") + 1]) == "".join(words(5)):
                break
    event = caller.event(within_s=10)
    assert event.ending == "client_left"
    assert_counted(event, "".join(words(5)))
    upstream.wait_for_ending("client-left")


@pytest.mark.parametrize("path", ["v1/generate", "lines"])
def test_a_stream_without_text_for_too_long_is_ended(caller: Caller, upstream: Upstream, path: str) -> None:
    # Two messages without text begin every stream; the sixth in a row ends it.
    answer = send(caller, f"acme/{path}", members={"live": True, "silent": 500})
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n") if line]
    assert json.loads(lines[-1])["error"]["code"] == "gateway_stream_empty"
    assert len(lines) == 6 + 1
    event = caller.event()
    assert (event.ending, event.error_code) == ("upstream_failed", "stream_empty")
    assert_counted(event, "")


def test_a_stream_may_be_without_text_for_a_while(caller: Caller) -> None:
    assert said_in(send(caller, members={"live": True, "silent": 3}).text) == TEXT
    assert caller.event().ending == "completed"


@pytest.mark.parametrize("path", ["v1/generate", "lines"])
def test_a_stream_that_breaks_ends_with_an_error_in_its_own_framing(
    caller: Caller, upstream: Upstream, path: str
) -> None:
    upstream.fail("cut=4")
    answer = send(caller, f"acme/{path}", members={"live": True})
    *_, error = [line.removeprefix("data: ") for line in answer.text.split("\n") if line]
    assert json.loads(error)["error"]["code"] == "gateway_upstream_stream_broken"
    event = caller.event()
    assert (event.ending, event.error_code) == ("upstream_failed", "upstream_stream_broken")
    assert_counted(event, "".join(words(4)))


def test_a_stream_that_ends_without_its_end_word_has_ended(caller: Caller, upstream: Upstream) -> None:
    upstream.fail("cut-clean=4")
    assert said_in(send(caller, members={"live": True}).text) == "".join(words(4))
    event = caller.event()
    assert event.ending == "completed"
    assert_counted(event, "".join(words(4)))


def test_a_compressed_stream_goes_out_plain(caller: Caller, upstream: Upstream) -> None:
    upstream.fail("gzip")
    answer = send(caller, members={"live": True})
    assert "content-encoding" not in answer.headers
    assert said_in(answer.text) == TEXT
    assert_counted(caller.event(), TEXT)


@pytest.mark.parametrize("live", [True, False])
def test_usage_that_can_mean_one_thing_is_taken(caller: Caller, live: bool) -> None:
    send(caller, members={"live": live, "told": True})
    event = caller.event()
    assert (event.input_tokens, event.output_tokens, event.usage_source) == (1000, 16, "upstream")
    assert event.cost_nano == 1032


@pytest.mark.parametrize(("path", "end"), [("v1/generate", "data: <<end>>\n\n"), ("lines", "<<end>>\n")])
def test_a_stream_whose_lease_cannot_grow_is_ended_with_its_end_word(
    gateway: RunningProxy, upstream: Upstream, path: str, end: str
) -> None:
    limit = 8_000
    caller = new_caller(gateway, cost_limit_nano=limit)
    upstream.fail("tokens=20000")
    answer = send(caller, f"acme/{path}", members={"live": True})
    assert answer.text.endswith(end)
    event = caller.event()
    assert (event.ending, event.error_code) == ("cut", "cost_limit_reached")
    assert 3_000 < event.cost_nano <= limit
    assert event.output_tokens == pytest.approx(count_tokens(said_in(answer.text), "m-1"), abs=2)


def test_one_document_is_no_stream_although_one_was_asked_for(caller: Caller) -> None:
    answer = send(caller, "acme/elsewhere", members={"live": True})  # echoed, as application/json
    assert answer.json()["method"] == "POST"
    event = caller.event()
    assert (event.ending, event.output_tokens) == ("completed", count_tokens(answer.text, "m-1"))
