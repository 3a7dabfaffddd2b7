"""Secrets at rest: bound to row, field and destinations, rotated by key ids."""

from dataclasses import replace

import pytest

from providers.sealing import DataKey, KeyRing, Place, SealBroken, key_id_of, seal, unseal

RING = KeyRing.of([("d1", b"1" * 32)])
PLACE = Place("providers_providersetting", "row-1", "apikey", ("https://api.openai.com:443",))
SECRET = "sk-canary-7f3a"


def test_it_opens_what_it_sealed() -> None:
    assert unseal(seal(SECRET, PLACE, RING), PLACE, RING) == SECRET


def test_it_seals_the_same_secret_differently_each_time() -> None:
    assert seal(SECRET, PLACE, RING) != seal(SECRET, PLACE, RING)


def test_it_does_not_show_the_secret_in_the_token() -> None:
    assert SECRET not in seal(SECRET, PLACE, RING)


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, table="keys_key"),
        replace(PLACE, row_id="row-2"),
        replace(PLACE, field="url"),
        replace(PLACE, destinations=("https://evil.example:443",)),
        replace(PLACE, destinations=("https://api.openai.com:443", "https://evil.example:443")),
        replace(PLACE, destinations=("http://api.openai.com:80",)),
        replace(PLACE, destinations=()),
    ],
)
def test_it_cannot_be_opened_anywhere_else(elsewhere: Place) -> None:
    token = seal(SECRET, PLACE, RING)
    with pytest.raises(SealBroken):
        unseal(token, elsewhere, RING)


def test_it_does_not_mind_the_order_of_destinations() -> None:
    token = seal(SECRET, replace(PLACE, destinations=("https://a:443", "https://b:443")), RING)
    assert unseal(token, replace(PLACE, destinations=("https://b:443", "https://a:443")), RING) == SECRET


def test_it_opens_old_tokens_after_a_rotation_and_seals_with_the_first_key() -> None:
    token = seal(SECRET, PLACE, RING)
    rotated = KeyRing.of([("d2", b"2" * 32), ("d1", b"1" * 32)])
    assert unseal(token, PLACE, rotated) == SECRET
    assert key_id_of(seal(SECRET, PLACE, rotated)) == "d2"


def test_it_names_a_key_that_is_gone() -> None:
    token = seal(SECRET, PLACE, RING)
    with pytest.raises(SealBroken, match="'d1' is not in the ring"):
        unseal(token, PLACE, KeyRing.of([("d2", b"2" * 32)]))


def test_it_refuses_a_token_under_another_key_with_the_same_id() -> None:
    token = seal(SECRET, PLACE, RING)
    with pytest.raises(SealBroken):
        unseal(token, PLACE, KeyRing.of([("d1", b"x" * 32)]))


@pytest.mark.parametrize(
    "token", ["", "v1", "v2.d1.AAAA", "v1.d1.", "v1.d1.!!!!", "v1.d1.AAAA", "v1.d1.AAAA.B", SECRET]
)
def test_it_refuses_what_is_no_token_and_does_not_repeat_it(token: str) -> None:
    with pytest.raises(SealBroken) as error:
        unseal(token, PLACE, RING)
    assert SECRET not in str(error.value)


def test_it_refuses_a_token_with_one_bit_changed() -> None:
    token = seal(SECRET, PLACE, RING)
    flipped = token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]
    with pytest.raises(SealBroken):
        unseal(flipped, PLACE, RING)


@pytest.mark.parametrize(
    "pairs",
    [[], [("", b"1" * 32)], [("a.b", b"1" * 32)], [("a", b"short")], [("a", b"1" * 32), ("a", b"2" * 32)]],
)
def test_it_refuses_a_ring_that_is_none(pairs: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ValueError, match="data key"):
        KeyRing.of(pairs)


def test_it_never_shows_a_key() -> None:
    assert "kkkk" not in repr(DataKey("d1", b"k" * 32))
    assert "kkkk" not in repr(KeyRing.of([("d1", b"k" * 32)]))
