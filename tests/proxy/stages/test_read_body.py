"""Tests of what a body must be, and of what is read from it."""

import pytest

from gateway_project.shared.problems import BadRequest
from providers.adapters.registry import ADAPTERS
from proxy.flow import Body, Call
from proxy.stages.read_body import UnsupportedEncoding, read_body
from tests.proxy.builders import call_of, incoming

JSON = (b"content-type", b"application/json")
FORM = (b"content-type", b"multipart/form-data; boundary=X")
PLAIN_FORM = b'--X\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--X--\r\n'


def read(content: bytes, tail: str = "/chat/completions", *headers: tuple[bytes, bytes], method: str = "POST") -> Body:
    return read_body(incoming(tail, method=method, headers=headers), call_of(tail, method), content)


def refused(content: bytes, tail: str = "/chat/completions", *headers: tuple[bytes, bytes]) -> str:
    with pytest.raises(BadRequest) as caught:
        read(content, tail, *headers)
    return caught.value.code


def test_it_reads_what_the_gateway_needs_and_keeps_the_bytes() -> None:
    content = b' {"model" : "gpt-4o", "stream":true, "user":"me", "n":3, "x":0}'
    body = read(content, "/chat/completions", JSON)
    facts = body.facts
    assert body.content is content
    assert (facts.model, facts.stream, facts.user, facts.choices) == ("gpt-4o", True, "me", 3)
    assert body.document is not None
    assert body.document["x"] == 0


@pytest.mark.parametrize(
    "content_type",
    [b"application/json", b"application/json; charset=utf-8", b"Application/JSON", b"application/vnd.x+json",
     b"text/plain", None],
)  # fmt: skip
def test_json_may_be_called_by_several_names(content_type: bytes | None) -> None:
    headers = [(b"content-type", content_type)] if content_type else []
    assert read(b'{"model":"m"}', "/chat/completions", *headers).facts.model == "m"


@pytest.mark.parametrize(
    "content_type",
    [b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=X", b"application/octet-stream",
     b"text/plain, application/json", b"application/jsonx"],
)  # fmt: skip
def test_a_form_is_no_json_even_when_it_reads_as_such(content_type: bytes) -> None:
    assert refused(b'{"model":"cheap"}', "/chat/completions", (b"content-type", content_type)) == "bad_content_type"


@pytest.mark.parametrize("content", [b"", b"{", b"null x", b"model=1", b"\xff", b'{"a":1}{"a":2}', b"\xef\xbb\xbf{}"])
def test_json_must_be_json(content: bytes) -> None:
    assert refused(content, "/chat/completions", JSON) == "invalid_json"


@pytest.mark.parametrize("content", [b"[]", b'"x"', b"1", b"null"])
def test_json_must_be_an_object_where_one_is_taken(content: bytes) -> None:
    assert refused(content, "/chat/completions", JSON) == "invalid_json"


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_json_must_not_be_too_deep(depth: int) -> None:
    content = b'{"model":"a","x":' + b"[" * depth + b"]" * depth + b"}"
    assert refused(content, "/chat/completions", JSON) == "invalid_json"


@pytest.mark.parametrize("name", [b"model", b"stream", b"messages", b"max_tokens", b"stream_options", b"m\\u006fdel"])
def test_a_member_the_gateway_reads_may_be_there_once(name: bytes) -> None:
    plain = name.replace(b"\\u006f", b"o")
    assert refused(b'{"%b":1,"%b":2}' % (plain, name), "/chat/completions", JSON) == "duplicate_member"


@pytest.mark.parametrize(
    "content",
    [b'{"model":1}', b'{"model":["x"]}', b'{"stream":"yes"}', b'{"stream":1}', b'{"user":{}}', b'{"n":"x"}',
     b'{"n":true}', b'{"max_tokens":1.5}', b'{"max_tokens":1000000000000}', b'{"stream_options":"x"}',
     b'{"stream_options":[1]}'],
)  # fmt: skip
def test_a_member_of_the_wrong_type_is_named(content: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        read(content, "/chat/completions", JSON)
    assert caught.value.code == "invalid_member"
    assert content.split(b'"')[1].decode() in caught.value.detail


@pytest.mark.parametrize(
    "content",
    [b'{"messages":[{"type":[]}]}', b'{"messages":[{"type":{}, "content":{"type":[]}}]}', b'{"messages":{"a":1}}',
     b'{"messages":[1,null,"x"]}', b'{"tools":[{"type":[]}]}', b'{"messages":[[[]]]}', b'{"max_tokens":-1,"n":0}'],
)  # fmt: skip
def test_nonsense_elsewhere_is_left_to_the_provider(content: bytes) -> None:
    assert read(content, "/chat/completions", JSON).content == content
    assert read(content, "/responses", JSON).content == content


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"deflate", b"identity, gzip", b"zstd"])
def test_a_compressed_body_is_refused(encoding: bytes) -> None:
    with pytest.raises(UnsupportedEncoding):
        read(b"\x1f\x8b", "/chat/completions", JSON, (b"content-encoding", encoding))
    with pytest.raises(UnsupportedEncoding):
        read(b"{}", "/files", (b"content-encoding", b"identity"), (b"content-encoding", encoding))


