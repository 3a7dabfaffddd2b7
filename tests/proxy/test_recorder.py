"""Tests of what goes into the books of a request."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.records import TokenUsage
from proxy.config import ProxyConfig
from proxy.flow import Reservation
from proxy.recorder import Recorder
from reporting.records import Charge, UsageEventRecord
from reporting.spool import SpoolWriter, list_spools, read_records
from tests.proxy.builders import incoming, visit_of
from tests.proxy_gateway import PEPPER, key


@pytest.fixture
def spool(tmp_path: Path) -> Any:
    writer = SpoolWriter(tmp_path, "spool-1")
    yield writer
    writer.close()


@pytest.fixture
def recorder(tmp_path: Path, spool: SpoolWriter) -> Recorder:
    return Recorder(ProxyConfig(peppers=(PEPPER,), spool_root=tmp_path, max_logged_body_bytes=10), spool)


def stored(root: Path) -> list[UsageEventRecord]:
    [found] = list_spools(root)
    return [
        msgspec.json.decode(record, type=UsageEventRecord) for record in read_records(found, 0, 100, 1 << 20).records
    ]


async def test_it_stores_what_is_known_of_a_request(recorder: Recorder, tmp_path: Path) -> None:
    visit = visit_of(content=b'{"model":"gpt-4o","stream":true,"user":"me"}')
    visit.request = incoming(headers=[(b"x-custom-event-id", b"mine"), (b"x-metadata", b'{"a":1}')])
    visit.key = key(tags=("a", "b"), policy_id="p1")
    visit.reservation = Reservation("id", "key:1", (), (Charge("total", 0, 0),))
    meter = visit.meter
    meter.usage = TokenUsage(input_tokens=1, cache_read_tokens=2, output_tokens=3, reasoning_tokens=1, seconds=0.5)
    meter.usage_source, meter.response_model, meter.upstream_request_id = "upstream", "gpt-4o-2024", "req_1"
    meter.upstream_started, meter.upstream_ended, meter.first_chunk = 1.0, 1.25, 0.5
    event = recorder.record(visit, cost_nano=42, price_status="priced")
    assert stored(tmp_path) == [event]
    assert event.id == visit.request.id
    assert (event.operation, event.provider, event.setting_id, event.method) == ("chat", "openai", "setting-1", "POST")
    assert (event.request_model, event.response_model, event.stream, event.user_id) == (
        "gpt-4o", "gpt-4o-2024", True, "me",
    )  # fmt: skip
    assert (event.input_tokens, event.cache_read_tokens, event.output_tokens, event.seconds) == (1, 2, 3, 0.5)
    assert (event.cost_nano, event.price_status, event.usage_source) == (42, "priced", "upstream")
    assert (event.upstream_latency_ms, event.time_to_first_chunk_ms, event.attempts) == (250, 500, 1)
    assert (event.custom_id, event.metadata, event.policy_id, event.tags) == ("mine", '{"a":1}', "p1", ("a", "b"))
    assert (event.requests, event.charges, event.upstream_request_id) == (1, (Charge("total", 0, 0),), "req_1")
    assert (event.request_body, event.response_body) == (None, None)


async def test_a_refused_request_was_not_admitted(recorder: Recorder) -> None:
    visit = visit_of(call=None, body=None, plan=None)
    visit.meter.status, visit.meter.ending = 401, "refused"
    event = recorder.record(visit, cost_nano=0, price_status="free")
    assert (event.requests, event.charges, event.operation, event.request_model) == (0, (), "", "")
    assert (event.status, event.ending, event.time_to_first_chunk_ms, event.upstream_latency_ms) == (
        401, "refused", None, None,
    )  # fmt: skip


async def test_bodies_are_stored_when_the_key_says_so_and_only_their_beginning(recorder: Recorder) -> None:
    visit = visit_of(content=b'{"a":"0123456789"}', key=key(should_log_request=True, should_log_response=True))
    visit.meter.response_body = bytearray(b"\x00\xff ok")
    event = recorder.record(visit, cost_nano=0, price_status="free")
    assert event.request_body == '{"a":"0123'
    assert event.response_body == "\ufffd\ufffd ok"


async def test_no_text_is_longer_than_its_column(recorder: Recorder) -> None:
    visit = visit_of(content=b'{"model":"%b","user":"%b"}' % (b"m" * 2000, b"u" * 5000))
    long = b"x" * 9000
    visit.request = incoming("/" + "p" * 5000, headers=[(b"x-custom-event-id", long), (b"x-metadata", long)])
    visit.meter.response_model = visit.meter.error_code = visit.meter.upstream_request_id = "z" * 5000
    event = recorder.record(visit, cost_nano=0, price_status="free")
    short = (event.request_model, event.response_model, event.user_id, event.custom_id, event.error_code)
    assert {len(text) for text in short} == {255}
    assert (len(event.path), len(event.metadata or ""), len(event.upstream_request_id)) == (2048, 4096, 255)


async def test_a_spool_that_takes_nothing_leaves_no_room(recorder: Recorder, spool: SpoolWriter) -> None:
    assert recorder.has_room
    spool.close()
    with pytest.raises((OSError, ValueError)):
        recorder.record(visit_of(), cost_nano=0, price_status="free")


def test_a_disk_that_is_almost_full_has_no_room(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder.probe()
    assert recorder.has_room
    monkeypatch.setattr("proxy.recorder.ROOM_BYTES", 1 << 60)
    recorder.probe()
    assert not recorder.has_room
