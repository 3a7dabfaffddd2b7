"""Tests of Claude on Bedrock for clients of Anthropic's API."""

import json
from typing import Any

import pytest

from gateway_project.shared.problems import NotFound
from providers.adapters.aws_events import FramingBroken
from providers.adapters.base import ErrorAnswer, UpstreamRequest
from providers.adapters.bedrock_anthropic import BedrockAnthropicAdapter, ClaudeDecoder
from providers.adapters.bedrock_frames import chunk_frame, exception_frame
from providers.adapters.bedrock_usage import METRICS
from providers.records import ProviderRecord, TokenUsage

ADAPTER = BedrockAnthropicAdapter()
MESSAGES = ADAPTER.operation("POST", "/messages")
COMPLETE = ADAPTER.operation("POST", "/complete")
SETTING = ProviderRecord(
    id="s",
    provider="bedrock",
    base_url="https://bedrock.example",
    parameters={"awsRegion": "us-east-1"},
    secrets={"awsAccessKeyId": "AKIA", "awsSecretAccessKey": "secret"},
)


def prepared(body: dict[str, Any], *headers: tuple[str, str]) -> UpstreamRequest:
    url = ADAPTER.url(SETTING, "/messages", "beta=true")
    return ADAPTER.prepare(SETTING, MESSAGES, UpstreamRequest("POST", url, headers, json.dumps(body).encode()))


def test_the_path_says_model_and_stream() -> None:
    arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x"
    sent = prepared({"model": arn, "max_tokens": 1}, ("content-type", "application/json"))
    encoded = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.claude-x"
    assert sent.url == f"https://bedrock.example/model/{encoded}/invoke"
    assert json.loads(sent.body) == {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1}
    assert "SignedHeaders=content-type;host;x-amz-date," in dict(sent.headers)["authorization"]
    assert prepared({"model": "m", "stream": True}).url.endswith("/model/m/invoke-with-response-stream")
    assert ADAPTER.credentials(SETTING) == ()


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ("2023-06-01", "bedrock-2023-05-31"),
        ("2023-01-01", "bedrock-2023-05-31"),
        ("2026-10-21", "2026-10-21"),
        ("bedrock-2030-01-01", "bedrock-2030-01-01"),
    ],
)
def test_the_version_stands_in_the_body(header: str, version: str) -> None:
    sent = prepared({"model": "m"}, ("anthropic-version", header))
    assert json.loads(sent.body)["anthropic_version"] == version
    assert "anthropic-version" not in dict(sent.headers)


def test_features_stand_in_the_body() -> None:
    sent = prepared(
        {"model": "m", "anthropic_beta": ["c"]}, ("anthropic-beta", "a, b"), ("accept", "*/*"), ("anthropic-beta", "c")
    )
    assert json.loads(sent.body)["anthropic_beta"] == ["c", "a", "b"]
    assert "anthropic-beta" not in dict(sent.headers)


@pytest.mark.parametrize(("method", "tail"), [("GET", "/models"), ("POST", "/messages/batches"), ("GET", "/messages")])
def test_what_bedrock_has_not_is_not_found(method: str, tail: str) -> None:
    with pytest.raises(NotFound):
        ADAPTER.operation(method, tail)


@pytest.mark.parametrize("model", ["", "../../x", ".", "a b", "m?x=1", "m#"])
def test_a_model_that_would_be_another_path_is_refused(model: str) -> None:
    with pytest.raises(ValueError, match="model"):
        ADAPTER.read_body(MESSAGES, {"model": model, "max_tokens": 5})
    assert ADAPTER.read_body(MESSAGES, {"model": "a.b-c:0", "max_tokens": 5}).max_output_tokens == 5


@pytest.mark.parametrize("betas", [[["a"]], ["a", 1], [{"a": 1}], [None]])
def test_features_that_are_no_names_are_refused(betas: list[Any]) -> None:
    with pytest.raises(ValueError, match="anthropic_beta"):
        ADAPTER.read_body(MESSAGES, {"model": "m", "max_tokens": 5, "anthropic_beta": betas})
    assert ADAPTER.read_body(MESSAGES, {"model": "m", "anthropic_beta": ["a"]}).model == "m"


def events(frames: bytes, size: int = 1000) -> list[Any]:
    decoder = ClaudeDecoder()
    text = b"".join(decoder.feed(frames[at : at + size]) for at in range(0, len(frames), size)).decode()
    pairs = [event.split("\n") for event in text.split("\n\n") if event]
    found = [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in pairs]
    assert all(name == payload["type"] for name, payload in found)
    return [payload for _, payload in found]


