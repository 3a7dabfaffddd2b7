"""Every path that the seed registers, and more: the provider gets the right method, path, query, headers and bytes."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest

from providers.catalog import API_KEY, CATALOG
from providers.records import CustomProviderRecord, CustomRouteRecord, ProviderRecord
from routes.records import RouteRecord, RouteStepRecord
from tests.end_to_end.seed_paths import BEYOND, SEED, Path
from tests.provider_settings import secret_of, setting_at
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, proxy_in_thread
from tests.upstream import SeenRequest, Upstream

# Claude on Bedrock in Anthropic's dialect: the one provider whose requests have to be written anew.
REWRITTEN = "/api/providers/bedrock/anthropic/v1/"
TABLE = [*SEED, *BEYOND]
paths = pytest.mark.parametrize("path", TABLE, ids=lambda path: path.name)
as_they_are = pytest.mark.parametrize(
    "path", [path for path in TABLE if not path.path.startswith(REWRITTEN)], ids=lambda path: path.name
)
rewritten = pytest.mark.parametrize(
    "path", [path for path in TABLE if path.path.startswith(REWRITTEN)], ids=lambda path: path.name
)

# Whatever a client may write: spaces, escapes, numbers, members that nobody knows, in no order.
ODD = (
    b'\r\n{ "zz" :[1.0,1e2,-0.0,1E-7, 12345678901234567890123],"model":\t"gpt-4o" , "caf\\u00e9":"\\/\xe2\x82\xac\\n",'
    b'"messages":[ {"content" : "hi","role":"user","x_more":null} ],"input":"hi","prompt" : "hi",\n"max_tokens":5,'
    b'"tools":[],"x_unknown":{"deep":[{ },[ ],"\\"}"]} , "max_tokens_to_sample":5, "text_1":"hi", "text_2":"you"}\n'
)
FORM = (
    b'--BBB\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--BBB\r\nContent-Disposition: form-data; name="file"; filename="a \xc3\xa9.wav"\r\n'
    b"Content-Type: audio/x-wav\r\n\r\n"
    b"RIFF\x00\xff\r\n\r\n--BB\x80\r\n--BBB--\r\n"
)
BINARY = bytes(range(256)) * 3
QUERY = "b=1&&a=%20+%2F%c3%A9&=&c"
JSON = "application/json; charset=utf-8"
FORM_TYPE = 'multipart/form-data; boundary="BBB"'
_TAKE_FORMS = (
    "/audio/transcriptions",
    "/audio/translations",
    "/images/edits",
    "/images/variations",
    "/files",
    "/parts",
)

OWN_HEADERS = {
    "user-agent": "acme/1.0 (odd; \xc3\xa9)",
    "openai-beta": "assistants=v2",
    "anthropic-beta": "files-api-2025-04-14,another-1",
    "anthropic-version": "2023-06-01",
    "idempotency-key": "k-1",
    "x-stainless-lang": "python",
    "accept": "*/*;q=0.5",
}
# How each provider is told who asks; those of the others never arrive.
AUTHORIZATION = {
    "azure": ("api-key", secret_of("azure", API_KEY)),
    "anthropic": ("x-api-key", secret_of("anthropic", API_KEY)),
    "bedrock": ("authorization", f"AWS4-HMAC-SHA256 Credential={secret_of('bedrock', 'awsAccessKeyId')}/"),
}
CREDENTIAL_HEADERS = {"authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie", "proxy-authorization"}


KEY_ID = "00000000-0000-4000-8000-0000000000aa"
_CUSTOM = (
    CustomRouteRecord("/v2/generate~x", "/own/a%20b/generate", frozenset({"POST", "PUT"}), model_location="model"),
    CustomRouteRecord("/v2/status", "/own/status", frozenset({"GET"})),
)
_ROUTE = RouteRecord(
    id="route-1",
    name="ours",
    path="/our/chat~1",
    operation="chat",
    steps=(RouteStepRecord("deepinfra", "acme/other-model", request_params={"max_tokens": 7, "seed": 1}),),
    key_ids=frozenset({KEY_ID}),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the provider got, and what the client was answered."""

    seen: SeenRequest
    status: int
    answer: bytes


