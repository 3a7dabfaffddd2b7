"""The first page: what it shows, to whom, and with how many queries."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from pytest_django import Settings

from keys.services import create_key
from providers.models import ModelPrice
from providers.services import create_setting
from reporting.dashboard import waiting_lines
from reporting.services import Batch, store_batch
from reporting.spool import SpoolWriter
from reporting.waiting import Waiting
from tests.admin_site import operator, page, queries, signed_in
from tests.reporting.builders import AT, a_record, payload_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def installation(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_KEYS = (("test", b"d" * 32),)
    settings.KEY_PEPPERS = (("test", b"p" * 32),)
    settings.SPOOL_DIR = tmp_path / "spool"


@pytest.fixture
def key_id() -> str:
    setting = create_setting(provider="openai", setting={"apikey": "sk-x"})
    return str(create_key(name="Ms <Key>", setting_ids=[setting.pk])[0].pk)


def store(*records: Any) -> None:
    assert store_batch(batch=Batch("one", 0, 1), payloads=[payload_of(record) for record in records])


def dashboard(**query: str) -> str:
    with time_machine.travel(AT + 600, tick=False):
        return page(operator(), "/admin/", **query)


def test_an_empty_installation_says_how_to_send_the_first_request() -> None:
    text = dashboard()
    assert "No request yet" in text
    assert "curl http://localhost:8002/api/providers/openai/v1/chat/completions" in text
    assert "/admin/keys/key/" in text
    assert "Top keys" not in text


def test_a_quiet_range_is_not_an_empty_installation() -> None:
    store(a_record(created_at=AT - 5 * 86_400))
    assert "No request in the last 24 hours" in dashboard()
    assert "Top keys" in dashboard(range="7d")


@pytest.mark.parametrize("picked", ["1h", "24h", "7d", "30d", "nonsense"])
def test_it_shows_what_happened_in_the_range(key_id: str, picked: str) -> None:
    store(
        a_record(key_id=key_id, cost_nano=1_500_000_000, latency_ms=400),
        a_record(key_id=key_id, status=502, ending="upstream_failed", cost_nano=0, requests=1),
        a_record(key_id=key_id, status=429, ending="refused", cost_nano=0, requests=0, charges=()),
        a_record(key_id=str(uuid4()), request_model="o3", cost_nano=0),
    )
    text = dashboard(range=picked)
    for shown in ("Ms <Key>", "$1.50", "gpt-4o", "o3", "1 refused", "1 of 3", "33%", "deleted "):
        assert shown in text, shown
    assert 'class="chart"' in text


def test_a_name_is_escaped(key_id: str) -> None:
    store(a_record(key_id=key_id, request_model="<script>alert(1)</script>"))
    with time_machine.travel(AT + 600, tick=False):
        raw = operator().get("/admin/").content.decode()
    assert "<script>alert" not in raw
    assert "Ms &lt;Key&gt;" in raw


def test_it_asks_for_prices_that_are_missing(key_id: str) -> None:
    ModelPrice.objects.create(provider="openai", model="gpt-4o", input_pico=0)
    store(
        a_record(key_id=key_id, request_model="ours & theirs", cost_nano=0, price_status="unpriced"),
        a_record(key_id=key_id, request_model="gpt-4o", cost_nano=0),
    )
    text = dashboard()
    assert "1 model without a price" in text
    assert "/admin/providers/modelprice/add/?provider=openai&model=ours+%26+theirs" in text
    assert "unpriced" in text.split("Top models")[1]


def test_it_says_what_waits_and_what_was_rejected(settings: Settings) -> None:
    assert "The books are complete" in dashboard()
    writer = SpoolWriter(Path(settings.SPOOL_DIR), "one")
    writer.append(payload_of(a_record()))
    store_batch(batch=Batch("bad", 0, 1), payloads=[b"no json"])
    text = dashboard()
    writer.close()
    assert "the oldest for 10 minutes" in text
    assert "Is the worker running?" in text
    assert "1 record could not be booked" in text


def test_a_short_wait_is_nothing_to_worry_about() -> None:
    assert waiting_lines(Waiting(1, 1200, 2)) == {
        "late": False,
        "text": "1.2 KB of events wait to be booked, the oldest for 2 seconds.",
    }


@pytest.mark.parametrize(("picked", "most"), [("1h", 12), ("24h", 10), ("7d", 10), ("30d", 12)])
def test_it_needs_the_same_few_queries_for_any_traffic(key_id: str, picked: str, most: int) -> None:
    store(*(a_record(key_id=str(uuid4()), request_model=f"model {number}", cost_nano=0) for number in range(30)))
    client = operator()
    with time_machine.travel(AT + 600, tick=False), queries() as ran:
        page(client, "/admin/", range=picked)
    assert len(ran) <= most, "\n".join(ran)


def test_who_may_not_see_usage_sees_no_dashboard(key_id: str) -> None:
    store(a_record(key_id=key_id))
    text = page(signed_in("keys.view_key"), "/admin/")
    assert "Top keys" not in text
    assert "/admin/keys/key/" in text
    assert "/admin/reporting/usageevent/" not in text
