"""Tests of the access log: a line per request, and nothing in it that may be secret."""

import io
import json

from proxy.access_log import AccessLog
from proxy.reply import Reply
from tests.proxy.builders import Sent, visit_of


async def test_it_writes_json_lines_when_flushed() -> None:
    stream = io.BytesIO()
    log = AccessLog(stream)
    visit = visit_of(content=b'{"user":"private"}')
    for _ in range(2):
        log.write(visit, Reply(Sent(), []))
    assert stream.getvalue() == b""
    log.flush()
    log.flush()
    first, second = stream.getvalue().splitlines()
    line = json.loads(first)
    assert first == second or json.loads(second)["latency_ms"] >= line["latency_ms"]
    assert line.pop("latency_ms") >= 0
    assert line == {
        "event": "request",
        "at": visit.request.arrived_at,
        "request_id": visit.request.id,
        "key_id": visit.key.id,
        "method": "POST",
        "path": "/api/providers/openai/v1/chat/completions",
        "status": 200,
        "ending": "completed",
    }


async def test_it_writes_plain_lines_for_people() -> None:
    stream = io.BytesIO()
    log = AccessLog(stream, as_json=False)
    visit = visit_of()
    log.write(visit, Reply(Sent(), []))
    log.flush()
    assert stream.getvalue().decode().startswith("POST /api/providers/openai/v1/chat/completions 200 completed ")
    assert stream.getvalue().decode().endswith(f" ms {visit.request.id}\n")


async def test_it_writes_bodies_only_when_the_operator_wants_them() -> None:
    written = []
    for as_json in (True, False):
        stream = io.BytesIO()
        log = AccessLog(stream, as_json=as_json, body_bytes=12)
        log.write(visit_of(content=b'{"user":"private"}'), Reply(Sent(), []))
        without = visit_of()
        without.body = None
        log.write(without, Reply(Sent(), []))
        log.flush()
        written.append(stream.getvalue().decode().splitlines())
    assert json.loads(written[0][0])["body"] == '{"user":"pri'
    assert "body" not in json.loads(written[0][1])
    assert written[1][0].endswith(""" '{"user":"pri'""")


async def test_it_writes_nothing_when_it_is_off() -> None:
    stream = io.BytesIO()
    log = AccessLog(stream, enabled=False)
    log.write(visit_of(), Reply(Sent(), []))
    log.flush()
    assert stream.getvalue() == b""


async def test_a_stream_that_is_gone_stops_the_log_and_nothing_else() -> None:
    stream = io.BytesIO()
    log = AccessLog(stream)
    visit, reply = visit_of(), Reply(Sent(), [])
    log.write(visit, reply)
    stream.close()
    log.flush()
    log.write(visit, reply)
    log.flush()
