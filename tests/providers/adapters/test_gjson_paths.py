"""The walker beside an oracle, and what it refuses."""

import json
from typing import Any

import pygjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers.adapters.gjson_paths import MISSING, is_like, parse_path, texts_in, value_at

CHAT = {
    "model": "m-1",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What"}, {"type": "image"}, {"text": " is it?"}]},
        {"role": "user", "content": None, "name": "Ann"},
    ],
    "choices": [{"delta": {"content": "a"}, "n": 1}, {"delta": {}, "n": 2}, {"delta": {"content": "b"}, "n": 3}],
    "tags": ["red", "green", "rain"],
    "flags": [True, False, None, 0, 1.5, "", "t", "False"],
    "grid": [[1, 2], [3], [], "no", [[4], [5, 6]]],
    "fav.movie": {"0": "Deer Hunter", "*": "star", "a#b": "hash"},
    "#": "hash alone",
    "options": {"stream": True, "seed": 0},
}
PATHS = [
    "model", "messages.0.content", "messages.01.role", "messages.9.role", "messages.-1.role", "messages.#",
    "messages.#.content", "messages.#.content.#.text", "messages.#.content.#", "messages.#.name", "messages.role",
    "messages.#.nobody", "messages.#.content.0.text", "messages.#.content.#.text.x", "nobody", "model.x", "model.#",
    "choices.#.delta.content", "choices.#.delta", "choices.1.delta.content", "options.stream", "options.#",
    'messages.#(role=="user").content.#.text', 'messages.#(role=="user")#.role', 'messages.#(role=="nobody").role',
    'messages.#(role=="nobody")#.role', 'messages.#(role!="user")#.content', "messages.#(name)#.role",
    "messages.#(role==user)#.role", 'messages.#(role%"s*").content', 'messages.#(role!%"s*")#.role',
    "choices.#(n>1)#.n", "choices.#(n>=2)#.n", "choices.#(n<2).n", "choices.#(n<=2)#.n", "choices.#(n!=2)#.n",
    'choices.#(n=="x")#.n', "choices.#(delta.content)#.n", 'choices.#(delta.content=="b").n',
    'messages.#(content.#(text=="What")).role', 'messages.#(content.#(type=="text")#.text)#.role',
    'tags.#(=="red")', 'tags.#(%"r*")#', 'tags.#(>"red")#', "tags.#(!=red)#", 'tags.#(=="blue")', "tags.#",
    "flags.#(==true)#", "flags.#(!=true)#", "flags.#(>false)#", "flags.#(<true)#", "flags.#(>=true)#",
    "flags.#(<=false)#", "flags.#(==~true)#", "flags.#(==~false)#",
    "flags.#(!=~true)#", "flags.#(==1.5)", "flags.#(<1)#", "grid.#.#", "grid.#.0", "grid.#.#.#", "grid.#.#.0",
    "grid.#.nobody", "grid.4.#.#", "fav\\.movie.0", "fav\\.movie.\\*", "fav*.0", "f?v*.a#b", "fav\\.movie.a\\#b",
    "fav\\.movie.?", "opt*.s*", "o?tions.seed", "tags.*", "\\#",
    'choices.#(delta.content=="b")#.delta.content', "options.str*", "*",
    "messages.1.content.#(type).type",
]  # fmt: skip


# The oracle does not know these; the syntax has them.
RECORDED = {
    "flags.#(==~null)#": [None],
    "flags.#(==~*)#": [True, False, None, 0, 1.5, "", "t", "False"],
    "choices.#(delta.content==~*)#.n": [1, 3],
    "choices.#(delta.content!=~*)#.n": [2],
}
REFUSED = {
    "": "is empty",
    "a..b": "empty part",
    ".a": "empty part",
    "a.": "empty part",
    "..#.a": "empty part",
    "a|b": "pipe",
    "a.@reverse": "a modifier",
    "@this": "a modifier",
    "!true": "a literal",
    "{a,b}": "a multipath",
    "a.[b,c]": "a multipath",
    "a.#b": "begins with #",
    "a.#[b=1]": "begins with #",
    "a.#(b==1": "closing bracket",
    'a.#(b=="1)': "quote that is not closed",
    "a.#(b==1)x": "other than a dot",
    "a.#(b==1)##": "other than a dot",
    "a.#()": "empty query",
    "a.#(b==~maybe)": "~maybe",
    "a.#(b!)": "operator that there is not",
    "a.#(@this==1)": "a modifier",
    "a\\": "ends with a backslash",
    "a" * 513: "longer than 512",
}


