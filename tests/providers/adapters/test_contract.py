"""One table over all adapters: provider x plain, stream, error, usage, cached tokens, cut stream.

Each cell is a request through a running proxy to an upstream that plays a recorded answer.
"""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from providers.adapters.registry import ADAPTERS
from providers.catalog import CATALOG
from tests.provider_settings import secret_of
from tests.providers.adapters.contract_cases import CASES, CUSTOM, PAYLOADS, Case
from tests.providers.adapters.contract_gateway import adapter_of, ask, told, used
from tests.providers.adapters.contract_streams import broken_off, cut_points, events_of, tells_error, whole_until
from tests.providers.adapters.playback import Playback
from tests.proxy_gateway import Caller

cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.folder)
# Those whose streams tell usage only when asked.
ASKED = [case for case in CASES if "stream_options" in case.stream_body]


def test_every_adapter_has_a_row() -> None:
    own = {f"/api/custom/providers/{CUSTOM.name}"}
    assert {adapter.path_prefix for adapter in ADAPTERS} | own == {case.prefix for case in CASES}


def test_every_recorded_payload_is_played() -> None:
    played = {case.folder for case in CASES}
    assert {path.name for path in PAYLOADS.iterdir()} == played
    for case in CASES:
        expected = {"plain.json", "cached.json", "error.json", case.stream_file, case.failed_file}
        assert {path.name for path in (PAYLOADS / case.folder).iterdir()} == expected, case.folder


@cases
def test_a_plain_answer_arrives_as_it_is(case: Case, caller: Caller, upstream: Playback) -> None:
    content = case.read("plain.json")
    upstream.play(content)
    answer = ask(caller, case)
    assert answer.status_code == 200, answer.text
    assert answer.content == content
    if case.sdk is not None:
        TypeAdapter(case.sdk).validate_json(content)
    event = caller.event()
    assert (event.status, event.ending, event.stream, event.error_code) == (200, "completed", False, "")


@cases
def test_usage_is_read(case: Case, caller: Caller, upstream: Playback) -> None:
    upstream.play(case.read("plain.json"))
    ask(caller, case)
    event = caller.event()
    assert used(event) == told(case.plain)
    assert event.usage_source == "upstream"
    assert event.request_model == case.model
    assert event.response_model == case.answered_by


@cases
def test_cached_tokens_are_told_apart(case: Case, caller: Caller, upstream: Playback) -> None:
    content = case.read("cached.json")
    upstream.play(content)
    if case.sdk is not None:
        TypeAdapter(case.sdk).validate_json(content)
    ask(caller, case)
    assert used(caller.event()) == told(case.cached)


@cases
def test_the_quick_way_and_the_careful_way_read_the_same(case: Case) -> None:
    adapter = adapter_of(case)
    operation = adapter.operation("POST", case.tail)
    for name in ("plain.json", "cached.json"):
        content = case.read(name)
        careful = adapter.read_usage(operation, json.loads(content))
        assert careful.usage == getattr(case, name.removesuffix(".json"))
        quick = adapter.read_answer(operation, content)
        assert quick is None or quick == careful


@cases
def test_an_error_arrives_as_it_is_and_costs_nothing(case: Case, caller: Caller, upstream: Playback) -> None:
    content = case.read("error.json")
    upstream.play(content, status=case.error_status)
    answer = ask(caller, case)
    assert answer.status_code == case.error_status
    if case.translated:
        assert message_of(answer.json()) == message_of(json.loads(content))
    else:
        assert answer.content == content
    event = caller.event()
    assert (event.status, event.ending, event.price_status) == (case.error_status, "completed", "free")
    assert used(event) == {}


def message_of(document: Any) -> str:
    error = document.get("error", document)
    message: str = error["message"]
    return message


@cases
def test_the_key_of_the_gateway_stays_here_and_the_settings_goes_out(
    case: Case, caller: Caller, upstream: Playback
) -> None:
    upstream.play(case.read("plain.json"))
    ask(caller, case)
    [heard] = upstream.heard
    sent = [heard.target, *heard.headers.values(), heard.body.decode()]
    assert not any(caller.secret in each for each in sent)
    provider = adapter_of(case).provider
    kind = CATALOG.get(provider, CATALOG["openai"])
    names = [name for name in kind.required if name in kind.secrets]
    # A secret that signs is not sent; every other one is.
    sent_names = [name for name in names if "Secret" not in name]
    assert all(any(secret_of(provider, name) in each for each in sent) for name in sent_names)


