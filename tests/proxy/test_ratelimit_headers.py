"""Tests of the request window in headers."""

from gateway_project.shared.counters import CounterId, Limit
from proxy.flow import Reservation
from proxy.ratelimit_headers import ratelimit_headers

COST = Limit(CounterId("cost", "total", 0, 0), 0, 1000, 10)
REQUESTS = Limit(CounterId("requests", "m", 60, 0), 120, 5, 1)


def test_the_request_window_is_told() -> None:
    reservation = Reservation("id", "key:1", (REQUESTS, COST), (), ((2, 1), (500, 10)))
    assert ratelimit_headers(reservation, 90) == [
        (b"x-ratelimit-limit-requests", b"5"),
        (b"x-ratelimit-remaining-requests", b"2"),
        (b"x-ratelimit-reset-requests", b"30s"),
    ]


def test_it_never_goes_below_zero() -> None:
    reservation = Reservation("id", "key:1", (REQUESTS,), (), ((5, 1),))
    assert ratelimit_headers(reservation, 200)[1:] == [
        (b"x-ratelimit-remaining-requests", b"0"),
        (b"x-ratelimit-reset-requests", b"0s"),
    ]


def test_without_a_request_window_nothing_is_told() -> None:
    assert ratelimit_headers(Reservation("id", "key:1", (COST,), (), ((0, 0),)), 90) == []
    assert ratelimit_headers(Reservation("id", "key:1", (), ()), 90) == []
