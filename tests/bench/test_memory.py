"""Tests of the verdict on memory; the measurement itself takes a minute and is for `make bench`."""

import pytest

from bench.memory import Growth


@pytest.mark.parametrize(("after", "too_much"), [(109.9, False), (110.5, True), (90.0, False)])
def test_it_allows_ten_megabytes(after: float, too_much: bool) -> None:
    assert Growth("uvicorn", 100.0, after).too_much is too_much
