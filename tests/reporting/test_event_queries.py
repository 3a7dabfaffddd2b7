"""Reports over single events; what the hourly sums can answer must be the same answer."""

import statistics
from collections.abc import Sequence
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reporting import event_queries
from reporting.event_queries import EventFilter, Report, ReportPoint, TooManyPoints, find_events, usage_report
from reporting.records import UsageEventRecord
from reporting.services import Batch, store_batch
from tests.reporting.builders import AT, a_record, payload_of

HOUR_S = 3600
ONE, TWO = str(uuid4()), str(uuid4())


def store(*records: UsageEventRecord) -> None:
    assert store_batch(batch=Batch(str(uuid4()), 0, 1), payloads=[payload_of(record) for record in records])


def report(group_by: Sequence[str] = (), *, increment_s: int = HOUR_S, **wanted: object) -> Report:
    times = {"start_at": AT, "end_at": AT + 2 * HOUR_S}
    return usage_report(EventFilter(**{**times, **wanted}), increment_s=increment_s, group_by=group_by)  # type: ignore[arg-type]


def counts(found: Report) -> list[tuple[int, int]]:
    return [(point.at - AT, point.requests) for point in found.points]


class TestFindingEvents:
    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (EventFilter(), "abc"),
            (EventFilter(key_ids=[ONE]), "ab"),
            (EventFilter(key_ids=[ONE, TWO]), "abc"),
            (EventFilter(key_ids=["no uuid"]), ""),
            (EventFilter(custom_ids=["b", "c"]), "bc"),
            (EventFilter(user_ids=["u"]), "ac"),
            (EventFilter(tags=["x"]), "ab"),
            (EventFilter(tags=["x", "y"]), "b"),
            (EventFilter(tags=["'; DROP TABLE x; --"]), ""),
            (EventFilter(start_at=AT + 1), "bc"),
            (EventFilter(end_at=AT + 2), "ab"),
            (EventFilter(key_ids=[ONE], user_ids=["u"], tags=["x"]), "a"),
        ],
    )
    def test_all_conditions_hold_at_once(self, database: str, wanted: EventFilter, found: str) -> None:
        store(
            a_record(key_id=ONE, custom_id="a", user_id="u", tags=("x",), created_at=AT),
            a_record(key_id=ONE, custom_id="b", user_id="v", tags=("x", "y"), created_at=AT + 1),
            a_record(key_id=TWO, custom_id="c", user_id="u", tags=(), created_at=AT + 2),
        )

        assert sorted(event.custom_id for event in find_events(wanted)) == sorted(found)

    def test_the_newest_come_first(self, database: str) -> None:
        store(*(a_record(custom_id=str(number), created_at=AT + number) for number in (1, 3, 2)))

        assert [event.custom_id for event in find_events(EventFilter())] == ["3", "2", "1"]


class TestReports:
    def test_buckets_are_filled_with_zeros_and_include_one_at_the_end(self, database: str) -> None:
        store(a_record(created_at=AT + HOUR_S), a_record(created_at=AT + 2 * HOUR_S))

        assert counts(report()) == [(0, 0), (HOUR_S, 1), (2 * HOUR_S, 0)]

    def test_a_bucket_begins_at_the_start_not_at_the_hour(self, database: str) -> None:
        store(a_record(created_at=AT + 100), a_record(created_at=AT + 699), a_record(created_at=AT + 700))

        found = report(start_at=AT + 100, end_at=AT + 1_300, increment_s=600)

        assert counts(found) == [(100, 2), (700, 1), (1_300, 0)]

    def test_a_point_sums_its_events(self, database: str) -> None:
        store(a_record(cost_nano=5, latency_ms=10), a_record(cost_nano=6, latency_ms=20, status=500))

        expected = ReportPoint(
            at=AT,
            requests=2,
            cost_nano=11,
            latency_ms=30,
            prompt_tokens=26,
            completion_tokens=10,
            successes=1,
            dimensions={},
        )
        assert report().points[0] == expected
        assert report(tags=["team-a"]).points[0] == expected

    @pytest.mark.parametrize("name", ["model", "keyId", "customId", "userId"])
    def test_it_groups_by_each_dimension(self, database: str, name: str) -> None:
        store(
            a_record(key_id=ONE, request_model="m1", custom_id="c1", user_id="u1"),
            a_record(key_id=TWO, request_model="m2", custom_id="c2", user_id="u2"),
            a_record(key_id=TWO, request_model="m2", custom_id="c2", user_id="u2"),
        )
        one, two = {"model": "m", "customId": "c", "userId": "u"}.get(name, ""), "2"
        names = [one + "1", one + two] if one else [ONE, TWO]

        found = report([name], end_at=AT + HOUR_S)

        grouped = {(point.dimensions or {})[name]: point.requests for point in found.points if point.requests}
        assert grouped == {names[0]: 1, names[1]: 2}
        assert found.points[-1] == ReportPoint(AT + HOUR_S)

    def test_it_groups_by_several_dimensions_at_once(self, database: str) -> None:
        store(*(a_record(key_id=key, request_model=model) for key in (ONE, TWO) for model in ("a", "b")))

        assert len(report(["model", "keyId"], end_at=AT + HOUR_S).points) == 5

    def test_hourly_sums_and_events_give_the_same_report(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(60):
            store(
                a_record(
                    key_id=(ONE, TWO)[number % 2],
                    request_model=f"m{number % 3}",
                    created_at=AT + number * 119,
                    status=(200, 500, 429)[number % 3],
                    cost_nano=number,
                    latency_ms=number * 7,
                )
            )
        from_hours = report(["model", "keyId"], key_ids=[ONE])
        with CaptureQueriesContext(connection) as captured:
            report(["model", "keyId"])
        monkeypatch.setattr(event_queries, "_hourly_rows", lambda *_: None)

        assert report(["model", "keyId"], key_ids=[ONE]) == from_hours
        assert "hourlyusage" in captured[0]["sql"]

    def test_percentiles_are_those_of_the_same_events(self, database: str) -> None:
        latencies = [7, 100, 3, 250, 90, 41]
        store(*(a_record(latency_ms=latency, custom_id="mine") for latency in latencies))
        store(a_record(latency_ms=100_000), a_record(latency_ms=100_000, custom_id="mine", created_at=AT + 5 * HOUR_S))

        found = report(custom_ids=["mine"])

        assert found.median_ms == statistics.median(latencies)
        assert found.p99_ms == pytest.approx(statistics.quantiles(latencies, n=100, method="inclusive")[98])

    def test_percentiles_of_nothing_are_zero(self, database: str) -> None:
        assert (report().median_ms, report().p99_ms) == (0.0, 0.0)

    def test_percentiles_of_very_many_events_come_from_the_histogram(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store(*(a_record(latency_ms=80) for _ in range(20)))
        monkeypatch.setattr(event_queries, "EXACT_PERCENTILES_UP_TO", 10)

        assert 50 < report().median_ms <= 100
        assert report(tags=["team-a"]).median_ms == 80

    def test_a_report_of_too_many_points_is_refused(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_queries, "MAX_POINTS", 5)
        with pytest.raises(TooManyPoints):
            report(increment_s=60)
        store(*(a_record(custom_id=str(number)) for number in range(6)))
        with pytest.raises(TooManyPoints):
            report(["customId"], increment_s=HOUR_S)

    def test_a_custom_id_is_found_by_its_index_on_sqlite_too(self, sqlite: None) -> None:
        assert "usageevent_custom" in find_events(EventFilter(custom_ids=["a"])).explain()
        assert "usageevent_user" in find_events(EventFilter(user_ids=["a"])).explain()
