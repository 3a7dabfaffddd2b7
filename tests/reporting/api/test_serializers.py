import pytest

from reporting.api.problems import InvalidReportingRequest
from reporting.api.serializers import EventSerializer, event_object, report_request, spend_object
from reporting.models import UsageEvent
from reporting.records import AttemptRecord
from reporting.services import Batch, store_batch
from tests.reporting.builders import AT, a_record, payload_of


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


@pytest.mark.django_db
def test_an_event_says_what_a_route_tried() -> None:
    failed = AttemptRecord("openai", "s1", "gpt-4o", error_code="timed_out", cost_nano=2000, estimated=True)
    answered = AttemptRecord("azure", "s2", "gpt-4o", status=200, duration_ms=9, price_status="priced")
    routed, plain = a_record(route_id="r", attempt_details=(failed, answered)), a_record()
    store_batch(batch=Batch("spool", 0, 1), payloads=[payload_of(routed), payload_of(plain)])

    shown = event_object(UsageEvent.objects.get(pk=routed.id))

    assert shown["routeId"] == "r"
    first, second = shown["attempt_details"]
    assert first == {
        "provider": "openai", "settingId": "s1", "model": "gpt-4o", "status": 0, "error_code": "timed_out",
        "duration_in_ms": 0, "cost_in_usd": 0.000002, "price_status": "free", "estimated": True,
    }  # fmt: skip
    assert (second["provider"], second["status"], second["duration_in_ms"], second["estimated"]) == (
        "azure", 200, 9, False,
    )  # fmt: skip
    assert event_object(UsageEvent.objects.get(pk=plain.id))["attempt_details"] == []
