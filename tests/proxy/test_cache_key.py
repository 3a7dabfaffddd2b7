"""Tests of which requests share an answer: none that could be answered differently."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cache_key import cache_key, canonical, is_stateful, scope_of, tenant_of
from proxy.snapshot import Snapshot
from routes.records import CacheRecord, RouteRecord, RouteStepRecord
from tests.proxy.builders import incoming
from tests.proxy_gateway import key, openai_setting

SCOPE = b"scope"
ROUTE = RouteRecord(
    "route-1",
    "test",
    "/test",
    "chat",
    (RouteStepRecord("openai", "gpt-4o"),),
    frozenset({key().id}),
    cache=CacheRecord(ttl_s=60),
)
SNAPSHOT = Snapshot(settings={"setting-1": openai_setting("http://one.example")})
BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'

NAMES = st.sampled_from(["model", "messages", "n", "seed", "tools", "user", "stream", "metadata", "a", "b", "é", ""])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=6)
HARMLESS = ("stream", "stream_options", "user", "safety_identifier", "prompt_cache_key", "metadata")


class Exact:
    """A document in which equal means the same to every server: types count, -0.0 is not 0.0."""

    def __init__(self, document: Any) -> None:
        self.told = self._tell(document)

    def _tell(self, value: Any) -> Any:
        if isinstance(value, dict):
            return ("object", tuple(sorted((name, self._tell(inner)) for name, inner in value.items())))
        if isinstance(value, list):
            return ("array", tuple(self._tell(inner) for inner in value))
        return (type(value).__name__, repr(value))


def written(document: Any, **options: Any) -> bytes:
    return json.dumps(document, **options).encode()


def keyed(content: bytes, **changes: Any) -> str | None:
    request = incoming(headers=changes.pop("headers", ()), query=changes.pop("query", ""))
    return cache_key(changes.pop("scope", SCOPE), request, content)


@settings(max_examples=400, deadline=None)
@given(BODIES, BODIES)
def test_two_bodies_share_a_key_exactly_when_they_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    counted = [{name: value for name, value in body.items() if name not in HARMLESS} for body in (one, other)]
    same = Exact(counted[0]).told == Exact(counted[1]).told
    assert (keyed(written(one)) == keyed(written(other))) is same


@settings(max_examples=200, deadline=None)
@given(BODIES, st.randoms(use_true_random=False))
def test_how_a_body_is_written_does_not_count(body: dict[str, Any], random: Any) -> None:
    names = list(body)
    random.shuffle(names)
    shuffled = {name: body[name] for name in names}
    plain = keyed(written(body))
    assert keyed(written(shuffled, indent=2, ensure_ascii=False)) == plain
    assert keyed(written(shuffled, separators=(",", ":"))) == plain


@settings(max_examples=200, deadline=None)
@given(BODIES, st.sampled_from(HARMLESS), VALUES)
def test_how_it_is_delivered_and_for_whom_does_not_count(body: dict[str, Any], name: str, value: Any) -> None:
    assert keyed(written({**body, name: value})) == keyed(written(body))


@settings(max_examples=200, deadline=None)
@given(BODIES, st.sampled_from(HARMLESS), VALUES, VALUES)
def test_deeper_in_the_body_the_same_names_count(body: dict[str, Any], name: str, one: Any, other: Any) -> None:
    same = Exact(one).told == Exact(other).told
    keys = {keyed(written({**body, "deep": [{name: value}]})) for value in (one, other)}
    assert (len(keys) == 1) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1", "1e0"),
        ("0", "-0"),
        ("0.0", "-0.0"),
        ("9007199254740993", "9007199254740992"),
        ("18446744073709551616", "18446744073709551617"),
        ("0.1", "0.10000000000000001"),
        ('"1"', "1"),
        ("null", "false"),
        ("[]", "{}"),
        ("[1,2]", "[2,1]"),
        ('"e\\u0301"', '"\\u00e9"'),
        ('"a"', '"A"'),
        ('""', "null"),
        ('["ab","c"]', '["a","bc"]'),
    ],
)
def test_values_that_only_look_alike_do_not_share(one: str, other: str) -> None:
    keys = [keyed(b'{"model":"m","x":%b}' % text.encode()) for text in (one, other)]
    assert None not in keys
    assert keys[0] != keys[1]


def test_a_member_that_is_not_there_is_not_null() -> None:
    assert keyed(b'{"model":"m","x":null}') != keyed(b'{"model":"m"}')


def test_an_escape_is_what_it_stands_for() -> None:
    assert keyed('{"x":"é\\/"}'.encode()) == keyed(b'{"x":"\\u00e9/"}')


@pytest.mark.parametrize(
    "content",
    [b"[1]", b'"text"', b"{", b'{"a":NaN}', b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b'{"a":' + b"[" * 5000, b"\xff"],
)
def test_what_is_not_one_plain_object_has_no_key(content: bytes) -> None:
    assert canonical(content) is None
    assert keyed(content) is None


def test_a_very_large_body_has_no_key() -> None:
    assert canonical(b'{"a":"%b"}' % (b"a" * 4_000_000)) is not None
    assert canonical(b'{"a":[%b1]}' % (b"1," * 2_200_000)) is None


def test_nesting_without_end_has_no_key() -> None:
    assert keyed(b'{"a":' + b"[" * 900 + b"]" * 900 + b"}") is None


def test_numbers_stay_as_they_are_written() -> None:
    assert canonical(b'{"b": 1E2, "a": [1.50, -0]}') == b'{"a":[1.50,-0],"b":1E2}'


def test_the_query_counts() -> None:
    assert len({keyed(BODY, query=query) for query in ("", "a=1", "a=2", "api-version=2024-10-21")}) == 4


def test_headers_that_may_change_the_answer_count() -> None:
    sets: list[list[tuple[bytes, bytes]]] = [
        [],
        [(b"openai-beta", b"assistants=v2")],
        [(b"openai-beta", b"assistants=v1")],
        [(b"x-unknown", b"assistants=v2")],
        [(b"openai-betaassistants", b"=v2")],
        [(b"openai-beta", b"a"), (b"openai-beta", b"b")],
        [(b"openai-beta", b"b"), (b"openai-beta", b"a")],
    ]
    assert len({keyed(BODY, headers=headers) for headers in sets}) == len(sets)


def test_headers_that_say_who_asks_and_how_do_not() -> None:
    said = [
        (b"authorization", b"Bearer another"), (b"user-agent", b"OpenAI/Python"), (b"x-stainless-retry-count", b"1"),
        (b"accept", b"text/event-stream"), (b"content-type", b"application/json"), (b"cache-control", b"max-age=0"),
        (b"x-request-timeout", b"5s"), (b"x-custom-event-id", b"7"), (b"traceparent", b"00-1"), (b"cookie", b"a=b"),
        (b"x-forwarded-for", b"10.0.0.1"), (b"content-length", b"12"),
    ]  # fmt: skip
    assert keyed(BODY, headers=said) == keyed(BODY)


def test_the_order_of_headers_does_not_count() -> None:
    one, two = (b"openai-beta", b"x"), (b"openai-project-name", b"y")
    assert keyed(BODY, headers=[one, two]) == keyed(BODY, headers=[two, one])


def test_each_key_is_a_tenant() -> None:
    other = key(id="00000000-0000-4000-8000-000000000002")
    assert tenant_of(key()) != tenant_of(other)
    assert scope_of(key(), ROUTE, SNAPSHOT) != scope_of(other, ROUTE, SNAPSHOT)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "route-2"},
        {"operation": "responses"},
        {"cache": CacheRecord(ttl_s=60, epoch=1)},
        {"steps": (RouteStepRecord("openai", "gpt-4o-mini"),)},
        {"steps": (RouteStepRecord("openai", "gpt-4o", request_params={"temperature": 0}),)},
        {"steps": (RouteStepRecord("openai", "gpt-4o", request_params={"temperature": 0.0}),)},
        {"steps": (RouteStepRecord("openai", "gpt-4o", params={"deploymentId": "d"}),)},
        {"steps": (*ROUTE.steps, RouteStepRecord("azure", "gpt-4o"))},
    ],
)
def test_a_route_that_answers_otherwise_has_another_scope(changes: dict[str, Any]) -> None:
    assert scope_of(key(), replace(ROUTE, **changes), SNAPSHOT) != scope_of(key(), ROUTE, SNAPSHOT)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "renamed"},
        {"path": "/moved"},
        {"deadline_s": 1.0},
        {"cache": CacheRecord(ttl_s=1, single_flight=True)},
        {"steps": (RouteStepRecord("openai", "gpt-4o", retries=3, timeout_s=1.0),)},
    ],
)
def test_how_a_route_gets_its_answer_does_not_count(changes: dict[str, Any]) -> None:
    assert scope_of(key(), replace(ROUTE, **changes), SNAPSHOT) == scope_of(key(), ROUTE, SNAPSHOT)


@pytest.mark.parametrize(
    "changes",
    [{"base_url": "http://two.example/v1"}, {"allowed_models": frozenset({"gpt-4o"})}, {"parameters": {"a": "b"}}],
)
def test_a_setting_that_leads_elsewhere_has_another_scope(changes: dict[str, Any]) -> None:
    changed = Snapshot(settings={"setting-1": openai_setting("http://one.example", **changes)})
    assert scope_of(key(), ROUTE, changed) != scope_of(key(), ROUTE, SNAPSHOT)


def test_settings_of_other_providers_do_not_count() -> None:
    other = openai_setting("http://two.example", id="setting-2", provider="azure")
    both = Snapshot(settings={**SNAPSHOT.settings, "setting-2": other})
    assert scope_of(key(setting_ids=("setting-1", "setting-2")), ROUTE, both) == scope_of(key(), ROUTE, SNAPSHOT)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=20), st.binary(max_size=20), st.text("abc=&", max_size=5), st.text("abc=&", max_size=5))
def test_scope_and_query_cannot_be_taken_for_one_another(a: bytes, b: bytes, query_a: str, query_b: str) -> None:
    same = (a, query_a) == (b, query_b)
    assert (keyed(BODY, scope=a, query=query_a) == keyed(BODY, scope=b, query=query_b)) is same


@pytest.mark.parametrize(
    ("document", "stateful"),
    [
        ({}, False),
        ({"store": False, "background": None, "previous_response_id": None}, False),
        ({"store": True}, True),
        ({"store": 1}, True),
        ({"previous_response_id": "resp_1"}, True),
        ({"conversation": {"id": "conv_1"}}, True),
        ({"background": True}, True),
        ({"messages": [{"store": True}]}, False),
    ],
)
def test_what_the_provider_keeps_is_not_shared(document: dict[str, Any], stateful: bool) -> None:
    assert is_stateful(document) is stateful


def test_a_key_is_a_sha_256_in_hexadecimal() -> None:
    found = keyed(BODY)
    assert found is not None
    assert len(bytes.fromhex(found)) == 32
    assert found == keyed(BODY), msgspec.json.encode(found)
