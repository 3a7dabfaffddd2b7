from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.shared.windows import COST_UNITS, Window, month_start, window_at


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("unit", "start", "end"),
    [
        ("s", "2024-02-29T23:59:58", "2024-02-29T23:59:59"),
        ("m", "2024-02-29T23:59:00", "2024-03-01T00:00:00"),
        ("h", "2024-02-29T23:00:00", "2024-03-01T00:00:00"),
        ("d", "2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        ("mo", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
    ],
)
def test_windows_are_aligned_to_the_utc_clock(unit: str, start: str, end: str) -> None:
    assert window_at(unit, at("2024-02-29T23:59:58")) == Window(unit, at(start), at(end))


def test_december_ends_in_january() -> None:
    assert window_at("mo", at("2025-12-31T23:59:59")).end_at == at("2026-01-01T00:00:00")
    assert month_start(2025, 13) == at("2026-01-01T00:00:00")


@given(st.sampled_from(COST_UNITS), st.integers(min_value=0, max_value=4_000_000_000))
def test_windows_meet_without_gap(unit: str, moment: int) -> None:
    window = window_at(unit, moment)
    assert window.start_at <= moment < window.end_at
    assert window_at(unit, window.end_at).start_at == window.end_at
    assert window_at(unit, window.start_at) == window


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="week"):
        window_at("week", 0)
