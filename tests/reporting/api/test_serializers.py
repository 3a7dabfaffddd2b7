import pytest

from reporting.api.problems import InvalidReportingRequest
from reporting.api.serializers import EventSerializer, event_object, report_request, spend_object
from reporting.models import UsageEvent
from tests.reporting.builders import AT


def test_the_documented_members_are_those_that_are_sent() -> None:
    sent = event_object(UsageEvent(created_at=AT, status=200))

    assert list(EventSerializer().fields) == list(sent)
    assert list(EventSerializer().fields["usage"].fields) == list(sent["usage"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("cost_nano", "micro"), [(0, 0), (1_000, 1), (1_500, 1.5), (2**62, 2**62 / 1000), (10**15, 10**12)]
)
def test_micro_dollars_are_whole_where_they_can_be(cost_nano: int, micro: float) -> None:
    shown = spend_object("key", cost_nano)["costInMicroDollars"]

    assert (shown, type(shown)) == (micro, type(micro))


def test_a_dimension_named_twice_counts_once() -> None:
    body = {"start": 1, "end": 2, "increment": 1, "filters": ["model", "keyId", "model"]}

    assert report_request(body)[2] == ["model", "keyId"]


def test_all_wrong_members_are_named_at_once() -> None:
    with pytest.raises(InvalidReportingRequest) as error:
        report_request({"start": "x", "filters": ["y"]})

    assert set(error.value.fields) == {"start", "end", "increment", "filters"}
