"""Tests of reading stored answers without trusting their form."""

import pytest

from proxy.replaying import CannotTurn, head_of, list_of, object_member, only, text_member


def test_members_nobody_knows_are_not_passed_over() -> None:
    only({"a": 1, "b": None}, {"a"})
    with pytest.raises(CannotTurn, match="the member b"):
        only({"a": 1, "b": 0}, {"a"})
    with pytest.raises(CannotTurn):
        only([], {"a"})


def test_members_of_another_kind_are_not_guessed_at() -> None:
    document = {"list": [{}], "mixed": [1], "object": {"a": 1}, "text": "t", "none": None}
    assert (list_of(document, "list"), list_of(document, "none"), list_of(document, "gone")) == ([{}], [], [])
    assert (object_member(document, "object"), object_member(document, "gone")) == ({"a": 1}, {})
    assert (text_member(document, "text"), text_member(document, "none")) == ("t", None)
    for read, name in ((list_of, "mixed"), (list_of, "text"), (object_member, "list"), (text_member, "object")):
        with pytest.raises(CannotTurn):
            read(document, name)


def test_a_head_takes_what_was_said_first() -> None:
    chunks: list[dict[str, object]] = [{"id": "", "model": "m"}, {"id": "1", "model": "other", "created": 5}]
    assert head_of(chunks, "kind") == {"id": "1", "object": "kind", "created": 5, "model": "m"}
