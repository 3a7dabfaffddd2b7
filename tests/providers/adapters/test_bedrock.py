"""Tests of Bedrock's own API: what is signed and sent, what answers and frames tell."""

from typing import Any

import pytest
import time_machine

from gateway_project.shared.problems import Unavailable
from providers.adapters.aws_events import FrameReader
from providers.adapters.aws_identity import IDENTITY
from providers.adapters.aws_signing import AwsCredentials, Scope, signed
from providers.adapters.base import CutContext, UpstreamRequest
from providers.adapters.bedrock import BedrockAdapter
from providers.adapters.bedrock_frames import payload_of
from providers.adapters.bedrock_usage import METRICS
from providers.records import ProviderRecord, TokenUsage

ADAPTER = BedrockAdapter()
NOW = 1_800_000_000
SECRETS = {"awsAccessKeyId": "AKIA", "awsSecretAccessKey": "secret", "awsSessionToken": "token"}
INVOKE = ADAPTER.operation("POST", "/model/anthropic.claude-v2/invoke")
CHUNKS = ADAPTER.operation("POST", "/model/anthropic.claude-v2/invoke-with-response-stream")
CONVERSE = ADAPTER.operation("POST", "/model/amazon.nova-lite-v1%3A0/converse-stream")


def setting(**changes: Any) -> ProviderRecord:
    values = {
        "id": "s",
        "provider": "bedrock",
        "base_url": "https://bedrock-runtime.eu-west-1.amazonaws.com",
        "parameters": {"awsRegion": "eu-west-1"},
        "secrets": SECRETS,
    }
    return ProviderRecord(**{**values, **changes})


REQUEST = UpstreamRequest("POST", ADAPTER.url(setting(), "/model/m/invoke", ""), [("accept", "*/*")], b"{}")


def test_paths_and_queries_are_appended_as_they_are() -> None:
    assert ADAPTER.url(setting(), "/model/a%3A0/invoke", "").endswith(".com/model/a%3A0/invoke")
    assert ADAPTER.url(setting(), "/async-invoke", "a=b&c").endswith(".com/async-invoke?a=b&c")
    assert ADAPTER.credentials(setting()) == ()


@time_machine.travel(NOW, tick=False)
def test_a_request_is_signed_for_the_settings_region_at_this_moment() -> None:
    scope = Scope("eu-west-1", "bedrock", NOW)
    assert ADAPTER.prepare(setting(), INVOKE, REQUEST) == signed(
        REQUEST, AwsCredentials("AKIA", "secret", "token"), scope
    )


def test_nothing_of_the_clients_own_signature_is_sent() -> None:
    mine = [
        ("x-amz-date", "1"),
        ("x-amz-security-token", "t"),
        ("amz-sdk-request", "attempt=1"),
        ("x-amzn-trace-id", "r"),
        ("x-amzn-bedrock-trace", "ENABLED"),
        ("user-agent", "me"),
    ]
    headers = ADAPTER.prepare(setting(), INVOKE, REQUEST._replace(headers=mine)).headers
    assert [name for name, _ in headers] == [
        "x-amzn-bedrock-trace", "user-agent", "host", "x-amz-date", "x-amz-security-token", "authorization",
    ]  # fmt: skip
    assert dict(headers)["x-amz-security-token"] == "token"


@pytest.mark.parametrize(
    "secrets", [{}, {"awsAccessKeyId": "AKIA"}, {"awsSecretAccessKey": "s", "awsSessionToken": "t"}]
)
def test_a_setting_without_credentials_uses_the_gateways_and_never_a_part_of_both(secrets: dict[str, str]) -> None:
    with pytest.raises(Unavailable):
        ADAPTER.prepare(setting(secrets=secrets), INVOKE, REQUEST)
    IDENTITY.take(AwsCredentials("ASIAOWN", "own"))
    try:
        headers = dict(ADAPTER.prepare(setting(secrets=secrets), INVOKE, REQUEST).headers)
    finally:
        IDENTITY.take(None)
    assert "Credential=ASIAOWN/" in headers["authorization"]
    assert "x-amz-security-token" not in headers


def test_streams_end_with_what_only_their_last_frame_has() -> None:
    for operation, last in ((CHUNKS, METRICS), (CONVERSE, "metadata")):
        dialect = ADAPTER.stream(operation)
        assert dialect.last_members == {last, "exception"}
        assert dialect.always_ends
        assert dialect.read_frame is payload_of
    assert ADAPTER.stream(INVOKE).read_frame is None