STOP = {"type": "message_stop", METRICS: {"inputTokenCount": 5, "outputTokenCount": 6, "cacheReadInputTokenCount": 7,
                                          "cacheWriteInputTokenCount": 8}}  # fmt: skip


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_chunks_become_events(size: int) -> None:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "é\n\nx"}}
    found = events(chunk_frame(delta) + chunk_frame(STOP), size)
    usage = {"input_tokens": 5, "output_tokens": 6, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 8}
    assert found == [delta, {"type": "message_stop", "usage": usage}]


def test_the_end_tells_the_usage_and_keeps_for_how_long_caches_hold() -> None:
    before = TokenUsage(5, cache_read_tokens=7, cache_write_tokens=2, cache_write_1h_tokens=6, output_tokens=1)
    reading = ADAPTER.read_event(MESSAGES, events(chunk_frame(STOP))[0], before)
    assert reading.final
    assert reading.usage == TokenUsage(
        5, cache_read_tokens=7, cache_write_tokens=2, cache_write_1h_tokens=6, output_tokens=6
    )


def test_a_chunk_of_an_old_completion_has_a_name_too() -> None:
    last = {"completion": "x", "stop_reason": "stop_sequence", METRICS: {"inputTokenCount": 1, "outputTokenCount": 2}}
    (found,) = events(chunk_frame(last))
    assert found == {"type": "completion", "completion": "x", "stop_reason": "stop_sequence",
                     "usage": {"input_tokens": 1, "output_tokens": 2}}  # fmt: skip
    assert ADAPTER.read_usage(COMPLETE, found).usage == TokenUsage(1, output_tokens=2)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("modelTimeoutException", "timeout_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("validationException", "invalid_request_error"),
        ("somethingNewException", "api_error"),
    ],
)
def test_exceptions_in_a_stream_are_error_events(name: str, kind: str) -> None:
    (found,) = events(exception_frame(name, "Sorry"))
    assert found == {
        "type": "error", "error": {"type": kind, "message": "Sorry", "details": {"error_code": name}},
    }  # fmt: skip
    assert ADAPTER.error_in(MESSAGES, found) == kind


def test_a_frame_that_has_not_ended_is_known() -> None:
    decoder = ClaudeDecoder()
    assert decoder.feed(chunk_frame(STOP)[:-1]) == b""
    assert decoder.pending
    assert decoder.feed(chunk_frame(STOP)[-1:])
    assert not decoder.pending


def test_broken_framing_is_said() -> None:
    with pytest.raises(FramingBroken):
        ClaudeDecoder().feed(b"<html>an error page</html>")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((400, "ValidationException:http://a.com/x", b'{"message":"Bad"}'), (400, "invalid_request_error", "Bad")),
        ((429, "ThrottlingException", b'{"message":"Slow"}'), (429, "rate_limit_error", "Slow")),
        ((400, "ServiceQuotaExceededException", b'{"message":"Much"}'), (429, "rate_limit_error", "Much")),
        ((503, "ServiceUnavailableException", b'{"Message":"Gone"}'), (529, "overloaded_error", "Gone")),
        ((424, "ModelErrorException", b'{"message":"It"}'), (500, "api_error", "It")),
        ((408, "ModelTimeoutException", b'{"message":"Late"}'), (504, "timeout_error", "Late")),
        ((403, "", b'{"__type":"com.a#AccessDeniedException","message":"Who"}'), (403, "permission_error", "Who")),
        ((502, "", b"<html>bad gateway</html>"), (502, "api_error", "<html>bad gateway</html>")),
        ((500, "", b""), (500, "api_error", "HTTP 500")),
    ],
)  # fmt: skip
def test_errors_are_told_as_anthropic_would(answer: tuple[int, str, bytes], told: tuple[int, str, str]) -> None:
    status, name, content = answer
    headers = [(b"content-type", b"text/html"), (b"x-amzn-errortype", name.encode()), (b"x-amzn-requestid", b"r-1")]
    shown = ADAPTER.error_answer(ErrorAnswer(status, headers, content))
    body = json.loads(shown.content)
    assert (shown.status, body["error"]["type"], body["error"]["message"]) == told
    assert (body["type"], body["request_id"]) == ("error", "r-1")
    assert shown.headers == [(b"x-amzn-requestid", b"r-1"), (b"content-type", b"application/json")]
