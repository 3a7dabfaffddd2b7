"""Tests of which headers cross the gateway."""

import pytest

from proxy.headers import answer_head, retry_after_s, to_upstream

CREDENTIALS = (("authorization", "Bearer sk-1"),)


def names(headers: list[tuple[str, str]]) -> list[str]:
    return [name for name, _ in headers]


def test_the_providers_credentials_take_the_place_of_the_clients() -> None:
    sent = [(b"authorization", b"Bearer k"), (b"x-api-key", b"k"), (b"api-key", b"k"), (b"x-goog-api-key", b"k")]
    assert to_upstream(sent, CREDENTIALS) == [("accept-encoding", "identity"), *CREDENTIALS]


@pytest.mark.parametrize(
    "name",
    [b"Cookie", b"HOST", b"content-length", b"x-forwarded-for", b"X-Forwarded-Anything", b"x_api_key", b"openai_beta",
     b"X-Amz-Date", b"x-amz-security-token", b"amz-sdk-invocation-id",
     b"connection", b"transfer-encoding", b"x-gateway-route", b"x-metadata", b"traceparent"],
)  # fmt: skip
def test_what_is_not_for_the_provider_stays(name: bytes) -> None:
    assert names(to_upstream([(name, b"v"), (b"accept", b"*/*")], ())) == ["accept", "accept-encoding"]


def test_what_the_client_says_passes_in_order_with_repeats() -> None:
    sent = [(b"openai-beta", b"a"), (b"x-two", b"1"), (b"x-two", b"2"), (b"content-type", b"application/json")]
    assert to_upstream(sent, ())[:4] == [(name.decode(), value.decode()) for name, value in sent]


def test_the_user_agent_can_be_left_out() -> None:
    sent = [(b"user-agent", b"me"), (b"accept", b"*/*")]
    assert names(to_upstream(sent, (), remove_user_agent=True)) == ["accept", "accept-encoding"]
    assert names(to_upstream(sent, ())) == ["user-agent", "accept", "accept-encoding"]


@pytest.mark.parametrize(
    ("connection", "kept"),
    [
        ([b"close"], {"x-a", "x-b"}),
        ([b"Keep-Alive"], {"x-a", "x-b"}),
        ([b"keep-alive, X-A"], {"x-b"}),
        ([b"x-a", b" x-b , close"], set()),
    ],
)
def test_headers_named_in_connection_are_for_one_hop(connection: list[bytes], kept: set[str]) -> None:
    sent = [*((b"connection", value) for value in connection), (b"x-a", b"1"), (b"x-b", b"2")]
    assert set(names(to_upstream(sent, ()))) - {"accept-encoding"} == kept


def test_values_are_the_same_bytes_for_a_client_that_writes_utf8() -> None:
    sent = [(b"x-name", "Zoë €".encode()), (b"x-odd", b"\xff\xfe")]
    assert [value for _, value in to_upstream(sent, ())[:2]] == ["Zoë €", "\xff\xfe"]


def test_what_is_the_accounts_business_stays_here() -> None:
    head = answer_head(
        [
            (b"Content-Type", b"application/JSON; charset=UTF-8"),
            (b"Content-Length", b"12"),
            (b"Set-Cookie", b"a=b"),
            (b"OpenAI-Organization", b"org"),
            (b"openai-project", b"p"),
            (b"Server", b"cf"),
            (b"Date", b"today"),
            (b"Connection", b"close"),
            (b"Transfer-Encoding", b"chunked"),
            (b"X-Gateway-Error", b"true"),
            (b"x-should-retry", b"true"),
            (b"Access-Control-Allow-Origin", b"*"),
            (b"X-Request-Id", b"req_1"),
            (b"X-RateLimit-Remaining-Tokens", b"5"),
            (b"Retry-After", b"7"),
            (b"OpenAI-Processing-Ms", b"12"),
            (b"X-Two", b"1"),
            (b"X-Two", b"2"),
        ]
    )
    assert head.to_client == [
        (b"content-type", b"application/JSON; charset=UTF-8"),
        (b"x-upstream-request-id", b"req_1"),
        (b"x-upstream-ratelimit-remaining-tokens", b"5"),
        (b"retry-after", b"7"),
        (b"openai-processing-ms", b"12"),
        (b"x-two", b"1"),
        (b"x-two", b"2"),
    ]
    assert head[1:] == (b"application/json; charset=utf-8", 12, b"", b"req_1", "")


def test_anthropics_headers_are_the_accounts_business_too() -> None:
    head = answer_head(
        [
            (b"request-id", b"req_1"),
            (b"anthropic-organization-id", b"org"),
            (b"Anthropic-Workspace-Id", b"wrk"),
            (b"anthropic-ratelimit-input-tokens-remaining", b"5"),
            (b"anthropic-version", b"2023-06-01"),
        ]
    )
    assert head.to_client == [
        (b"request-id", b"req_1"),
        (b"x-upstream-ratelimit-input-tokens-remaining", b"5"),
        (b"anthropic-version", b"2023-06-01"),
    ]
    assert head.request_id == b"req_1"


@pytest.mark.parametrize(
    ("headers", "length", "encoding"),
    [
        ([], None, b""),
        ([(b"content-length", b"x")], None, b""),
        ([(b"content-length", b"-1")], None, b""),
        ([(b"content-encoding", b"Identity")], None, b""),
        ([(b"content-encoding", b"GZIP"), (b"content-length", b"0")], 0, b"gzip"),
    ],
)
def test_the_head_tells_length_and_encoding(
    headers: list[tuple[bytes, bytes]], length: int | None, encoding: bytes
) -> None:
    head = answer_head(headers)
    assert (head.length, head.encoding) == (length, encoding)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"7", 7.0), (b" 1.5 ", 1.5), (b"-3", 0.0), (b"nan", None), (b"inf", None), (b"soon", None), (b"", None),
        (b"Thu, 01 Jan 1970 00:16:50 GMT", 10.0), (b"Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_an_answer_says_how_long_to_wait(value: bytes, seconds: float | None) -> None:
    head = answer_head([(b"Retry-After", value)])
    assert retry_after_s(head, 1000) == seconds


def test_an_answer_may_not_say_how_long_to_wait() -> None:
    assert retry_after_s(answer_head([]), 1000) is None


def test_amazons_request_id_is_known_and_passes() -> None:
    head = answer_head([(b"x-amzn-RequestId", b"r-1")])
    assert (head.request_id, head.to_client) == (b"r-1", [(b"x-amzn-requestid", b"r-1")])


def test_features_of_bedrock_pass() -> None:
    sent = [(b"X-Amzn-Bedrock-Trace", b"ENABLED")]
    assert names(to_upstream(sent, ())) == ["x-amzn-bedrock-trace", "accept-encoding"]
