"""Tests of the arithmetic on samples."""

import pytest

from bench.records import LoadResult, percentile


@pytest.mark.parametrize(("share", "value"), [(0.5, 3.0), (0.99, 5.0), (0.0, 1.0)])
def test_it_takes_the_nearest_rank(share: float, value: float) -> None:
    assert percentile([5.0, 1.0, 3.0, 2.0, 4.0], share) == value


def test_it_has_no_percentile_of_nothing() -> None:
    assert percentile([], 0.5) == 0.0


def test_it_divides_requests_by_seconds() -> None:
    assert LoadResult(10, 0, 4.0, [], [], 0).per_second == 2.5
