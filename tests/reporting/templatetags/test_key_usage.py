"""What the page of a key shows of its usage."""

from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from gateway_project.shared.windows import window_at
from keys.models import Key
from keys.services import create_key
from providers.services import create_setting
from reporting.records import Charge
from reporting.services import Batch, store_batch
from tests.admin_site import operator, page, signed_in
from tests.reporting.builders import AT, TOTAL, a_record, payload_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon(settings: Settings) -> Any:
    settings.DATA_KEYS = (("test", b"d" * 32),)
    settings.KEY_PEPPERS = (("test", b"p" * 32),)
    with time_machine.travel(AT, tick=False) as moved:
        yield moved


def a_key(**limits: Any) -> Key:
    setting = create_setting(provider="openai", setting={"apikey": "sk-x"})
    return create_key(name="key", setting_ids=[setting.pk], **limits)[0]


def use(key: Key, *units: str, epoch: int = 0, cost_nano: int = 1) -> None:
    windows = (Charge(unit, window_at(unit, AT).start_at, epoch) for unit in units)
    record = a_record(key_id=str(key.pk), charges=(TOTAL, *windows), cost_nano=cost_nano)
    assert store_batch(batch=Batch(f"spool-{record.id}", 0, 1), payloads=[payload_of(record)])


def usage(key: Key) -> str:
    return page(operator(), f"/admin/keys/key/{key.pk}/change/").split('id="key-usage"')[1].split("<form")[0]


def test_it_shows_spend_and_requests_against_their_limits() -> None:
    limits = {"cost_limit_nano": 2_000_000_000, "cost_window_limit_nano": 1_000_000_000, "cost_window_unit": "d"}
    key = a_key(request_limit=4, request_window_unit="m", **limits)
    use(key, "m", "d", cost_nano=500_000_000)
    use(key, "m", "d", cost_nano=250_000_000)
    text = usage(key)
    assert text.count("$0.75") == 2
    for shown in ("Spent this day", 'value="75"', "of $1", 'value="38"', "Requests this minute", 'value="50"', "of 4"):
        assert shown in text, shown
    assert "begins anew 2025-11-20 12:01:00 UTC" in text


def test_a_window_of_an_older_epoch_does_not_count() -> None:
    key = a_key(request_limit=4, request_window_unit="m")
    use(key, "m", epoch=3)
    assert 'value="0"' in usage(key)


def test_a_limit_that_is_passed_fills_its_bar() -> None:
    key = a_key(cost_limit_nano=1_000)
    use(key, cost_nano=5_000)
    text = usage(key)
    assert 'value="100"' in text
    assert "gh-full" in text


def test_who_may_not_see_spend_sees_none() -> None:
    key = a_key()
    use(key, cost_nano=7_000_000_000)
    text = page(signed_in("keys.view_key"), f"/admin/keys/key/{key.pk}/change/")
    assert "Spent in total" not in text
    assert "Its events" not in text
