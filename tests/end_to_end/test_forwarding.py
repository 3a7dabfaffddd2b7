"""Tests that bytes stay bytes: what the client sends is what the provider gets, but for what a rule must change."""

import http.client
import itertools
import json
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.proxy_gateway import Caller, RunningProxy
from tests.upstream import SeenRequest, Upstream

quick = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))

words = st.text(st.characters(codec="utf-8"), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | words | st.sampled_from([0.0, -0.0, 1e300, 0.1, 1e-7, 10**30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
READ_MEMBERS = {"model", "stream", "stream_options", "n", "best_of", "user", "max_tokens", "max_completion_tokens",
                "max_output_tokens", "messages", "input", "tools", "previous_response_id", "conversation", "prompt",
                "web_search_options", "size", "quality", "service_tier", "instructions", "background"}  # fmt: skip
unread = st.dictionaries(words.filter(lambda name: name not in READ_MEMBERS), values, max_size=5)


@st.composite
def written(draw: st.DrawFn, *, stream: bool) -> bytes:
    """A chat request as some client writes it: any spacing, any order, numbers and escapes of its own."""
    document: dict[str, Any] = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": draw(words)}],
        **draw(unread),
    }
    if stream:
        document["stream"] = True
        options: Any = draw(st.sampled_from(["none", None, {}, {"include_usage": False}, {"x": [1, {"y": "}"}]}]))
        if options != "none":
            document["stream_options"] = options
    names = draw(st.permutations(list(document)))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), ("\n ,\t", " : ")]))
    text = json.dumps({name: document[name] for name in names}, separators=separators, ensure_ascii=draw(st.booleans()))
    for plain, other in (("1e+300", "1.000E300"), ("0.1", "0.1000"), ("/", "\\/")):
        if draw(st.booleans()) and '"' + plain not in text:
            text = text.replace(plain, other)
    space = draw(st.sampled_from(["", " ", "\r\n\t"]))
    return (space + text + space).encode()


class Sender:
    """Sends exactly what it is told, and says what the upstream got."""

    def __init__(self, caller: Caller, upstream: Upstream) -> None:
        self._caller = caller
        self._upstream = upstream
        self._connection = http.client.HTTPConnection(urlsplit(caller.gateway.url).netloc, timeout=10)

    def close(self) -> None:
        self._connection.close()

    def send(self, method: str, target: str, body: bytes, content_type: str = "application/json") -> SeenRequest:
        connection, before = self._connection, self._upstream.count()
        connection.putrequest(method, target, skip_accept_encoding=True)
        connection.putheader("authorization", f"Bearer {self._caller.secret}")
        connection.putheader("content-type", content_type)
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        said = answer.read()
        assert self._upstream.count() == before + 1, (answer.status, said)
        return self._upstream.last()


@pytest.fixture(scope="module")
def sender(running_gateway: RunningProxy, running_upstream: Upstream) -> Iterator[Sender]:
    sending = Sender(running_gateway.caller(), running_upstream)
    yield sending
    sending.close()


PREFIX = "/api/providers/openai/v1"


@quick
@given(content=written(stream=False))
def test_a_json_body_arrives_byte_for_byte(sender: Sender, content: bytes) -> None:
    assert sender.send("POST", f"{PREFIX}/chat/completions", content).body == content


@quick
@given(content=written(stream=True))
@example(content=b'{"stream":true,"model":"gpt-4o","messages":[{"role":"user","content":"\\"stream_options\\":null"}]}')
@example(content=b'{"stream":true,"stream\\u005foptions":null,"model":"gpt-4o","messages":[]}')
def test_of_a_stream_only_stream_options_changes(sender: Sender, content: bytes) -> None:
    body = sender.send("POST", f"{PREFIX}/chat/completions", content).body
    before, after = json.loads(content), json.loads(body)
    options = after.pop("stream_options")
    assert options == {**(before.pop("stream_options", None) or {}), "include_usage": True}
    assert after == before
    # Not only the same meaning: everything outside of the changed member is the same bytes.
    same = _same_at_the_start(content, body)
    same += _same_at_the_start(content[same:][::-1], body[same:][::-1])
    longest_value = 60
    assert len(content) - same <= longest_value
    assert len(body) - same <= longest_value + len('"stream_options":{"include_usage":true},')


def _same_at_the_start(one: bytes, other: bytes) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@quick
@given(content=st.binary(max_size=3000).filter(lambda content: not content.lstrip().startswith(b"{")))
def test_a_binary_body_arrives_byte_for_byte(sender: Sender, content: bytes) -> None:
    seen = sender.send("PUT", f"{PREFIX}/uploads/u/parts", content, "application/octet-stream")
    assert (seen.body, seen.header("content-type"), seen.header("content-length")) == (
        content,
        "application/octet-stream",
        str(len(content)),
    )


@quick
@given(content=st.binary(max_size=2000).filter(lambda content: b"--BBB" not in content), name=words)
def test_a_form_arrives_byte_for_byte(sender: Sender, content: bytes, name: str) -> None:
    shown = name.translate(str.maketrans("", "", '"\\\r\n\0')).encode()
    form = b'--BBB\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n\r\n%b\r\n' % (shown, content)
    form += b'--BBB\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--BBB--\r\n'
    seen = sender.send("POST", f"{PREFIX}/audio/transcriptions", form, "multipart/form-data; boundary=BBB")
    assert seen.body == form


segment = st.text(string.ascii_letters + string.digits + "-_~!$&'()*+,=:@", min_size=1, max_size=10)
encoded = st.sampled_from(["%20", "%C3%A9", "%3A", "%2F", "%40", "%25", "%7e", "%E2%82%AC", "a.b", "..x", "x..", "..."])
segments = st.lists(st.one_of(segment, encoded, st.tuples(segment, encoded).map("".join)), min_size=1, max_size=5)
queries = st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/?[]{}|^`\"<>%", max_size=40)


@quick
@given(parts=segments, slash=st.booleans(), query=queries)
@example(parts=["models", "meta-llama%2FLlama:3"], slash=False, query="a=%2e%2e&b=..%2f&c=a+b%20c&&=")
def test_path_and_query_arrive_byte_for_byte(sender: Sender, parts: list[str], slash: bool, query: str) -> None:
    path = "/" + "/".join(parts) + ("/" if slash else "")
    if "%2F%2F" in path or "/%2F" in path or "%2F/" in path:
        return
    target = path + ("?" + query if query else "")
    assert sender.send("POST", PREFIX + target, b"[]").target == "/v1" + target
