"""The fake provider as Amazon: who signs wrongly is refused, whatever was wrong."""

import time
from collections.abc import Callable

import httpx
import pytest

from providers.adapters.aws_signing import AwsCredentials, Scope, signed
from providers.adapters.base import UpstreamRequest
from tests.upstream import Upstream

GOOD = AwsCredentials("AKIAFAKEUPSTREAM", "fake/upstream+secret")
TEMPORARY = AwsCredentials("ASIAFAKETEMPORARY", "fake-temporary-secret", "fake-session-token")
BODY = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'


def asked(
    upstream: Upstream,
    credentials: AwsCredentials = GOOD,
    scope: Scope | None = None,
    change: Callable[[UpstreamRequest], UpstreamRequest] = lambda request: request,
) -> httpx.Response:
    url = f"{upstream.url}/model/amazon.nova-lite-v1%3A0/converse"
    request = UpstreamRequest("POST", url, [("content-type", "application/json")], BODY)
    sent = change(signed(request, credentials, scope or Scope("us-east-1", "bedrock", int(time.time()))))
    return httpx.post(sent.url, headers=list(sent.headers), content=sent.body)


@pytest.mark.parametrize("credentials", [GOOD, TEMPORARY])
def test_who_signs_well_is_answered(upstream: Upstream, credentials: AwsCredentials) -> None:
    answer = asked(upstream, credentials)
    assert (answer.status_code, answer.json()["stopReason"]) == (200, "end_turn")


@pytest.mark.parametrize(
    ("credentials", "name"),
    [
        (GOOD._replace(secret_key="another"), "InvalidSignatureException"),
        (GOOD._replace(access_key="AKIANOBODY"), "UnrecognizedClientException"),
        (TEMPORARY._replace(token=""), "UnrecognizedClientException"),
        (TEMPORARY._replace(token="another"), "UnrecognizedClientException"),
    ],
)
def test_who_signs_as_somebody_else_is_refused(upstream: Upstream, credentials: AwsCredentials, name: str) -> None:
    answer = asked(upstream, credentials)
    assert (answer.status_code, answer.headers["x-amzn-errortype"].partition(":")[0]) == (403, name)


@pytest.mark.parametrize(
    "scope", [Scope("us-east-1", "s3", int(time.time())), Scope("us-east-1", "bedrock", 1_700_000_000)]
)
def test_another_service_and_another_day_are_refused(upstream: Upstream, scope: Scope) -> None:
    assert asked(upstream, scope=scope).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        lambda request: request._replace(body=request.body + b" "),
        lambda request: request._replace(url=request.url.replace("lite", "pro")),
        lambda request: request._replace(headers=[*request.headers, ("x-amz-meta", "not signed")]),
        lambda request: request._replace(
            headers=[header for header in request.headers if header[0] != "authorization"]
        ),
    ],
)
def test_what_was_changed_on_its_way_is_refused(
    upstream: Upstream, change: Callable[[UpstreamRequest], UpstreamRequest]
) -> None:
    assert asked(upstream, change=change).status_code == 403