class Client:
    """Sends exactly what it is told with a key that has a setting of every provider."""

    def __init__(self, caller: Caller, upstream: Upstream) -> None:
        self.secret = caller.secret
        self._upstream = upstream
        self._connection = http.client.HTTPConnection(urlsplit(caller.gateway.url).netloc, timeout=10)

    def close(self) -> None:
        self._connection.close()

    def send(self, method: str, target: str, body: bytes = b"", content_type: str = "") -> Sent:
        before = self._upstream.count()
        self._connection.putrequest(method, target, skip_accept_encoding=True)
        headers = {**OWN_HEADERS, "authorization": f"Bearer {self.secret}", "cookie": "session=1"}
        if content_type:
            headers["content-type"] = content_type
        if body or method not in ("GET", "DELETE"):
            headers["content-length"] = str(len(body))
        for name, value in headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(body or None)
        answer = self._connection.getresponse()
        content = answer.read()
        assert self._upstream.count() == before + 1, (answer.status, content)
        return Sent(self._upstream.last(), answer.status, content)


@pytest.fixture(scope="module")
def table_gateway(running_upstream: Upstream) -> Iterator[RunningProxy]:
    settings = [setting_at(running_upstream.url, provider) for provider in CATALOG]
    settings.append(ProviderRecord(id="setting-acme", provider="acme", secrets={"token": "acme-token"}))
    own = {each.path: replace(each, target_url=running_upstream.url + each.target_url) for each in _CUSTOM}
    doors = PlainDoors(
        settings={setting.id: setting for setting in settings},
        custom={"acme": CustomProviderRecord("custom-1", "acme", "token", own)},
        routes={_ROUTE.path: _ROUTE},
    )
    with proxy_in_thread(doors) as running:
        yield running


@pytest.fixture(scope="module")
def client(table_gateway: RunningProxy, running_upstream: Upstream) -> Iterator[Client]:
    caller = table_gateway.caller(id=KEY_ID, setting_ids=tuple(table_gateway.doors.settings))
    sending = Client(caller, running_upstream)
    yield sending
    sending.close()


def body_of(path: Path) -> tuple[bytes, str]:
    """(body, content type) as the path takes it."""
    if path.method in ("GET", "DELETE"):
        return b"", ""
    if path.path.endswith(_TAKE_FORMS) and not path.path.startswith("/api/providers/azure"):
        return FORM, FORM_TYPE
    if path.method in ("PUT", "PATCH"):
        return BINARY, "application/octet-stream"
    return ODD, JSON


def test_the_table_has_every_registration_of_the_seed() -> None:
    # Beside health's two, the custom providers' one and the routes' one.
    assert len({(path.method, path.path) for path in SEED}) == 78 - 4


def test_the_table_has_every_provider() -> None:
    assert {path.provider for path in TABLE} == set(CATALOG)


@as_they_are
def test_what_the_client_sent_arrives(path: Path, client: Client) -> None:
    content, content_type = body_of(path)
    sent = client.send(path.method, f"{path.path}?{QUERY}", content, content_type)
    seen = sent.seen
    assert (seen.method, seen.target) == (path.method, f"{path.upstream}?{QUERY}")
    assert seen.body == content
    headers = dict(headers_of(seen))
    assert len(headers) == len(seen.headers)
    assert {name: headers[name] for name in OWN_HEADERS} == OWN_HEADERS
    assert headers.get("content-type", "") == content_type
    assert client.secret not in str(seen)
    name, secret = authorization_of(path)
    assert {each for each in headers if each in CREDENTIAL_HEADERS} == {name}
    assert headers[name] == secret or (path.provider == "bedrock" and headers[name].startswith(secret))
    assert headers["accept-encoding"] == "identity"


def authorization_of(path: Path) -> tuple[str, str]:
    """The header that tells the provider who asks."""
    bearer = "authorization", f"Bearer {secret_of(path.provider, API_KEY)}"
    if path.provider == "anthropic" and path.path.endswith("/chat/completions"):
        return bearer
    return AUTHORIZATION.get(path.provider, bearer)


