"""Tests of signatures, each against the one Amazon's own library makes."""

from datetime import UTC, datetime
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.adapters.aws_signing import AwsCredentials, Scope, signed
from providers.adapters.base import UpstreamRequest

NOW = 1_800_000_000
PATHS = st.lists(st.text("abcXYZ019-._~:%2F", min_size=1, max_size=12), min_size=1, max_size=5).map("/".join)
QUERIES = st.lists(st.text("ab=%20+", min_size=1, max_size=8), max_size=3).map("&".join)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library asks for the time itself."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_a, **_k: datetime.fromtimestamp(NOW, UTC))


def by_botocore(request: UpstreamRequest, credentials: AwsCredentials, region: str) -> Any:
    described = AWSRequest(request.method, request.url, headers=dict(request.headers), data=request.body)
    signer = SigV4Auth(
        Credentials(credentials.access_key, credentials.secret_key, credentials.token or None), "bedrock", region
    )
    signer.add_auth(described)
    return described.headers


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=PATHS.filter(lambda path: "//" not in path and not any(part in (".", "..") for part in path.split("/"))),
    query=QUERIES.filter(lambda query: all("=" in part for part in query.split("&") if query)),
    body=st.binary(max_size=100),
    token=st.sampled_from(["", "a token/+="]),
    region=st.sampled_from(["us-east-1", "ap-southeast-7"]),
)
def test_a_signature_is_amazons(path: str, query: str, body: bytes, token: str, region: str) -> None:
    url = f"https://bedrock-runtime.{region}.amazonaws.com/{path}" + (f"?{query}" if query else "")
    headers = [
        ("content-type", "application/json"),
        ("x-amzn-bedrock-trace", "  ENABLED   it "),
    ]
    request = UpstreamRequest("POST", url, headers, body)
    credentials = AwsCredentials("AKIA", "s3cr/et+", token)
    sent = dict(signed(request, credentials, Scope(region, "bedrock", NOW)).headers)
    assert sent["authorization"] == by_botocore(request, credentials, region)["Authorization"]
    assert sent["x-amz-date"] == "20270115T080000Z"


def test_what_is_not_signed_is_sent_all_the_same() -> None:
    request = UpstreamRequest("GET", "http://127.0.0.1:8080/x", [("user-agent", "me"), ("accept", "*/*")], b"")
    sent = signed(request, AwsCredentials("AKIA", "s"), Scope("us-east-1", "bedrock", NOW))
    headers = dict(sent.headers)
    assert (headers["user-agent"], headers["host"]) == ("me", "127.0.0.1:8080")
    assert "SignedHeaders=host;x-amz-date," in headers["authorization"]
    assert sent._replace(headers=()) == request._replace(headers=())


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://h.example:443/a", "h.example"),
        ("http://h.example:80/a", "h.example"),
        ("https://h.example:8443/a", "h.example:8443"),
        ("http://[::1]:9000/a", "[::1]:9000"),
    ],
)
def test_the_host_is_the_one_that_is_sent(url: str, host: str) -> None:
    sent = signed(UpstreamRequest("POST", url, (), b""), AwsCredentials("a", "b"), Scope("us-east-1", "bedrock", NOW))
    assert dict(sent.headers)["host"] == host


def test_a_header_that_comes_twice_is_signed_once() -> None:
    headers = [("x-amzn-bedrock-trace", "a"), ("x-amzn-bedrock-trace", "b")]
    sent = signed(
        UpstreamRequest("POST", "http://h/", headers, b""), AwsCredentials("a", "b"), Scope("us-east-1", "bedrock", NOW)
    )
    assert "SignedHeaders=host;x-amz-date;x-amzn-bedrock-trace," in dict(sent.headers)["authorization"]


def test_secrets_are_not_shown() -> None:
    assert "s3cret" not in repr(AwsCredentials("AKIA", "s3cret", "s3cret token"))
