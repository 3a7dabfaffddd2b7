"""What the list of events can be narrowed by."""

import pytest

from tests.admin_site import operator, page
from tests.reporting.builders import AT, a_record
from tests.reporting.event_pages import EVENTS, models, store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("installation", "noon")]


def test_it_begins_with_the_last_day_and_goes_further_when_asked() -> None:
    store(
        a_record(request_model="M1"),
        a_record(request_model="M2", created_at=AT - 3 * 86_400),
        a_record(request_model="M3", created_at=AT - 50 * 86_400),
    )
    client = operator()
    assert models(page(client, EVENTS)) == ["M1"]
    assert models(page(client, EVENTS, when="7d")) == ["M1", "M2"]
    assert models(page(client, EVENTS, when="any")) == ["M1", "M2", "M3"]
    between = {"from": "2025-11-17T00:00", "to": "2025-11-18T00:00"}
    assert models(page(client, EVENTS, **between)) == ["M2"]
    assert client.get(EVENTS, {"from": "never"}).status_code == 302


def test_it_filters_events(key_id: str) -> None:
    store(
        a_record(request_model="M1", key_id=key_id),
        a_record(request_model="M2", status=502, ending="upstream_failed", provider="vllm"),
        a_record(request_model="M3", status=429, ending="refused"),
        a_record(request_model="M4", status=404, price_status="unpriced"),
    )
    client = operator()
    for query, shown in (
        ({"status": "2xx"}, ["M1"]),
        ({"status": "5xx"}, ["M2"]),
        ({"status": "error"}, ["M2", "M4"]),
        ({"ending": "refused"}, ["M3"]),
        ({"provider": "vllm"}, ["M2"]),
        ({"model": "M4"}, ["M4"]),
        ({"price": "unpriced"}, ["M4"]),
        ({"key": key_id}, ["M1"]),
        ({"key": "ms <k"}, ["M1"]),
        ({"key": "nobody"}, []),
    ):
        assert models(page(client, EVENTS, **query)) == shown, query
