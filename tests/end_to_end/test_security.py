"""Tests of what must not cross the gateway, in either direction, and of requests made to confuse it."""

import gzip
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import pytest

from providers.records import PriceRecord
from reporting.records import UsageEventRecord
from tests.end_to_end.wire import BODY, CHAT, JSON, head, raw, status_of
from tests.proxy.test_paths import HARMLESS, HOSTILE
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, openai_setting, proxy_in_thread, waited_for
from tests.upstream import SeenRequest, Upstream

# Paths.


@pytest.mark.parametrize(
    "path", [path for path in HOSTILE if path.isascii() and path.isprintable() and " " not in path]
)
def test_a_hostile_path_reaches_nobody(caller: Caller, upstream: Upstream, path: str) -> None:
    target = b"/api/providers/openai/v1" + path.encode()
    if b"#" in target:
        return  # cut off by the server, as a browser would
    status = status_of(raw(caller, head(caller, "GET", target)))
    assert status == 400
    assert upstream.count() == 0


@pytest.mark.parametrize("target", [b"/mod\xc3\xa9ls", b"/models\xff", b"/models?x=\xc3\xa9", b"/models?x=\xff"])
def test_bytes_beyond_ascii_in_a_target_are_refused(caller: Caller, upstream: Upstream, target: bytes) -> None:
    assert status_of(raw(caller, head(caller, "GET", b"/api/providers/openai/v1" + target))) == 400
    assert upstream.count() == 0


@pytest.mark.parametrize("path", HARMLESS)
def test_a_harmless_path_arrives_as_it_was_sent(caller: Caller, upstream: Upstream, path: str) -> None:
    query = b"?a=b&a=c&d=%20+%2B&e&=&f=[1]{2}|%7e~^`"
    assert status_of(raw(caller, head(caller, "GET", b"/api/providers/openai/v1" + path.encode() + query))) < 500
    if path:
        assert upstream.last().target == "/v1" + path + query.decode()


@pytest.mark.parametrize(
    "target",
    [
        b"/api/providers/openai/v1x/models",
        b"/api/providers/openai",
        b"/API/providers/openai/v1/models",
        b"/api/%70roviders/openai/v1/models",
        b"/api/providers/openai/%761/models",
        b"/api/providers/openai%2fv1/models",
        b"/x/api/providers/openai/v1/models",
        b"/api/providers/other/v1/models",
        b"/api//providers/openai/v1/models",
        b"*",
    ],
)
def test_only_the_exact_prefix_is_a_providers(caller: Caller, upstream: Upstream, target: bytes) -> None:
    assert status_of(raw(caller, head(caller, "GET", target))) in (400, 404)
    assert upstream.count() == 0


def test_a_target_with_a_host_changes_no_host(caller: Caller, upstream: Upstream) -> None:
    answer = raw(caller, head(caller, "GET", b"http://169.254.169.254/api/providers/openai/v1/models"))
    assert status_of(answer) in (200, 400, 404)
    for request in upstream.requests():
        assert request.header("host") == urlsplit(upstream.url).netloc
        assert request.target == "/v1/models"


# Bodies.


@pytest.mark.parametrize(
    "content",
    [
        b'{"model":"cheap","model":"dear","messages":[]}',
        b'{"model":"cheap","messages":[],"\\u006dodel":"dear"}',
        b'{"stream":false,"model":"m","messages":[],"str\\u0065am":true}',
        b'{"model":"m","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"model":"m","x":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
        b'{"model":["m"],"messages":[]}',
        b'\xef\xbb\xbf{"model":"m"}',
        '{"model":"m"}'.encode("utf-16"),
        b'{"model":"m"}{"model":"n"}',
        b"",
    ],
)
def test_an_ambiguous_body_reaches_nobody(caller: Caller, upstream: Upstream, content: bytes) -> None:
    answer = caller.post(CHAT, content=content, headers=JSON)
    assert (answer.status_code, answer.headers["x-gateway-error"]) == (400, "true")
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert upstream.count() == 0
    assert caller.event().ending == "refused"


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_request_reaches_nobody(caller: Caller, upstream: Upstream, encoding: str) -> None:
    answer = caller.post(CHAT, content=gzip.compress(BODY), headers={**JSON, "content-encoding": encoding})
    assert answer.status_code == 415
    assert upstream.count() == 0


