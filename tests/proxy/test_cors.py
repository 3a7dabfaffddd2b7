"""Tests of cross-origin answers."""

from proxy.cors import answer_headers, preflight_headers

ORIGIN = b"https://app.example"


def test_an_origin_on_the_list_may_read() -> None:
    for allowed in (frozenset({"*"}), frozenset({"https://app.example"})):
        headers = dict(answer_headers(ORIGIN, allowed))
        assert headers[b"access-control-allow-origin"] == ORIGIN
        assert headers[b"vary"] == b"origin"
        assert b"access-control-allow-credentials" not in headers


def test_every_other_origin_may_not() -> None:
    allowed = frozenset({"https://app.example"})
    for origin in (b"https://app.example.evil", b"http://app.example", b"null", b"\xff"):
        assert answer_headers(origin, allowed) == []
    assert answer_headers(ORIGIN, frozenset()) == []


def test_a_preflight_gets_what_it_asks_for() -> None:
    asked = {b"access-control-request-method": b"PATCH", b"access-control-request-headers": b"authorization, x-a"}
    assert dict(preflight_headers(asked)) == {
        b"access-control-allow-methods": b"PATCH",
        b"access-control-allow-headers": b"authorization, x-a",
        b"access-control-max-age": b"3600",
    }
    assert dict(preflight_headers({}))[b"access-control-allow-methods"] == b"*"
