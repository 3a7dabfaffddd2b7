"""Tests of header hygiene: what must not cross the gateway in either direction, and what must."""

import httpx
import pytest

from tests.end_to_end.wire import BODY, CHAT, JSON, head, raw, status_of
from tests.proxy_gateway import Caller, RunningProxy
from tests.upstream import Upstream

# Headers on the way to the provider.

FORBIDDEN = {
    "x-api-key": "{secret}",
    "api-key": "{secret}",
    "x-goog-api-key": "{secret}",
    "proxy-authorization": "Basic {secret}",
    "cookie": "session={secret}",
    "x-forwarded-for": "10.0.0.1",
    "x-forwarded-host": "evil",
    "x-forwarded-proto": "https",
    "x-real-ip": "10.0.0.1",
    "forwarded": "for=10.0.0.1",
    "via": "1.1 other",
    "te": "trailers",
    "trailer": "x",
    "upgrade": "h2c",
    "keep-alive": "timeout=5",
    "proxy-connection": "keep-alive",
    "x-custom-event-id": "mine",
    "x-metadata": '{"a":1}',
    "x-request-timeout": "30s",
    "x-request-id": "chosen",
    "x-gateway-anything": "1",
    "traceparent": "00-1-2-03",
    "baggage": "a=b",
    "x-http-method-override": "DELETE",
    "x-original-url": "/admin",
    "x-rewrite-url": "/admin",
    "accept-encoding": "gzip, br",
    "expect": "",
}


def test_what_is_the_gateways_business_does_not_reach_the_provider(caller: Caller, upstream: Upstream) -> None:
    headers = {name: value.replace("{secret}", caller.secret) for name, value in FORBIDDEN.items() if value}
    answer = caller.post(CHAT, content=BODY, headers={**JSON, **headers})
    assert answer.status_code == 200
    seen = upstream.last()
    names = [name.lower() for name, _ in seen.headers]
    assert not {*FORBIDDEN} - {"accept-encoding"} & {*names}
    assert seen.header("accept-encoding") == "identity"
    assert seen.header("authorization") == "Bearer sk-upstream-secret"
    assert names.count("authorization") == names.count("host") == names.count("content-length") == 1
    assert not [value for _, value in seen.headers if caller.secret in value]
    event = caller.event()
    assert (event.custom_id, event.metadata) == ("mine", '{"a":1}')


def test_what_the_client_says_to_the_provider_arrives(caller: Caller, upstream: Upstream) -> None:
    said = {
        "openai-beta": "assistants=v2",
        "anthropic-version": "2023-06-01",
        "idempotency-key": "k",
        "x-stainless-lang": "python",
        "user-agent": "Acme/1.0 (x; y)",
        "accept": "text/event-stream",
        "accept-language": "de, en;q=0.5",
        "x-empty": "",
    }
    caller.post(CHAT, content=BODY, headers={**JSON, **said})
    seen = upstream.last()
    assert {name: seen.header(name) for name in said} == said
    assert [name for name, _ in seen.headers].count("user-agent") == 1


def test_headers_that_occur_twice_and_bytes_beyond_ascii_arrive(caller: Caller, upstream: Upstream) -> None:
    headers = (b"X-Two: 1", b"X-Two: 2", "X-Name: Zoë".encode(), b"Content-Length: 0")
    raw(caller, head(caller, "GET", b"/api/providers/openai/v1/models", *headers))
    seen = upstream.last()
    assert [value for name, value in seen.headers if name.lower() == "x-two"] == ["1", "2"]
    assert (seen.header("x-name") or "").encode("latin-1") == "Zoë".encode()


@pytest.mark.parametrize("listing", [b"close, x-hop, X-Other", b"x-hop,x-other,close"])
def test_headers_of_one_hop_end_here(caller: Caller, upstream: Upstream, listing: bytes) -> None:
    request = head(caller, "GET", b"/api/providers/openai/v1/models", b"X-Hop: 1", b"X-Other: 2", b"X-Kept: 3")
    raw(caller, request.replace(b"Connection: close", b"Connection: " + listing))
    names = {name.lower() for name, _ in upstream.last().headers}
    assert "x-kept" in names
    assert not {"x-hop", "x-other", "connection"} & names


def test_two_connection_headers_count_both(caller: Caller, upstream: Upstream) -> None:
    headers = (b"Connection: x-hop", b"Connection: x-other", b"X-Hop: 1", b"X-Other: 2")
    raw(caller, head(caller, "GET", b"/api/providers/openai/v1/models", *headers))
    assert not {"x-hop", "x-other"} & {name.lower() for name, _ in upstream.last().headers}


def test_a_header_with_an_underscore_counts_for_nothing(gateway: RunningProxy, upstream: Upstream) -> None:
    caller = gateway.caller()
    request = head(caller, "GET", b"/api/providers/openai/v1/models", b"X_Forwarded_For: 1.2.3.4", b"openai_beta: x")
    assert status_of(raw(caller, request)) == 200
    assert not [name for name, _ in upstream.last().headers if "_" in name]
    key_only = request.replace(b"Authorization: Bearer ", b"X_API_KEY: ")
    assert status_of(raw(caller, key_only)) == 401


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "authorization"])
def test_the_key_may_come_in_three_headers(caller: Caller, upstream: Upstream, header: str) -> None:
    value = f"Bearer {caller.secret}" if header == "authorization" else caller.secret
    answer = httpx.get(f"{caller.gateway.openai_url}/models", headers={header: value})
    assert answer.status_code == 200
    assert caller.secret not in str(upstream.last().headers)


def test_a_digest_is_no_key(caller: Caller) -> None:
    digest = next(digest for digest, record in caller.gateway.doors.keys.items() if record.id == caller.key.id)
    for secret in (digest, digest.partition(":")[2]):
        answer = httpx.get(f"{caller.gateway.openai_url}/models", headers={"x-api-key": secret})
        assert answer.status_code == 401
        assert secret not in answer.text


# Headers on the way back.


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_the_accounts_business_does_not_reach_the_client(caller: Caller, stream: bool) -> None:
    content = BODY[:-1] + (b',"stream":true}' if stream else b"}")
    answer = caller.post(CHAT, content=content, headers=JSON)
    headers = answer.headers
    assert not {"set-cookie", "openai-organization", "openai-project", "x-ratelimit-limit-requests"} & {*headers}
    assert (headers["openai-processing-ms"], headers["openai-version"]) == ("12", "2020-10-01")
    assert headers["x-upstream-ratelimit-limit-requests"] == "10000"
    assert headers["x-upstream-request-id"].startswith("req_")
    assert headers["x-request-id"] == caller.event().id
    assert len(headers.get_list("x-request-id")) == len(headers.get_list("content-type")) == 1


def test_no_secret_is_anywhere(caller: Caller) -> None:
    """Neither the provider's nor the key's, in answers, refusals, events."""
    answers = [
        caller.post(CHAT, content=BODY, headers=JSON),
        caller.post(CHAT, content=BODY, headers={**JSON, "x-fake-fault": "drop"}),
        caller.post(CHAT, content=b"{", headers=JSON),
        caller.post("/nowhere/../x", content=b"{"),
        caller.post(CHAT, content=BODY, headers={**JSON, "x-fake-fault": "bad-status=401"}),
    ]
    shown = "".join(f"{answer.headers}{answer.text}" for answer in answers) + str(caller.events())
    assert "sk-upstream-secret" not in shown
    assert caller.secret not in shown
