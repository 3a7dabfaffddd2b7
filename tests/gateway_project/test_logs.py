"""Lines as a process writes them: set up in a process of its own, since logging is the process's."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from gateway_project.logs import REDACTED, redact

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import logging, structlog
from gateway_project.logs import configure_logging
configure_logging(mode={mode!r}, privacy={privacy!r}, role="proxy")
structlog.get_logger("proxy").info("started", workers=2)
logging.getLogger("django.request").error("broken %s", "thing", extra={{"status_code": 500}})
logging.getLogger("kombu").info("noise")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("x").exception("failed")
"""


def lines_of(mode: str = "dev", privacy: str = "strict") -> list[dict[str, Any]]:
    program = PROGRAM.format(mode=mode, privacy=privacy)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_without_a_terminal_every_line_is_one_json_object() -> None:
    started, broken, failed = lines_of()
    assert (started["event"], started["workers"], started["role"], started["level"]) == ("started", 2, "proxy", "info")
    assert (broken["event"], broken["status_code"], broken["logger"]) == ("broken thing", 500, "django.request")
    assert "ZeroDivisionError" in failed["exception"]


def test_verbose_announces_itself() -> None:
    assert "prompt text" in lines_of(privacy="verbose")[0]["event"]


@pytest.mark.parametrize(("mode", "as_json"), [("dev", False), ("production", True)])
def test_a_terminal_gets_readable_lines_unless_production_is_asked_for(mode: str, as_json: bool) -> None:
    ours, theirs = pty.openpty()
    program = PROGRAM.format(mode=mode, privacy="strict")
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=theirs, check=True)
    os.close(theirs)
    first = os.read(ours, 65536).decode().splitlines()[0]
    os.close(ours)
    assert first.startswith("{") is as_json
    assert "started" in first


@pytest.mark.parametrize(
    "event",
    [
        {"authorization": "Bearer canary-value"},
        {"headers": {"X-API-KEY": "canary-value"}},
        {"event": "call with Bearer canary-value failed"},
        {"event": "sk-canary-value-1234 was refused"},
        {"event": "gh-canary-value_1234 was refused"},
        {"url": "redis://:canary-value@localhost:6379"},
        {"items": ["postgres://me:canary-value@db/x"]},
        {"setting": {"apikey": "canary-value"}},
    ],
)
def test_secrets_are_taken_out(event: dict[str, Any]) -> None:
    text = json.dumps(redact(None, "info", event))
    assert "canary-value" not in text
    assert REDACTED in text


def test_the_rest_stays() -> None:
    event = {"event": "request", "path": "/api/providers/openai/v1/models", "status": 200, "key_id": "0a1b"}
    assert redact(None, "info", dict(event)) == event


def test_a_request_is_named_without_its_query() -> None:
    request = RequestFactory().get("/api/events?userId=somebody")
    assert redact(None, "warning", {"request": request}) == {"request": "GET /api/events"}
