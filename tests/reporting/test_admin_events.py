"""The pages of events: what they show and find, cheaply, and nothing as markup."""

import csv

import pytest
import time_machine

from gateway_project.shared.ids import new_event_id
from keys.services import delete_key
from reporting.models import UsageEvent
from reporting.records import AttemptRecord
from tests.admin_site import operator, page, queries, signed_in
from tests.reporting.builders import AT, a_record
from tests.reporting.event_pages import EVENTS, models, store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("installation", "noon")]


def event_id(at: int) -> str:
    """An id as the proxy makes it at that time."""
    with time_machine.travel(at, tick=False):
        return new_event_id()


def test_it_lists_events_newest_first_with_the_name_of_the_key(key_id: str) -> None:
    store(
        a_record(key_id=key_id, request_model="M1", latency_ms=1234, cost_nano=2_500_000, time_to_first_chunk_ms=80),
        a_record(key_id=key_id, request_model="M2", created_at=AT + 60, status=429, ending="refused"),
    )
    text = page(operator(), EVENTS)
    assert text.index(">M2<") < text.index(">M1<")
    for shown in ("Ms <Key>", "2025-11-20 12:00:00", "1.23 s", "80 ms", "$0.0025", "13 / 5", "refused", "429"):
        assert shown in text


def test_an_event_outlives_its_key(key_id: str) -> None:
    store(a_record(key_id=key_id))
    delete_key(key_id)
    assert f"deleted {key_id[:8]}" in page(operator(), EVENTS)


def test_it_finds_an_event_by_id_whatever_its_age() -> None:
    old = AT - 90 * 86_400
    wanted = event_id(old)
    store(
        a_record(request_model="M1", id=wanted, created_at=old),
        a_record(request_model="M2", custom_id="ticket 7"),
        a_record(request_model="M3", user_id="ticket 7", created_at=old),
    )
    client = operator()
    assert models(page(client, EVENTS, q=wanted)) == ["M1"]
    assert models(page(client, EVENTS, q="ticket 7")) == ["M2", "M3"]
    assert models(page(client, EVENTS, q="ticket")) == []


def test_it_looks_for_an_id_in_its_own_time_only() -> None:
    wanted = event_id(AT)
    store(a_record(id=wanted))
    client = operator()
    with queries() as ran:
        page(client, f"{EVENTS}{wanted}/change/")
    asked = [sql for sql in ran if 'FROM "reporting_usageevent"' in sql]
    assert len(asked) == 1
    assert '"created_at" >=' in asked[0]
    assert '"created_at" <' in asked[0]


def test_it_never_counts_and_never_carries_bodies_in_a_list() -> None:
    store(*(a_record(request_model="M1") for _ in range(3)))
    client = operator()
    with queries() as ran:
        page(client, EVENTS, _facets="True")
    assert not [sql for sql in ran if "COUNT(" in sql]
    assert not [sql for sql in ran if "request_body" in sql]
    assert len(ran) <= 3, "\n".join(ran)


def test_it_shows_all_of_an_event_and_its_bodies_as_text(key_id: str) -> None:
    record = a_record(
        id=event_id(AT),
        key_id=key_id,
        metadata='{"team": "<b>x</b>"}',
        request_body='{"messages":[{"content":"<script>alert(1)</script>"}]}',
        response_body="{broken <img src=x>",
        custom_id="ticket 7",
        reasoning_tokens=2,
        tags=("<i>",),
        setting_id="0d6b6c80-77b8-4c9a-8c33-8a6c0f6f3a11",
    )
    store(record)
    response = operator().get(f"{EVENTS}{record.id}/change/")
    raw = response.content.decode()
    for dangerous in ("<script>alert", "<img src=x>", "<b>x</b>", "<i>"):
        assert dangerous not in raw
    for shown in ("&lt;script&gt;", "{broken &lt;img", "ticket 7", "reasoning 2", "cache read 3", "gpt-4o-2024-08-06"):
        assert shown in raw, shown
    assert "\n  &quot;messages&quot;: [" in raw
    assert f'value="{record.id}"' not in raw


def test_it_shows_what_a_route_tried() -> None:
    tried = (
        AttemptRecord("openai", "s", "<b>m</b>", status=503, duration_ms=12),
        AttemptRecord("azure", "s", "m2", error_code="upstream_timed_out", cost_nano=2_500_000, estimated=True),
        AttemptRecord("vllm", "s", "m3", status=200, price_status="unpriced"),
    )
    record = a_record(id=event_id(AT), attempt_details=tried)
    store(record)
    raw = operator().get(f"{EVENTS}{record.id}/change/").content.decode()
    for shown in (
        "openai &lt;b&gt;m&lt;/b&gt;: 503, 12 ms, $0",
        "azure m2: upstream_timed_out, 0 ms, $0.0025 (estimated)",
        "vllm m3: 200, 0 ms, cost unknown",
    ):
        assert shown in raw, shown


@pytest.mark.parametrize("event", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_an_event_that_is_not_there_is_no_error(event: str) -> None:
    assert operator().get(f"{EVENTS}{event}/change/").status_code == 302


def test_it_exports_the_filtered_events_without_formulas(key_id: str) -> None:
    store(
        a_record(request_model="M1", key_id=key_id, custom_id="=1+1", user_id="-2", request_body="private"),
        a_record(request_model="M2"),
    )
    client = operator()
    response = client.get(f"{EVENTS}export/", {"model": "M1"})
    rows = list(csv.DictReader(response.content.decode("utf-8-sig").splitlines()))
    assert [(row["custom_id"], row["user_id"], row["cost_usd"]) for row in rows] == [("'=1+1", "'-2", "0.000001000")]
    assert "private" not in response.content.decode()
    chosen = str(UsageEvent.objects.get(request_model="M2").pk)
    action = {"action": "export_csv", "_selected_action": [chosen], "index": "0"}
    assert "M2" in client.post(EVENTS, action).content.decode("utf-8-sig")
    assert signed_in().get(f"{EVENTS}export/").status_code == 403
