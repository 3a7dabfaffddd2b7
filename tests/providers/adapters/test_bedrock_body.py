"""Tests of turning Anthropic's body into Bedrock's."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.adapters.bedrock_body import VERSION, invoke_body

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('a"\\{}[],:é\n ', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('b"{,:', max_size=3), inner, max_size=3),
    max_leaves=12,
)
MEMBERS = st.dictionaries(st.text('xy"\\{},:', min_size=1, max_size=4), JSON, max_size=5)


@settings(deadline=None)
@given(members=MEMBERS, stream=st.booleans(), indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_nothing_is_lost_and_nothing_else_is_changed(
    members: dict[str, Any], stream: bool, indent: int | None, ascii_only: bool
) -> None:
    asked = {"stream": stream, **members, "model": 'a"b'}
    content = json.dumps(asked, indent=indent, ensure_ascii=ascii_only).encode()
    found = invoke_body(content, version="", betas=())
    assert (found.model, found.stream) == ('a"b', stream)
    assert json.loads(found.content) == {"anthropic_version": VERSION, **members}
    for value in members.values():
        assert json.dumps(value, ensure_ascii=ascii_only).encode() in found.content or indent is not None


def test_every_other_byte_stays() -> None:
    content = b'\n { "a" : 1.50, "model":"m" ,"a":2,\t"b" : [ {"model" : "x"}, "stream" ] , "stream":true }\n'
    assert invoke_body(content, version="v", betas=()).content == (
        b'{"anthropic_version":"v", "a" : 1.50,"a":2,\t"b" : [ {"model" : "x"}, "stream" ] }'
    )


def test_an_escaped_name_is_the_name() -> None:
    found = invoke_body(b'{"mod\\u0065l":"m","str\\u0065am":true}', version="", betas=())
    assert found == (b'{"anthropic_version":"bedrock-2023-05-31"}', "m", True)


def test_the_bodys_own_version_and_features_are_kept() -> None:
    content = b'{"model":"m","anthropic_version":"bedrock-2099","anthropic_beta":["a"]}'
    assert invoke_body(content, version="", betas=()).content == (
        b'{"anthropic_version":"bedrock-2099","anthropic_beta":["a"]}'
    )
    assert json.loads(invoke_body(content, version="other", betas=("b", "a")).content) == {
        "anthropic_version": "other",
        "anthropic_beta": ["a", "b"],
    }


def test_only_true_streams() -> None:
    assert not invoke_body(b'{"model":"m","stream":null}', version="", betas=()).stream
    assert invoke_body(b"{}", version="", betas=()).model == ""


def test_large_pictures_are_not_stepped_through() -> None:
    picture = "A" * 5_000_000
    found = invoke_body(json.dumps({"model": "m", "picture": picture}).encode(), version="", betas=())
    assert json.loads(found.content)["picture"] == picture