def events(operation: Any, *payloads: dict[str, Any]) -> TokenUsage | None:
    """What a stream's events tell, one after the other, as the relay asks."""
    told: TokenUsage | None = None
    for payload in payloads:
        reading = ADAPTER.read_event(operation, payload, told)
        told = reading.usage or told
    return told


CLAUDE = (
    {"type": "message_start", "message": {"model": "claude-x", "usage": {
        "input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 6, "cache_creation_input_tokens": 8,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 5}}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop", METRICS: {"inputTokenCount": 10, "outputTokenCount": 4}},
)  # fmt: skip


def test_usage_of_a_claude_is_told_bit_by_bit() -> None:
    whole = TokenUsage(10, cache_read_tokens=6, cache_write_tokens=3, cache_write_1h_tokens=5, output_tokens=4)
    assert events(CHUNKS, *CLAUDE) == whole
    assert events(CHUNKS, *CLAUDE[:3]) == whole
    assert ADAPTER.read_event(CHUNKS, {"type": ["odd"]}, None).usage is None
    begun = ADAPTER.read_event(CHUNKS, CLAUDE[0], None)
    assert (begun.final, begun.model) == (False, "claude-x")


def test_usage_of_others_is_in_the_last_chunk_or_event() -> None:
    metrics = {METRICS: {"inputTokenCount": 3, "outputTokenCount": 4}}
    assert events(CHUNKS, {"generation": "x", "prompt_token_count": None, "generation_token_count": 1}) is None
    assert events(CHUNKS, {"outputText": "x", "inputTextTokenCount": 3, "totalOutputTextTokenCount": None}) is None
    assert events(CHUNKS, {"outputText": "x"}, {"outputText": "", **metrics}) == TokenUsage(3, output_tokens=4)
    told = {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 6}}}
    assert events(CONVERSE, {"messageStop": {}}, told) == TokenUsage(5, output_tokens=6)


def test_a_whole_answer_tells_its_model_where_it_has_one() -> None:
    answer = {"type": "message", "model": "claude-x", "usage": {"input_tokens": 1, "output_tokens": 2}}
    assert ADAPTER.read_usage(INVOKE, answer) == (TokenUsage(1, output_tokens=2), "claude-x", True)
    assert ADAPTER.read_usage(INVOKE, {"model": "gpt-oss", "choices": []}) == (None, "gpt-oss", True)
    assert ADAPTER.read_answer(INVOKE, b"{}") is None


def test_pictures_are_counted() -> None:
    operation = ADAPTER.operation("POST", "/model/stability.sd3-5-large-v1%3A0/invoke")
    assert ADAPTER.read_usage(operation, {"images": ["a", "b"]}).usage == TokenUsage(images=2)
    assert ADAPTER.read_usage(operation, {"error": "no"}).usage is None


def test_headers_tell_what_the_body_does_not() -> None:
    headers = [(b"x-amzn-bedrock-input-token-count", b"1"), (b"x-amzn-bedrock-output-token-count", b"2")]
    assert ADAPTER.head_usage(headers) == TokenUsage(1, output_tokens=2)


def test_an_error_in_a_stream_is_known_and_made() -> None:
    assert ADAPTER.error_in(CHUNKS, {"exception": {"type": "throttlingException"}}) == "throttlingException"
    assert ADAPTER.error_in(CHUNKS, {"exception": {"type": ""}}) == "upstream_error"
    assert ADAPTER.error_in(CHUNKS, {"type": "message_stop"}) is None
    (frame,) = FrameReader().feed(ADAPTER.error_event(CHUNKS, {"message": "It broke off."}))
    assert payload_of(frame) == {"exception": {"type": "modelStreamErrorException", "message": "It broke off."}}


def test_a_stream_is_cut_in_the_framing_it_has() -> None:
    for operation, last in ((CHUNKS, METRICS), (CONVERSE, "metadata")):
        frames = FrameReader().feed(ADAPTER.cut_events(operation, CutContext(usage=TokenUsage(output_tokens=9))))
        payload = payload_of(frames[-1])
        assert payload is not None
        assert last in payload


def test_text_is_found() -> None:
    assert ADAPTER.text_of(CHUNKS, CLAUDE[1], streamed=True) == "Hi"
