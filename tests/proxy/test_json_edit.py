"""Tests of changing a JSON document without touching the rest of it."""

import json
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.json_edit import duplicate_anywhere, has_duplicate, insert_member, member_names, replace_member

NAMES = member_names(("model", "stream", "stream_options"))

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(allow_nan=False, width=32),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(st.text() | st.sampled_from(["model", "stream", "stream_options", "a"]), values)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A JSON object as some client writes it."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", " :\r\n")]))
    indent = draw(st.sampled_from([None, 1]))
    ascii_only = draw(st.booleans())
    text = json.dumps(draw(documents), ensure_ascii=ascii_only, separators=separators, indent=indent)
    space = draw(st.sampled_from(["", " ", "\n\t"]))
    return (space + text + space).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "content",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a", "x": {"y": 1}, "model":"b"}',
        b'{"model":"a","\\u006dodel":"b"}',
        b'{"\\u006d\\u006f\\u0064\\u0065\\u006c":"a","model":"b"}',
        b'{"\\u006Dodel":"a","m\\u006Fdel":"b"}',
        b'{"stream_options":{},"stream\\u005foptions":{}}',
        b'{"model":1e400,"model":1}',
        b'{"model":' + b"1" * 5000 + b',"model":1}',
    ],
)
def test_it_finds_a_member_that_is_there_twice_however_it_is_spelled(content: bytes) -> None:
    assert has_duplicate(content, NAMES) in ("model", "stream_options")


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"model":"a"}',
        b'{"model":"model","stream":"\\"model\\""}',
        b'{"model":"a","messages":[{"model":1},{"model":2}]}',
        b'{"x":"\\u006dodel","y":"\\u006dodel","model":"a"}',
        b'{"other":1,"other":2}',
        b'{"model":"caf\\u00e9","x":"model"}',
        b'{"Model":1,"model":2}',
    ],
)
def test_it_finds_none_elsewhere(content: bytes) -> None:
    assert has_duplicate(content, NAMES) is None


def test_it_gives_up_on_a_document_that_is_too_deep() -> None:
    content = b'{"model":1,"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(RecursionError):
        has_duplicate(content, NAMES)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{}", b'{"a":1}'),
        (b" { } ", b' {"a":1 } '),
        (b'{\n"b":2}', b'{"a":1,\n"b":2}'),
        (b'{"b":0,"c":null}', b'{"a":1,"b":0,"c":null}'),
    ],
)
def test_it_inserts_in_front(content: bytes, expected: bytes) -> None:
    assert insert_member(content, b'"a":1') == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a":1,"b":2}', b'{"a":NEW,"b":2}'),
        (b'{"b" : 2 , "a" : {"a":[1,{"a":2}]} , "c":3}', b'{"b" : 2 , "a" : NEW , "c":3}'),
        (b'{"b":{"a":9},"a":[]}', b'{"b":{"a":9},"a":NEW}'),
        (b'{"b":"a","a":"x, \\"y\\" }{"}', b'{"b":"a","a":NEW}'),
        (b'{"\\u0061":null}', b'{"\\u0061":NEW}'),
        (b'{"a":-1.5e+3}', b'{"a":NEW}'),
        (b'{"c":["a",1],"a":true}', b'{"c":["a",1],"a":NEW}'),
        ('{"é":"a","a":"ü"}'.encode(), '{"é":"a","a":NEW}'.encode()),
    ],
)
def test_it_replaces_only_the_value(content: bytes, expected: bytes) -> None:
    assert replace_member(content, "a", b"NEW") == expected


@pytest.mark.parametrize("content", [b"{}", b'{"b":{"a":1}}', b'{"b":"a"}', b'[{"a":1}]'])
def test_it_replaces_nothing_that_is_not_there(content: bytes) -> None:
    with pytest.raises(KeyError):
        replace_member(content, "a", b"1")


@settings(deadline=None, max_examples=30)
@given(written())
def test_an_inserted_member_is_all_that_changes(content: bytes) -> None:
    before: Any = json.loads(content)
    if "new" in before:
        return
    edited = insert_member(content, b'"new":{"x":[1]}')
    assert json.loads(edited) == {"new": {"x": [1]}, **before}
    start = edited.index(b'"new":{"x":[1]}')
    rest = edited[start + len(b'"new":{"x":[1]}') :]
    assert edited[:start] + (rest[1:] if before else rest) == content


@settings(deadline=None, max_examples=30)
@given(written(), st.sampled_from(["model", "stream_options", "a"]))
def test_a_replaced_value_is_all_that_changes(content: bytes, name: str) -> None:
    before: Any = json.loads(content)
    if name not in before:
        with pytest.raises(KeyError):
            replace_member(content, name, b"0")
        return
    edited = replace_member(content, name, b"[42]")
    assert json.loads(edited) == {**before, name: [42]}
    at = edited.index(b"[42]")
    assert content.startswith(edited[:at])
    assert content.endswith(edited[at + 4 :])


@settings(deadline=None, max_examples=30)
@given(documents)
def test_documents_without_duplicates_have_none(document: dict[str, Any]) -> None:
    content = json.dumps(document).encode()
    assert has_duplicate(content, NAMES) is None


@settings(deadline=None, max_examples=30)
@given(documents, st.sampled_from(["model", "stream"]), st.booleans())
def test_a_duplicate_is_found_wherever_it_is(document: dict[str, Any], name: str, escaped: bool) -> None:
    document[name] = 1
    spelled = f"\\u{ord(name[0]):04x}{name[1:]}" if escaped else name
    content = json.dumps(document).encode()[:-1] + f', "{spelled}": 2}}'.encode()
    assert has_duplicate(content, NAMES) == name


def test_what_is_checked_is_json_for_the_parser_that_is_used() -> None:
    """Comments, NaN, single quotes and trailing commas never reach the editor: orjson refuses them first."""
    for content in (
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":1,}',
        b'{"a":1}//x',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
    ):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(content)


@pytest.mark.parametrize(
    ("content", "twice"),
    [
        (b'{"a":1,"b":{"a":1,"c":[{"a":1},{"a":1}]}}', None),
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":{"b":[{"c":1,"c":2}]}}', "c"),
        (b'{"a":{"\\u0062":1,"b":2}}', "b"),
        (b'{"a":123456789012345678901234567890,"b":1e999}', None),
        (b"[]", None),
    ],
)
def test_a_member_that_occurs_twice_is_found_however_deep(content: bytes, twice: str | None) -> None:
    assert duplicate_anywhere(content) == twice


def test_large_values_are_not_stepped_through() -> None:
    """Letter by letter, or number by number, a large body would hold the event loop for seconds."""
    picture, text = b"A" * 5_000_000, b'\\n\\"' * 500_000
    content = b'{"parts":[{"picture":"%b","text":"%b"}],"input":[%b1],"model":"a"}' % (picture, text, b"1," * 2_000_000)
    tracemalloc.start()
    try:
        assert replace_member(content, "model", b'"b"') == content[:-4] + b'"b"}'
        assert tracemalloc.get_traced_memory()[1] < 4 * len(content)
    finally:
        tracemalloc.stop()


def test_a_member_that_is_there_twice_is_found_among_many() -> None:
    """Were each name compared with all before it, this would take half an hour."""
    content = b"{" + b"".join(b'"k%d":1,' % number for number in range(300_000)) + b'"k299999":1}'
    assert duplicate_anywhere(content) == "k299999"
