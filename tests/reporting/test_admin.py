"""The pages of events, sums and machinery: what they show, find and filter, cheaply, and that they change nothing."""

from typing import Any

import pytest

from reporting.models import DailyUsage, HourlyUsage, KeySpend, RejectedRecord, SpoolCursor, UsageEvent
from reporting.records import Charge
from reporting.services import Batch, roll_up_days, store_batch
from tests.admin_site import operator, page, signed_in
from tests.reporting.builders import AT, a_record
from tests.reporting.event_pages import EVENTS, store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("installation", "noon")]
TABLES = ("keyspend", "hourlyusage", "dailyusage", "spoolcursor", "rejectedrecord")
LISTS = [f"/admin/reporting/{table}/" for table in TABLES]


def everything(key_id: str) -> dict[str, Any]:
    """A row of each table, by the path of its list."""
    store(a_record(key_id=key_id, request_model="M1", charges=(Charge("total", 0, 0), Charge("m", AT - AT % 60, 2))))
    store_batch(batch=Batch("bad", 0, 1, "host-7"), payloads=[b"<script>not json"])
    roll_up_days()
    tables = (KeySpend, HourlyUsage, DailyUsage, SpoolCursor, RejectedRecord, UsageEvent)
    return dict(zip((*LISTS, EVENTS), (table.objects.first() for table in tables), strict=True))


def test_every_list_shows_its_rows_and_finds_them(key_id: str) -> None:
    everything(key_id)
    client = operator()
    for path, term, shown in (
        (LISTS[0], key_id, "Ms <Key>"),
        (LISTS[1], "M1", "Ms <Key>"),
        (LISTS[1], key_id, ">M1<"),
        (LISTS[2], "M1", "2025-11-20 00:00:00"),
        (LISTS[3], "host-7", "bad"),
        (LISTS[4], "bad", "2025-11-20"),
    ):
        assert shown in page(client, path, q=term), path
        assert shown not in page(client, path, q="nothing like it").split("result-list-wrapper")[-1], path
    assert ">M1<" in page(client, LISTS[1], key=key_id, model="M1", provider="openai", when="24h")
    assert "minute" in page(client, LISTS[0], unit="m")


def test_every_row_has_a_page_that_changes_nothing(key_id: str) -> None:
    rows = everything(key_id)
    client = operator()
    for path, row in rows.items():
        raw = client.get(f"{path}{row.pk}/change/").content.decode()
        assert "<script>not json" not in raw
        assert 'name="_save"' not in raw
        assert client.post(f"{path}{row.pk}/change/", {}).status_code == 403, path
        assert client.post(f"{path}{row.pk}/delete/", {"post": "yes"}).status_code == 403, path
        assert client.get(f"{path}add/").status_code == 403, path
    assert "up to 200 ms: 1" in page(client, f"{LISTS[1]}{rows[LISTS[1]].pk}/change/")
    nobody = signed_in()
    for path, row in rows.items():
        assert nobody.get(path).status_code == 403
        assert nobody.get(f"{path}{row.pk}/change/").status_code == 403


def test_who_may_look_at_events_may_look_at_nothing_else(key_id: str) -> None:
    rows = everything(key_id)
    client = signed_in("reporting.view_usageevent")
    assert "M1" in page(client, EVENTS)
    assert "M1" in page(client, f"{EVENTS}{rows[EVENTS].pk}/change/")
    assert [path for path in LISTS if client.get(path).status_code != 403] == []
