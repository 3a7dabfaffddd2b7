from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.shared.money import MAX_NANO, nano_to_usd, pico_to_nano, usd_to_nano, usd_to_pico


@pytest.mark.parametrize(
    ("amount", "nano"),
    [(0.1, 100_000_000), ("0.000000001", 1), (Decimal("5.5"), 5_500_000_000), (0, 0), (-1, -(10**9))],
)
def test_dollars_become_whole_nano_dollars(amount: Decimal | float | str, nano: int) -> None:
    assert usd_to_nano(amount) == nano


def test_prices_are_a_thousand_times_finer() -> None:
    assert usd_to_pico("0.00000015") == 150_000


@pytest.mark.parametrize("amount", ["much", "NaN", "Infinity", 1e30, ""])
def test_what_is_no_amount_is_refused(amount: float | str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (several texts, all of them for people)
        usd_to_nano(amount)


@given(st.integers(min_value=0, max_value=MAX_NANO))
def test_a_price_never_rounds_to_nothing(pico: int) -> None:
    nano = pico_to_nano(pico)
    assert (nano - 1) * 1000 < pico <= nano * 1000


def test_dollars_are_floats_for_screens() -> None:
    assert nano_to_usd(1_500_000_000) == 1.5
