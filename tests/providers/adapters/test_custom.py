"""Tests of the adapter of a provider that an operator described."""

import json
from typing import Any

import pytest

from providers.adapters.base import CutContext
from providers.adapters.custom import CustomAdapter
from providers.records import CustomProviderRecord, CustomRouteRecord, ProviderRecord

ROUTE = CustomRouteRecord(
    path="/v1/chat",
    target_url="https://api.acme.example/v1/chat",
    model_location="engine.name",
    request_prompt_location="turns.#.say",
    response_completion_location="result.#.text",
    stream_location="options.live",
    stream_response_completion_location="piece",
    stream_end_word="<<end>>",
    stream_max_empty_messages=7,
)
SETTING = ProviderRecord(id="s", provider="acme", secrets={"token": "sk-1", "apikey": "sk-other"})


def adapter(parameter: str = "token", **changes: Any) -> CustomAdapter:
    members = {name: getattr(ROUTE, name) for name in CustomRouteRecord.__slots__}
    return CustomAdapter(CustomProviderRecord("c", "acme", parameter), CustomRouteRecord(**{**members, **changes}))


ACME = adapter()
GENERATION = ACME.operation("POST", "/v1/chat")


def test_a_request_goes_to_the_target_with_the_named_secret() -> None:
    assert ACME.url(SETTING, "/v1/chat", "") == "https://api.acme.example/v1/chat"
    assert ACME.url(SETTING, "/v1/chat", "a=b&c=%20+&&=") == "https://api.acme.example/v1/chat?a=b&c=%20+&&="
    assert ACME.credentials(SETTING) == (("authorization", "Bearer sk-1"),)
    assert adapter("").credentials(SETTING) == ()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_what_has_a_body_is_bounded_and_counted(method: str) -> None:
    operation = ACME.operation(method, "/v1/chat")
    assert (operation.name, operation.metering, operation.body) == ("custom", "estimated", "strict_json")


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_what_has_none_is_free(method: str) -> None:
    operation = ACME.operation(method, "/v1/chat")
    assert (operation.metering, operation.body) == ("free", "none")


def test_a_body_is_read_where_the_locations_say() -> None:
    document = {
        "engine": {"name": "m-1"},
        "model": "not this",
        "turns": [{"say": "Hello"}, {"say": [{"text": " you"}, {"image": "data"}]}, {"hear": "no"}],
        "options": {"live": True},
        "stream": False,
    }
    facts = ACME.read_body(GENERATION, document)
    assert (facts.model, facts.stream, facts.prompt) == ("m-1", True, "Hello you")


@pytest.mark.parametrize("live", [False, None, "true", 1, "absent"])
def test_only_true_asks_for_a_stream(live: Any) -> None:
    options = {} if live == "absent" else {"live": live}
    assert ACME.read_body(GENERATION, {"options": options, "turns": []}).stream is False
    assert adapter(stream_location="").read_body(GENERATION, {"options": {"live": True}, "": True}).stream is False


def test_a_prompt_that_is_not_where_it_should_be_is_the_whole_body() -> None:
    document = {"engine": {"name": "m-1"}, "prompt": "elsewhere"}
    assert ACME.read_body(GENERATION, document).prompt == json.dumps(document, separators=(",", ":"))
    assert ACME.read_body(GENERATION, {"turns": []}).prompt == ""


@pytest.mark.parametrize("name", [7, True, ["m"], {"a": 1}])
def test_a_model_that_is_no_name_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match=r"the model \(at engine.name\) must be a string"):
        ACME.read_body(GENERATION, {"engine": {"name": name}})


@pytest.mark.parametrize(
    ("most", "expected"), [(64, 64), (64.0, 64), (0, None), (-1, None), (None, None), ("absent", None)]
)
def test_the_most_tokens_are_read_where_the_location_says(most: Any, expected: int | None) -> None:
    document = {"limits": {} if most == "absent" else {"most": most}, "max_tokens": 7}
    assert adapter(max_tokens_location="limits.most").read_body(GENERATION, document).max_output_tokens == expected
    assert ACME.read_body(GENERATION, document).max_output_tokens is None


@pytest.mark.parametrize("most", ["64", True, 1.5, [64], 10**9])
def test_most_tokens_that_are_no_number_are_refused(most: Any) -> None:
    with pytest.raises(ValueError, match=r"the most tokens \(at most\) must be a whole number"):
        adapter(max_tokens_location="most").read_body(GENERATION, {"most": most})


def test_a_model_may_be_left_out() -> None:
    assert ACME.read_body(GENERATION, {"engine": {"name": None}}).model == ""
    assert ACME.read_body(GENERATION, {}).model == ""


def test_the_text_of_an_answer_and_of_a_message() -> None:
    assert ACME.text_of(GENERATION, {"result": [{"text": "a"}, {"text": "b"}]}, streamed=False) == "ab"
    assert ACME.text_of(GENERATION, {"piece": "c"}, streamed=True) == "c"
    assert ACME.text_of(GENERATION, {"result": [{"text": "a"}]}, streamed=True) == ""
    only_plain = adapter(stream_response_completion_location="")
    assert only_plain.text_of(GENERATION, {"result": [{"text": "a"}]}, streamed=True) == "a"


def test_an_answer_without_its_text_is_text_as_a_whole() -> None:
    assert ACME.text_of(GENERATION, {"answer": "elsewhere"}, streamed=False) == '{"answer":"elsewhere"}'
    assert ACME.text_of(GENERATION, {"result": []}, streamed=False) == ""
    one = adapter(response_completion_location="result")
    assert one.text_of(GENERATION, {"result": 7}, streamed=False) == '{"result":7}'
    assert one.text_of(GENERATION, {"result": None}, streamed=False) == ""


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}, (5, 6)),
        ({"input_tokens": 5, "output_tokens": 6}, (5, 6)),
        ({"prompt_tokens": 5}, None),
        ({"output_tokens": 6}, None),
        ({"prompt_tokens": "5", "completion_tokens": 6}, None),
        ({"prompt_tokens": -5, "completion_tokens": 6}, None),
        ({"input_tokens": 5, "output_tokens": 6, "cache_read_input_tokens": 7}, None),
        ({"tokens": 11}, None),
        ([5, 6], None),
        (None, None),
    ],
)
def test_usage_is_taken_only_where_it_can_mean_one_thing(usage: Any, expected: tuple[int, int] | None) -> None:
    found = ACME.read_usage(GENERATION, {"usage": usage}).usage
    assert (found and (found.input_tokens, found.output_tokens)) == expected
    assert ACME.read_answer(GENERATION, b'{"usage":{}}') is None


def test_a_stream_ends_with_its_end_word() -> None:
    dialect = ACME.stream(GENERATION)
    assert (dialect.done, dialect.most_empty_events, dialect.always_ends) == (b"<<end>>", 7, False)
    assert ACME.cut_events(GENERATION, CutContext()) == b"data: <<end>>\n\n"
    assert adapter(stream_end_word="").cut_events(GENERATION, CutContext()) == b""


def test_errors_are_told_in_openais_shape_and_heard_in_any() -> None:
    event = ACME.error_event(GENERATION, {"message": "broken", "code": "x"})
    assert event.endswith(b"\n\n")
    assert json.loads(event.removeprefix(b"data: ")) == {"error": {"message": "broken", "code": "x"}}
    assert ACME.error_in(GENERATION, {"error": {"code": "overloaded"}}) == "overloaded"
    assert ACME.error_in(GENERATION, {"error": {}}) == "upstream_error"
    assert ACME.error_in(GENERATION, {"error": None, "piece": "fine"}) is None
