"""Prices as people write them: exact both ways."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from providers.price_units import (
    MINUTES,
    TOKENS,
    images_in_pico,
    images_in_usd,
    tiers_in_pico,
    tiers_in_usd,
    unit_of,
)


@pytest.mark.parametrize(
    ("member", "usd", "pico"),
    [
        ("input_pico", "2.50", 2_500_000),
        ("output_pico", "0.000001", 1),
        ("second_pico", "0.006", 100_000_000),
        ("character_pico", "15", 15_000_000),
    ],
)
def test_it_converts_both_ways(member: str, usd: str, pico: int) -> None:
    assert unit_of(member).pico(Decimal(usd)) == pico
    assert unit_of(member).usd(pico) == Decimal(usd)


@given(some.integers(min_value=0, max_value=10**15))
def test_what_is_shown_can_be_entered_again(pico: int) -> None:
    assert TOKENS.pico(TOKENS.usd(pico)) == pico
    assert MINUTES.pico(MINUTES.usd(pico)) == pico


def test_it_converts_images_and_tiers() -> None:
    assert images_in_usd({"": 40_000_000_000}) == {"": 0.04}
    assert images_in_pico({"": 0.04}) == {"": 40_000_000_000}
    tiers = {"priority": {"input_pico": 4_250_000, "second_pico": 100_000_000}}
    assert tiers_in_usd(tiers) == {"priority": {"input": 4.25, "second": 0.006}}
    assert tiers_in_pico(tiers_in_usd(tiers)) == tiers


@pytest.mark.parametrize(
    "tiers", [{"flex": {"made_up": 1}}, {"flex": {"input": "1"}}, {"flex": {"input": True}}, {"flex": 1}]
)
def test_it_refuses_what_is_no_price(tiers: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"is no amount|is not known|must be an object"):
        tiers_in_pico(tiers)


@pytest.mark.parametrize("usd", [-1, float("nan"), float("inf"), None])
def test_it_refuses_what_is_no_amount(usd: object) -> None:
    with pytest.raises(ValueError, match="is no amount"):
        images_in_pico({"": usd})