@rewritten
def test_nothing_of_a_request_that_is_written_anew_gets_lost(path: Path, client: Client) -> None:
    content = ODD.replace(b'"gpt-4o"', b'"anthropic.claude-3-haiku-20240307-v1:0"').replace(
        b'"tools"', b'"stream":false,"tools"'
    )
    sent = client.send(path.method, path.path, content, JSON)
    seen = sent.seen
    assert (seen.method, seen.target) == (path.method, path.upstream)
    before, after = json.loads(content), seen.json()
    assert after.pop("anthropic_version").startswith("bedrock-")
    assert after.pop("anthropic_beta") == OWN_HEADERS["anthropic-beta"].split(",")
    del before["model"], before["stream"]
    assert after == before
    for member in (b'"zz" :[1.0,1e2,-0.0,1E-7, 12345678901234567890123]', b'"x_unknown":{"deep":[{ },[ ],"\\"}"]}'):
        assert member in content
        assert member in seen.body
    headers = dict(headers_of(seen))
    assert headers["authorization"].startswith(AUTHORIZATION["bedrock"][1])
    assert client.secret not in str(seen)
    kept = {name: value for name, value in OWN_HEADERS.items() if not name.startswith("anthropic-")}
    assert {name: headers[name] for name in kept} == kept


def headers_of(seen: SeenRequest) -> Iterator[tuple[str, str]]:
    for name, value in seen.headers:
        yield name.lower(), value


@paths
def test_what_the_provider_said_comes_back(path: Path, client: Client) -> None:
    content, content_type = body_of(path)
    if path.path.startswith(REWRITTEN):
        content = content.replace(b'"gpt-4o"', b'"anthropic.claude-3-haiku-20240307-v1:0"')
    sent = client.send(path.method, path.path, content, content_type)
    assert sent.status == sent.seen.status
    assert sent.seen.target == path.upstream


@pytest.mark.parametrize(
    ("method", "path", "upstream"),
    [
        ("POST", "/v2/generate~x", "/own/a%20b/generate"),
        ("PUT", "/v2/generate~x", "/own/a%20b/generate"),
        ("GET", "/v2/status", "/own/status"),
    ],
)
def test_what_a_custom_provider_gets_is_what_was_sent(method: str, path: str, upstream: str, client: Client) -> None:
    content, content_type = (b"", "") if method == "GET" else (ODD, JSON)
    seen = client.send(method, f"/api/custom/providers/acme{path}?{QUERY}", content, content_type).seen
    assert (seen.method, seen.target, seen.body) == (method, f"{upstream}?{QUERY}", content)
    headers = dict(headers_of(seen))
    assert {name: headers[name] for name in OWN_HEADERS} == OWN_HEADERS
    assert headers["authorization"] == "Bearer acme-token"
    assert client.secret not in str(seen)


@pytest.mark.parametrize("prefix", ["/api/routes", "/api/route"])
def test_a_route_changes_nothing_but_what_its_step_says(prefix: str, client: Client) -> None:
    sent = client.send("POST", f"{prefix}/our/chat~1", ODD, JSON)
    seen = sent.seen
    assert (seen.method, seen.target) == ("POST", "/v1/openai/chat/completions")
    named = ODD.replace(b'"gpt-4o"', b'"acme/other-model"').replace(b'"max_tokens":5', b'"max_tokens":7')
    before, after = named.strip(), seen.body.strip()
    assert json.loads(after) == {**json.loads(before), "seed": 1}
    # The new member is written somewhere; everything around it is the same bytes.
    assert after.replace(b'"seed":1,', b"").replace(b',"seed":1', b"") == before
    headers = dict(headers_of(seen))
    assert {name: headers[name] for name in OWN_HEADERS} == OWN_HEADERS
    assert headers["authorization"] == f"Bearer {secret_of('deepinfra', API_KEY)}"
    assert client.secret not in str(seen)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_health_is_the_gateways_own(method: str, table_gateway: RunningProxy, running_upstream: Upstream) -> None:
    before = running_upstream.count()
    connection = http.client.HTTPConnection(urlsplit(table_gateway.url).netloc, timeout=10)
    connection.request(method, "/api/health")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200
    assert running_upstream.count() == before


def test_the_older_spelling_of_translations_is_an_alias(client: Client) -> None:
    sent = client.send("POST", "/api/providers/openai/v1/audios/translations", FORM, FORM_TYPE)
    assert (sent.seen.target, sent.seen.body) == ("/v1/audio/translations", FORM)


def test_a_post_without_body_to_a_file_deletes_it(client: Client) -> None:
    sent = client.send("POST", "/api/providers/openai/v1/files/id-1%3A~x")
    assert (sent.seen.method, sent.seen.target, sent.seen.body) == ("DELETE", "/v1/files/id-1%3A~x", b"")
    with_body = client.send("POST", "/api/providers/openai/v1/files/id-1%3A~x", ODD, JSON)
    assert (with_body.seen.method, with_body.seen.body) == ("POST", ODD)