def test_a_body_that_says_it_is_not_compressed_passes() -> None:
    assert read(b"{}", "/chat/completions", JSON, (b"content-encoding", b"Identity")).document == {}


@pytest.mark.parametrize("tail", ["/chat/completions", "/audio/transcriptions", "/images/edits", "/files", "/unknown"])
def test_two_content_types_are_refused(tail: str) -> None:
    assert refused(PLAIN_FORM, tail, FORM, JSON) in ("bad_content_type", "bad_multipart")
    assert refused(b"{}", tail, JSON, FORM) == "bad_content_type"


def test_a_form_is_read_where_one_is_taken() -> None:
    assert read(PLAIN_FORM, "/audio/transcriptions", FORM).facts.model == "whisper-1"
    assert refused(b"{}", "/audio/transcriptions", JSON) == "bad_content_type"
    assert refused(b"", "/audio/transcriptions") == "bad_content_type"


def test_pictures_are_edited_with_json_or_a_form_and_nothing_else() -> None:
    assert read(PLAIN_FORM, "/images/edits", FORM).facts.model == "whisper-1"
    assert read(b'{"model":"gpt-image-1"}', "/images/edits", JSON).facts.model == "gpt-image-1"
    assert refused(b'{"model":"gpt-image-1"}', "/images/edits", (b"content-type", b"text/plain")) == "bad_content_type"
    assert refused(b"model=x", "/images/edits") == "bad_content_type"


@pytest.mark.parametrize("content_type", [b"application/json", b"text/plain", b"application/x-www-form-urlencoded"])
def test_a_model_is_seen_on_a_path_nobody_knows(content_type: bytes) -> None:
    assert read(b' {"model":"gpt-9"}', "/thoughts", (b"content-type", content_type)).facts.model == "gpt-9"


@pytest.mark.parametrize("content", [b"[1,2]", b'"x"', b"null"])
def test_a_path_nobody_knows_may_take_any_json(content: bytes) -> None:
    assert read(content, "/thoughts", JSON).content == content


def test_json_has_to_be_json_on_every_path() -> None:
    assert refused(b"{oops", "/thoughts", JSON) == "invalid_json"
    assert read(b"{oops", "/thoughts", (b"content-type", b"text/plain")).content == b"{oops"
    assert refused(b'{"model":1,"model":2}', "/thoughts", (b"content-type", b"text/plain")) == "duplicate_member"


@pytest.mark.parametrize("content", [b"", b"\x00\x01binary", b"--X--"])
def test_any_other_body_passes_unread(content: bytes) -> None:
    body = read(content, "/uploads/u1/parts", (b"content-type", b"application/octet-stream"))
    assert (body.content, body.facts.model, body.document) == (content, "", None)


def test_a_model_named_in_the_path_counts() -> None:
    assert read(b"", "/models/ft:gpt-4o:acme", method="GET").facts.model == "ft:gpt-4o:acme"
    assert read(b"", "/models/meta-llama%2FLlama-3", method="DELETE").facts.model == "meta-llama/Llama-3"
    assert read(b"", "/models", method="GET").facts.model == ""


def test_the_name_of_a_model_has_a_longest() -> None:
    """It is kept beyond the request: with prices, choices and circuits."""
    assert read(b'{"model":"%b"}' % (b"m" * 2048), "/chat/completions", JSON).facts.model
    assert refused(b'{"model":"%b"}' % (b"m" * 2049), "/chat/completions", JSON) == "invalid_member"


def test_what_an_adapter_cannot_walk_through_is_refused() -> None:
    adapter = next(each for each in ADAPTERS if each.provider == "openrouter")
    call = Call(adapter, adapter.operation("POST", "/chat/completions"), "/chat/completions")
    content = b'{"model":"m","models":[' + b"[" * 1000 + b"]" * 1000 + b"]}"
    with pytest.raises(BadRequest) as caught:
        read_body(incoming("/chat/completions", headers=(JSON,)), call, content)
    assert caught.value.code == "invalid_json"
