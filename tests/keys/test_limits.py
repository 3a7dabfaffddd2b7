from datetime import UTC, datetime

import pytest

from gateway_project.shared.counters import CounterId, Limit
from keys.limits import charges_for, limits_for
from keys.records import KeyRecord

AT = int(datetime(2025, 3, 14, 15, 9, 26, tzinfo=UTC).timestamp())
MINUTE = int(datetime(2025, 3, 14, 15, 9, tzinfo=UTC).timestamp())
DAY = int(datetime(2025, 3, 14, tzinfo=UTC).timestamp())
MONTH = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp())
NEXT_MONTH = int(datetime(2025, 4, 1, tzinfo=UTC).timestamp())


def key(**fields: object) -> KeyRecord:
    return KeyRecord(id="one", name="one", **fields)  # type: ignore[arg-type]


class TestLimits:
    def test_a_key_without_limits_has_none(self) -> None:
        assert limits_for(key(), cost_nano=5, at=AT) == ()

    def test_it_counts_requests_in_their_window(self) -> None:
        limited = key(request_limit=2, request_window_unit="m", counter_epoch=3)
        expected = Limit(CounterId("requests", "m", MINUTE, 3), MINUTE + 60, 2, 1)
        assert limits_for(limited, cost_nano=5, at=AT) == (expected,)

    def test_it_counts_the_total_cost_for_ever(self) -> None:
        limited = key(cost_limit_nano=250_000_000, counter_epoch=3)
        expected = Limit(CounterId("cost", "total", 0, 0), 0, 250_000_000, 5)
        assert limits_for(limited, cost_nano=5, at=AT) == (expected,)

    @pytest.mark.parametrize(
        ("unit", "start_at", "end_at"),
        [("s", AT, AT + 1), ("d", DAY, DAY + 86_400), ("mo", MONTH, NEXT_MONTH)],
    )
    def test_it_counts_cost_in_its_window(self, unit: str, start_at: int, end_at: int) -> None:
        limited = key(cost_window_limit_nano=7, cost_window_unit=unit, counter_epoch=1)
        expected = Limit(CounterId("cost", unit, start_at, 1), end_at, 7, 5)
        assert limits_for(limited, cost_nano=5, at=AT) == (expected,)

    def test_it_names_requests_first_and_then_cost(self) -> None:
        limited = key(
            request_limit=2,
            request_window_unit="m",
            cost_limit_nano=9,
            cost_window_limit_nano=7,
            cost_window_unit="d",
        )
        named = [limit.counter[:2] for limit in limits_for(limited, cost_nano=5, at=AT)]
        assert named == [("requests", "m"), ("cost", "total"), ("cost", "d")]

    def test_a_limit_of_nothing_is_a_limit(self) -> None:
        limited = key(request_limit=0, request_window_unit="h", cost_limit_nano=0)
        assert [limit.maximum for limit in limits_for(limited, cost_nano=0, at=AT)] == [0, 0]


class TestCharges:
    def test_every_request_counts_in_the_total(self) -> None:
        assert charges_for(key(counter_epoch=4), AT) == (("total", 0, 0),)

    def test_it_counts_in_each_configured_window(self) -> None:
        limited = key(request_window_unit="m", cost_window_unit="mo", counter_epoch=4)
        assert charges_for(limited, AT) == (("total", 0, 0), ("m", MINUTE, 4), ("mo", MONTH, 4))

    def test_it_counts_once_in_a_window_that_both_limits_use(self) -> None:
        limited = key(request_window_unit="d", cost_window_unit="d")
        assert charges_for(limited, AT) == (("total", 0, 0), ("d", DAY, 0))

    def test_it_counts_wherever_there_is_a_limit(self) -> None:
        limited = key(
            request_limit=2,
            request_window_unit="m",
            cost_limit_nano=9,
            cost_window_limit_nano=7,
            cost_window_unit="d",
            counter_epoch=2,
        )
        charged = set(charges_for(limited, AT))
        assert {limit.counter[1:] for limit in limits_for(limited, cost_nano=5, at=AT)} == charged
