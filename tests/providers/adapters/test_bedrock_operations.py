"""Tests of what Bedrock's paths and bodies mean."""

from typing import Any

import pytest

from providers.adapters.base import BodyFacts
from providers.adapters.bedrock_operations import facts_of, operation_of

ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-7"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/model/anthropic.claude-v2%3A1/invoke", ("chat", "anthropic.claude-v2:1", False)),
        ("/model/anthropic.claude-v2:1/invoke-with-response-stream", ("chat", "anthropic.claude-v2:1", True)),
        (f"/model/{ARN.replace(':', '%3A').replace('/', '%2F')}/converse", ("chat", ARN, False)),
        (f"/model/{ARN}/converse-stream", ("chat", ARN, True)),
        ("/model/amazon.titan-embed-text-v2%3A0/invoke", ("embeddings", "amazon.titan-embed-text-v2:0", False)),
        ("/model/us.cohere.embed-v4%3A0/invoke", ("embeddings", "us.cohere.embed-v4:0", False)),
        ("/model/stability.sd3-5-large-v1:0/invoke", ("image_generation", "stability.sd3-5-large-v1:0", False)),
        ("/model/amazon.nova-lite-v1:0/count-tokens", ("count_tokens", "amazon.nova-lite-v1:0", False)),
        ("/guardrail/g/version/1/apply", ("guardrail", "", False)),
        ("/async-invoke", ("async-invoke", "", False)),
    ],
)
def test_paths_mean(path: str, found: tuple[Any, ...]) -> None:
    operation = operation_of("POST", path)
    assert (operation.name, operation.model_in_path, operation.streams) == found
    metering = {"count_tokens": "free", "guardrail": "unmetered", "async-invoke": "unmetered"}
    assert operation.metering == metering.get(operation.name, "estimated")


@pytest.mark.parametrize("path", ["/model/m/invoke/", "/model/m/%69nvoke", "/%6Dodel/m/invoke", "/model/m/invok%65/"])
def test_no_spelling_of_a_path_makes_it_another_one(path: str) -> None:
    assert operation_of("POST", path) == operation_of("POST", "/model/m/invoke")


@pytest.mark.parametrize("path", ["/model/a%2Fm/what-comes-next", "/model/a/m/what-comes-next/"])
def test_the_model_is_known_where_the_rest_is_not(path: str) -> None:
    operation = operation_of("POST", path)
    assert (operation.metering, operation.model_in_path) == ("unmetered", "a/m")


def test_asynchronous_invocations_name_their_model_in_the_body() -> None:
    operation = operation_of("POST", "/async-invoke")
    assert facts_of(operation, {"modelId": "amazon.nova-reel-v1:0", "modelInput": {}}).model == "amazon.nova-reel-v1:0"
    with pytest.raises(ValueError, match="modelId"):
        facts_of(operation, {"modelId": ["m"]})


def test_reading_is_free() -> None:
    assert operation_of("GET", "/async-invoke/arn").metering == "free"
    assert operation_of("GET", "/model/x/invoke").metering == "free"


def facts(body: dict[str, Any], api: str = "invoke", model: str = "m") -> BodyFacts:
    return facts_of(operation_of("POST", f"/model/{model}/{api}"), body)


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({"max_gen_len": 5}, 5),
        ({"max_tokens": 6.0}, 6),
        ({"maxTokens": 7}, 7),
        ({"textGenerationConfig": {"maxTokenCount": 8}}, 8),
        ({"inferenceConfig": {"maxTokens": 9}}, 9),
        ({"inferenceConfig": {"max_new_tokens": 10}}, 10),
        ({"inferenceConfig": {"maxTokens": 9}, "additionalModelRequestFields": {"max_tokens": 900}}, 900),
        ({"anthropic_version": "v", "max_tokens": 11}, 11),
        ({"anthropic_version": "v", "max_tokens_to_sample": 12}, 12),
        ({"prompt": "x"}, None),
    ],
)
def test_the_longest_answer_is_found_wherever_it_stands(body: dict[str, Any], most: int | None) -> None:
    found = facts(body)
    assert (found.max_output_tokens, found.model, found.stream) == (most, "m", False)


@pytest.mark.parametrize(
    "body",
    [
        {"max_gen_len": "5"},
        {"inferenceConfig": {"maxTokens": -1}},
        {"textGenerationConfig": {"maxTokenCount": True}},
        {"anthropic_version": "v", "max_tokens": 10**9},
        {"numResults": [3]},
    ],
)
def test_an_impossible_number_is_named(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be a whole number"):
        facts(body)


def test_the_path_says_what_streams_and_which_model_not_the_body() -> None:
    body = {"anthropic_version": "v", "max_tokens": 1, "model": ["x"], "stream": "yes", "metadata": {"user_id": "u"}}
    found = facts(body, "invoke-with-response-stream", "anthropic.claude-x")
    assert (found.model, found.stream, found.user) == ("anthropic.claude-x", True, "u")


def test_several_answers_are_asked_for() -> None:
    assert [facts({name: 3}).choices for name in ("n", "numResults", "num_generations")] == [3, 3, 3]
    assert facts({"n": 0}).choices == 1


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


TEXT, IMAGE = {"text": "x"}, {"image": {"format": "png", "source": {"bytes": "AA=="}}}


@pytest.mark.parametrize(
    ("body", "is_open"),
    [
        (said(TEXT, IMAGE, {"cachePoint": {"type": "default"}}), False),
        (said({"toolResult": {"toolUseId": "t", "content": [TEXT, {"json": {}}, IMAGE]}}), False),
        (said({"document": {"name": "d", "source": {"bytes": "AA=="}}}), True),
        (said({"video": {"source": {"s3Location": {"uri": "s3://b"}}}}), True),
        (said({"toolResult": {"content": [{"document": {}}]}}), True),
        (said({"type": "text", "text": "x"}, {"type": "image_url", "image_url": {}}), False),
        (said({"type": "document_url", "document_url": "https://x"}), True),
        ({"messages": [], "system": [TEXT, {"guardContent": {"text": {"text": "x"}}}]}, False),
        ({"messages": "nonsense", "system": 5}, False),
    ],
)
def test_what_bytes_do_not_bound_is_open(body: dict[str, Any], is_open: bool) -> None:
    assert facts(body, "converse").open_input is is_open


def test_a_stored_prompt_is_open() -> None:
    prompt = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprompt%2FABC%3A1"
    assert facts({"promptVariables": {"a": {"text": "x"}}}, "converse", prompt).open_input


def test_tools_and_pictures_have_hidden_tokens() -> None:
    assert facts(said(TEXT), "converse").hidden_input_tokens == 0
    assert facts(said(IMAGE, IMAGE), "converse").hidden_input_tokens == 2 * 5120
    assert facts(said(TEXT) | {"toolConfig": {"tools": []}}, "converse").hidden_input_tokens == 1024


def test_what_went_in_is_found_for_counting() -> None:
    assert facts({"inputText": "a"}).prompt == "a"
    assert facts({"message": "b", "chat_history": []}).prompt == "b"
    assert facts({"prompt": "c"}).prompt is None


def test_pictures_asked_for_and_tiers_are_read() -> None:
    assert facts({"imageGenerationConfig": {"numberOfImages": 3}}, model="amazon.nova-canvas-v1:0").images == 3
    assert facts(said(TEXT) | {"serviceTier": {"type": "flex"}}, "converse").service_tier == "flex"