@cases
def test_a_stream_arrives_as_it_is(case: Case, caller: Caller, upstream: Playback) -> None:
    content = case.read(case.stream_file)
    upstream.play(content, case.stream_type, streamed=True)
    answer = ask(caller, case, stream=True)
    assert answer.status_code == 200, answer.text
    if not case.translated:
        assert answer.content == content
    payloads = events_of(answer.content, answer.headers["content-type"])
    if case.sdk_chunk is not None:
        for payload in payloads:
            if payload.get("type") != "ping":  # the SDK drops those
                TypeAdapter(case.sdk_chunk).validate_python(payload)
    assert not any(tells_error(payload) for payload in payloads)
    event = caller.event()
    assert (event.status, event.ending, event.stream, event.error_code) == (200, "completed", True, "")
    assert (used(event), event.usage_source) == (told(case.stream), "upstream")
    assert event.response_model == case.answered_by


@cases
def test_the_text_of_a_stream_counts(case: Case, caller: Caller, upstream: Playback) -> None:
    adapter = adapter_of(case)
    operation = adapter.operation("POST", case.stream_tail or case.tail)
    content = case.read(case.stream_file)
    decoder = adapter.decoder(operation)
    if decoder is not None:
        content = decoder.feed(content)
    payloads = events_of(content, "text/event-stream" if decoder else case.stream_type)
    assert "".join(adapter.text_of(operation, payload, streamed=True) for payload in payloads) == case.text


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.folder)
def test_usage_that_only_the_gateway_asked_for_stays_here(case: Case, caller: Caller, upstream: Playback) -> None:
    content = case.read(case.stream_file)
    upstream.play(content, case.stream_type, streamed=True)
    answer = ask(caller, case, stream=True, without="stream_options")
    assert json.loads(upstream.heard[-1].body)["stream_options"] == {"include_usage": True}
    payloads = events_of(answer.content, case.stream_type)
    asked = events_of(content, case.stream_type)
    assert [payload["choices"] for payload in payloads] == [each["choices"] for each in asked if not only_usage(each)]
    assert used(caller.event()) == told(case.stream)


def only_usage(payload: Any) -> bool:
    return not payload["choices"] and bool(payload.get("usage"))


@cases
def test_an_error_within_a_stream_arrives_and_is_booked(case: Case, caller: Caller, upstream: Playback) -> None:
    content = case.read(case.failed_file)
    upstream.play(content, case.stream_type, streamed=True)
    answer = ask(caller, case, stream=True)
    assert answer.status_code == 200
    if not case.translated:
        assert answer.content.startswith(content)
    assert broken_off(answer.content, answer.headers["content-type"]), answer.content[-300:]
    event = caller.event()
    assert (event.status, event.ending) == (200, "upstream_failed")
    assert event.error_code
    assert event.usage_source in ("upstream", "counted")
    assert event.input_tokens + event.output_tokens > 0


@cases
@pytest.mark.parametrize("how", ["connection", "end"])
def test_a_cut_stream_is_told_and_charged(case: Case, caller: Caller, upstream: Playback, how: str) -> None:
    content = case.read(case.stream_file)
    for number, point in enumerate(cut_points(content, case.stream_type), start=1):
        upstream.play(content[:point], case.stream_type, streamed=True, broken=how == "connection")
        answer = ask(caller, case, stream=True)
        assert answer.status_code == 200
        if not case.translated:
            assert answer.content.startswith(content[: whole_until(content[:point], case.stream_type)])
        event = caller.event(number=number)
        if how == "end" and not case.says_end:
            assert event.ending == "completed"  # nobody can tell
            continue
        assert broken_off(answer.content, answer.headers["content-type"]), answer.content[-300:]
        assert (event.status, event.ending, event.error_code) == (200, "upstream_failed", "upstream_stream_broken")
        assert event.usage_source in ("upstream", "counted")
        assert event.input_tokens + event.output_tokens > 0
