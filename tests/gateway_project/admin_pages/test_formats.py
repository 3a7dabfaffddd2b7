"""Numbers as people read them."""

from decimal import Decimal

import pytest

from gateway_project.admin_pages import formats


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (None, "–"),
        (0, "$0"),
        (1, "$0.000000001"),
        (120, "$0.00000012"),
        (4_200_000, "$0.0042"),
        (250_000_000, "$0.25"),
        (99_990_000, "$0.10"),
        (994_000_000, "$0.99"),
        (999_999_999, "$1.00"),
        (1_234_500_000_000, "$1,234.50"),
        (-250_000_000, "-$0.25"),
    ],
)
def test_an_amount_has_the_digits_that_say_something(nano: int | None, text: str) -> None:
    assert formats.usd(nano) == text


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (None, "–"),
        (0, "$0"),
        (5_000_000_000, "$5"),
        (250_000_000, "$0.25"),
        (1, "$0.000000001"),
        (10**19, "$10000000000"),
    ],
)
def test_a_limit_has_all_its_digits(nano: int | None, text: str) -> None:
    assert formats.usd_exact(nano) == text


def test_a_decimal_has_no_exponent_and_no_idle_zeros() -> None:
    assert [formats.plain(Decimal(text)) for text in ("1E-7", "2.50", "100", "0")] == ["0.0000001", "2.5", "100", "0"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0K"),
        (123_456, "123K"),
        (999_949, "1.00M"),
        (999_400, "999K"),
        (4_560_000, "4.56M"),
        (99_960_000, "100M"),
        (2_000_000_000, "2.00B"),
        (3_000_000_000_000, "3.00T"),
    ],
)
def test_a_large_number_is_short(number: int, text: str) -> None:
    assert formats.compact(number) == text


@pytest.mark.parametrize(
    ("part", "total", "text"),
    [(0, 0, "–"), (0, 5, "0%"), (1, 3, "33%"), (1, 400, "0.2%"), (1, 100_000, "<0.1%"), (5, 5, "100%")],
)
def test_a_share_is_a_percentage(part: int, total: int, text: str) -> None:
    assert formats.percent(part, total) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [(None, "–"), (0, "0 ms"), (999, "999 ms"), (999.6, "1.00 s"), (59_994, "59.99 s"), (125_000, "2 min 5 s")],
)
def test_a_duration_is_in_its_unit(ms: float | None, text: str) -> None:
    assert formats.milliseconds(ms) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 seconds"), (1, "1 second"), (90, "1 minute"), (7200, "2 hours"), (200_000, "2 days")]
)
def test_a_span_is_in_its_largest_unit(seconds: int, text: str) -> None:
    assert formats.span(seconds) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [(None, "–"), (0, "1970-01-01 00:00:00"), (1_763_640_000, "2025-11-20 12:00:00"), (10**20, f"{10**20}")],
)
def test_a_time_is_in_utc(at: int | None, text: str) -> None:
    assert formats.utc(at) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1200, "1.2 KB"), (345_678, "346 KB"), (5 * 10**12, "5000 GB")]
)
def test_a_size_is_in_its_unit(number: int, text: str) -> None:
    assert formats.size(number) == text


def test_a_number_is_in_groups() -> None:
    assert (formats.whole(1234567), formats.whole(None)) == ("1,234,567", "–")