def multipart(*parts: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    content = b"".join(b"--B\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (h.encode(), v) for h, v in parts)
    return content + b"--B--\r\n", {"content-type": "multipart/form-data; boundary=B"}


AUDIO = ('name="file"; filename="a.wav"', b"RIFF")


@pytest.mark.parametrize(
    "parts",
    [
        [AUDIO, ('name="model"', b"whisper-1"), ('name="model"', b"dear")],
        [AUDIO, ('name="model"; filename="x"', b"dear")],
        [AUDIO, ('name="model"', b"whisper-1"), ("name=model", b"dear")],
        [AUDIO, ("name*=utf-8''model", b"dear")],
        [AUDIO, ('name="x"; name="model"', b"dear")],
    ],
)
def test_a_form_that_can_be_read_in_two_ways_reaches_nobody(
    caller: Caller, upstream: Upstream, parts: Sequence[tuple[str, bytes]]
) -> None:
    content, headers = multipart(*parts)
    answer = caller.post("/audio/transcriptions", content=content, headers=headers)
    assert answer.status_code == 400
    assert upstream.count() == 0


def test_a_model_cannot_be_hidden_from_the_settings_list(gateway: RunningProxy, upstream: Upstream) -> None:
    narrow = openai_setting(upstream.url, id="whisper only", allowed_models=frozenset({"whisper-1"}))
    gateway.doors.settings[narrow.id] = narrow
    gateway.doors.version += 1
    caller = gateway.caller(setting_ids=(narrow.id,))
    good, headers = multipart(AUDIO, ('name="model"', b"whisper-1"))
    waited_for(lambda: caller.post("/audio/transcriptions", content=good, headers=headers).status_code == 200)
    upstream.reset()
    bad, _ = multipart(AUDIO, ('name="model"', b"dear"))
    tries = [
        ("/audio/transcriptions", bad, headers),
        (CHAT, BODY, JSON),
        (CHAT, BODY, {"content-type": "text/plain"}),
        (CHAT, BODY, {"content-type": "multipart/form-data; boundary=B"}),
        (CHAT, BODY, {"content-type": "application/x-www-form-urlencoded"}),
        ("/chat/%63ompletions", BODY, JSON),
        ("/chat%2fcompletions", BODY, {"content-type": "text/plain"}),
        ("/images/edits", b'{"model":"dear"}', {"content-type": "text/plain"}),
        ("/thoughts", b'{"model":"dear"}', {"content-type": "text/plain"}),
        ("/images/generations", b'{"prompt":"x"}', JSON),
    ]
    for path, content, sent in tries:
        answer = caller.post(path, content=content, headers=sent)
        assert answer.status_code in (400, 403), (path, sent, answer.text)
    for path in ("/models/dear", "/models/de%61r"):
        with caller.http() as client:
            assert client.get(path).status_code == 403
    assert upstream.count() == 0


# Sizes.


def test_a_body_has_a_limit(upstream: Upstream, prices: dict[tuple[str, str], PriceRecord]) -> None:
    doors = PlainDoors(settings={"setting-1": openai_setting(upstream.url)}, prices=prices)
    with proxy_in_thread(doors, max_body_bytes=10_000) as gateway:
        caller = gateway.caller()
        fits = BODY[:-1] + b" " * (10_000 - len(BODY)) + b"}"
        assert caller.post(CHAT, content=fits, headers=JSON).status_code == 200
        refused = caller.post(CHAT, content=fits + b" ", headers=JSON)
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "body_too_large")
        chunked = caller.post(CHAT, content=iter([fits, b" "]), headers=JSON)
        assert chunked.status_code == 413
        assert upstream.count() == 1
        events: list[UsageEventRecord] = waited_for(lambda: len(found := caller.events()) == 3 and found)
        assert [event.status for event in events] == [200, 413, 413]


def test_a_body_that_does_not_come_is_not_waited_for(upstream: Upstream) -> None:
    doors = PlainDoors(settings={"setting-1": openai_setting(upstream.url)})
    with proxy_in_thread(doors, body_timeout_s=0.2) as gateway:
        caller = gateway.caller()
        request = head(caller, "POST", b"/api/providers/openai/v1/chat/completions", b"Content-Length: 100")
        answer = raw(caller, request + b'{"model":')
        assert status_of(answer) == 400
        assert b"body_timeout" in answer
        assert caller.event().status == 400


@pytest.mark.parametrize("length", [b"-1", b"+5", b"0x10", b"1, 2", b"99999999999999999999999"])
def test_a_length_that_is_none_is_refused(caller: Caller, upstream: Upstream, length: bytes) -> None:
    request = head(caller, "POST", b"/api/providers/openai/v1/chat/completions", b"Content-Length: " + length)
    assert status_of(raw(caller, request + BODY)) in (400, 413)
    assert upstream.count() == 0


def test_two_lengths_and_two_framings_are_refused(caller: Caller, upstream: Upstream) -> None:
    target = b"/api/providers/openai/v1/chat/completions"
    for framing in (
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        (b"Transfer-Encoding: xchunked",),
    ):
        answer = raw(caller, head(caller, "POST", target, *framing) + b"5\r\nhello\r\n0\r\n\r\n")
        assert status_of(answer) == 400, framing
    assert upstream.count() == 0


# Browsers.


def test_a_preflight_is_answered_without_a_key(gateway: RunningProxy, upstream: Upstream) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, x-custom",
    }
    answer = httpx.options(f"{gateway.openai_url}{CHAT}", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "authorization, x-custom"
    assert answer.headers["access-control-max-age"] == "3600"
    assert "access-control-allow-credentials" not in answer.headers
    assert upstream.count() == 0


def test_only_listed_origins_may_read(upstream: Upstream) -> None:
    doors = PlainDoors(settings={"setting-1": openai_setting(upstream.url)})
    with proxy_in_thread(doors, cors_allowed_origins=frozenset({"https://app.example"})) as gateway:
        caller = gateway.caller()
        for origin, allowed in (("https://app.example", True), ("https://evil.example", False), ("null", False)):
            for answer in (
                caller.post(CHAT, content=BODY, headers={**JSON, "origin": origin}),
                caller.post(CHAT, content=b"{", headers={**JSON, "origin": origin}),
                httpx.options(f"{gateway.openai_url}/models", headers={"origin": origin}),
            ):
                assert ("access-control-allow-origin" in answer.headers) is allowed


# What the gateway answers itself.


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_every_method_passes(caller: Caller, upstream: Upstream, method: str) -> None:
    with caller.http() as client:
        answer = client.request(method, "/anything/new?x=1", content=b"" if method in ("GET", "HEAD") else b"[1]")
    seen: SeenRequest = upstream.last()
    assert (answer.status_code, seen.method, seen.target) == (200, method, "/v1/anything/new?x=1")
    assert seen.body == (b"" if method in ("GET", "HEAD") else b"[1]")


def test_the_length_of_what_head_does_not_get_is_the_providers(caller: Caller, upstream: Upstream) -> None:
    with caller.http() as client:
        through = client.head("/models")
    direct = httpx.head(f"{upstream.base_url}/models")
    assert through.headers["content-length"] == direct.headers["content-length"] != "0"
    assert through.content == b""


def test_health_and_readiness_need_no_key(gateway: RunningProxy) -> None:
    assert (httpx.get(f"{gateway.url}/api/health").status_code, httpx.get(f"{gateway.url}/api/health").text) == (
        200,
        "",
    )
    ready = httpx.get(f"{gateway.url}/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
