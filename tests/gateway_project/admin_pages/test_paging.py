"""Lists that nobody counts."""

import pytest
import time_machine

from gateway_project.admin_pages import paging
from tests.admin_site import operator, page
from tests.reporting.builders import AT, a_record
from tests.reporting.event_pages import EVENTS, models, store

pytestmark = pytest.mark.django_db


@time_machine.travel(AT + 600, tick=False)
def test_it_pages_without_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reporting.admin_events.UsageEventAdmin.list_per_page", 2)
    store(*(a_record(request_model=f"M{number}", created_at=AT + number) for number in range(1, 6)))
    client = operator()
    first = page(client, EVENTS)
    assert (models(first), 'rel="next"' in first, 'rel="prev"' in first) == (["M4", "M5"], True, False)
    assert models(page(client, EVENTS, p="2")) == ["M2", "M3"]
    last = page(client, EVENTS, p="3")
    assert (models(last), 'rel="next"' in last, 'rel="prev"' in last) == (["M1"], False, True)
    assert client.get(EVENTS, {"p": str(paging.LAST_PAGE + 1)}).status_code == 302
