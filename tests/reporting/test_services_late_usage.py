"""What two processes book of the same batch is in the books once."""

from uuid import uuid4

from gateway_project.shared.ids import event_id_of
from reporting.models import KeySpend, UsageEvent
from reporting.services import Batch, store_batch
from tests.reporting.builders import AT, a_record, payload_of


def test_the_same_work_seen_by_two_keys_is_charged_to_the_first(database: str) -> None:
    first, second = str(uuid4()), str(uuid4())
    work = {"id": event_id_of(AT, "http://upstream/v1 batch_1"), "operation": "late_usage", "requests": 0}
    for spool, key_id in (("one", first), ("two", second), ("two again", second)):
        payload = payload_of(a_record(**work, key_id=key_id, cost_nano=700))
        assert store_batch(batch=Batch(spool, 0, 10, "here"), payloads=[payload])
    assert UsageEvent.objects.count() == 1
    spent = KeySpend.objects.filter(unit="total").values_list("key_id", "requests", "cost_nano")
    assert [(str(key_id), requests, cost) for key_id, requests, cost in spent] == [(first, 0, 700)]
