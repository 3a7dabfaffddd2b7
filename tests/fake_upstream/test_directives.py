"""Tests of the directives' grammar and of the script."""

import pytest

import fake_upstream
from fake_upstream.directives import DEFAULTS, Script, parse, split_model


def test_it_reads_several_directives() -> None:
    assert parse("slow=20, cut") == {"slow": 20, "cut": 3}


def test_it_refuses_a_directive_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="429-qota"):
        parse("429-qota")


def test_it_takes_directives_off_the_model() -> None:
    assert split_model("gpt-4o@hang=2") == ("gpt-4o", {"hang": 2})
    assert split_model("gpt-4o") == ("gpt-4o", {})


def test_it_scripts_the_next_requests_to_a_path() -> None:
    script = Script()
    script.add("503", times=2, path="/embeddings")
    taken = [script.take(path) for path in ("/models", "/embeddings", "/embeddings", "/embeddings")]
    assert taken == [{}, {"503": None}, {"503": None}, {}]


def test_it_fails_anew_after_the_success() -> None:
    script = Script()
    assert [script.fails_again("/x", b"body", 2) for _ in range(4)] == [True, True, False, True]


def test_it_fails_each_body_on_its_own() -> None:
    script = Script()
    assert [script.fails_again("/x", body, 1) for body in (b"a", b"b", b"a", b"b")] == [True, True, False, False]


def test_every_directive_is_documented() -> None:
    assert fake_upstream.__doc__ is not None
    assert [name for name in DEFAULTS if f"\n    {name}" not in fake_upstream.__doc__] == []