def by_oracle(document: Any, path: str) -> Any:
    found = pygjson.get(json.dumps(document), path)
    return plain(found) if found.exists() else MISSING


def plain(found: Any) -> Any:
    value = found.value if isinstance(found, pygjson.Result) else found
    if isinstance(value, list):
        return [plain(each) for each in value]
    return {name: plain(each) for name, each in value.items()} if isinstance(value, dict) else value


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 is not true."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("path", PATHS)
def test_it_finds_what_the_oracle_finds(path: str) -> None:
    ours, theirs = value_at(path, CHAT), by_oracle(CHAT, path)
    assert same(ours, theirs), f"{ours} is not {theirs}"


@pytest.mark.parametrize("path", RECORDED)
def test_it_knows_what_the_oracle_does_not(path: str) -> None:
    assert value_at(path, CHAT) == RECORDED[path]


@pytest.mark.parametrize("path", REFUSED)
def test_it_refuses_what_it_would_misread(path: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[path]):
        parse_path(path)


NAMES = st.sampled_from(["a", "b", "ab", "a.b", "0", "1", "x*", "c?"])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["", "a", "ab", "b", "red", "1", "true", "x.y"])
)
DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
    ),
    max_size=4,
)
OPERATORS = st.sampled_from(["==", "=", "!=", "<", "<=", ">", ">=", "%", "!%"])
OPERANDS = st.sampled_from(['"a"', '"a*"', '"re?"', "ab", "0", "1", "-3", "2.5", "true", "false", '"true"', "~true"])
SIMPLE = st.sampled_from(["a", "b", "ab", "a\\.b", "0", "1", "2", "a*", "?", "*b", "x\\*", "c\\?", "#"])
INNER = st.one_of(st.just(""), SIMPLE, st.tuples(SIMPLE, SIMPLE).map(".".join))
QUERIES = st.one_of(
    st.builds("#({}{}{}){}".format, INNER, OPERATORS, OPERANDS, st.sampled_from(["", "#"])),
    st.builds("#({}){}".format, SIMPLE.filter(lambda part: part != "#"), st.sampled_from(["", "#"])),
)
MANY_PATHS = st.lists(st.one_of(SIMPLE, QUERIES), min_size=1, max_size=5).map(".".join)


@settings(max_examples=600, deadline=None)
@given(DOCUMENTS, MANY_PATHS)
@example({"a": [{"b": [{"a": "x"}, {"a": "y"}]}, {"b": []}, {"b": [{"a": "z"}]}]}, "a.#.b.#.a")
def test_any_path_finds_in_any_document_what_the_oracle_finds(document: dict[str, Any], path: str) -> None:
    ours, theirs = value_at(path, document), by_oracle(document, path)
    assert same(ours, theirs), f"{ours} is not {theirs}"


@given(st.text("ab*?", max_size=12), st.text("ab*?\\", max_size=8))
def test_a_pattern_is_like_what_a_slow_reading_of_it_says(text: str, pattern: str) -> None:
    assert is_like(text, pattern) is slowly(text, pattern)


def slowly(text: str, pattern: str) -> bool:
    if not pattern:
        return not text
    first, rest = pattern[0], pattern[1:]
    if first == "*":
        return any(slowly(text[at:], rest) for at in range(len(text) + 1))
    if first == "\\" and rest:
        first, rest = rest[0], rest[1:]
        return text[:1] == first and slowly(text[1:], rest)
    return bool(text) and first in ("?", text[0]) and slowly(text[1:], rest)


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    assert not is_like("a" * 20_000, "a*" * 40 + "b")


@given(st.text(max_size=40))
def test_a_path_is_parsed_or_refused_whatever_it_is(path: str) -> None:
    try:
        found = parse_path(path)
    except ValueError:
        return
    found.get(CHAT)


def test_texts_are_strings_however_deep_in_arrays() -> None:
    assert list(texts_in(["a", ["b", [], ["c"]], 1, None, True])) == ["a", "b", "c"]
    assert list(texts_in([{"type": "text", "text": "of a part"}, {"image": "not this"}])) == ["of a part"]
    assert list(texts_in("plain")) == ["plain"]
    assert list(texts_in(MISSING)) == []


def test_no_path_finds_nothing() -> None:
    assert value_at("", CHAT) is MISSING
    assert not MISSING
    assert value_at("messages.2.content", CHAT) is None
