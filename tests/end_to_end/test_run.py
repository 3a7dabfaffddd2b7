"""Who may use the admin REST of a running gateway, what does not start, and how it stops while a stream runs."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.callers import CHAT_PATH
from tests.end_to_end.gateways import Whole, whole_gateway
from tests.gateway_process import GatewayProcess, is_alive
from tests.upstream import Upstream

pytestmark = pytest.mark.end_to_end

FORWARDED = ({"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}, {"X-Real-IP": "203.0.113.9"})
FOREIGN = ({"Host": "gateway.example"}, {"Origin": "https://page.example"})


def status(whole: Whole, path: str = "/api/key-management/keys", **headers: str) -> int:
    return httpx.get(f"{whole.process.admin_url}{path}", headers=headers, trust_env=False).status_code


def test_without_a_password_only_this_machine_is_answered(embedded: Whole) -> None:
    assert status(embedded) == 200
    assert status(embedded, Host="unknown.example") == 400
    for headers in (*FORWARDED, *FOREIGN):
        assert status(embedded, **headers) == 403, headers
    assert status(embedded, "/api/health", **FORWARDED[0]) == 200


def test_with_a_password_only_who_sends_it_is_answered(on_services: Whole) -> None:
    password = on_services.admin.password
    assert status(on_services) == 401
    assert status(on_services, **{"X-API-KEY": "another"}) == 401
    assert status(on_services, **{"X-API-KEY": password}, **FORWARDED[0]) == 200
    assert status(on_services, "/api/health") == 200


def test_ctrl_c_lets_a_stream_finish(tmp_path: Path, paced_upstream: Upstream) -> None:
    with whole_gateway(tmp_path, paced_upstream) as whole:
        key_id = whole.new_key("stopped")
        children = list(whole.process.children())
        body = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"authorization": "Bearer stopped", "x-fake-fault": "tokens=30,slow=50"}
        received = b""
        with httpx.stream("POST", f"{whole.url}{CHAT_PATH}", json=body, headers=headers, trust_env=False) as answer:
            for part in answer.iter_raw():
                if not received:
                    # From a terminal it goes to the whole group, and make relays it once more.
                    os.killpg(whole.process.process.pid, signal.SIGINT)
                    os.killpg(whole.process.process.pid, signal.SIGINT)
                received += part
        assert received.count(b'"content":"') >= 30, received + whole.process.output.encode()
        assert received.endswith(b"data: [DONE]\n\n")
        assert whole.process.wait_until_ended() == 0
    assert not any(is_alive(pid) for pid in children)
    (event,) = whole.books.events(key_id)
    assert (event.id, event.ending) == (answer.headers["x-request-id"], "completed")
    assert [line for line in whole.process.output.splitlines() if "Traceback" in line] == []


def test_in_production_it_does_not_start_without_a_password(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path, GATEWAY_ENV="production")
    gateway.start()
    assert gateway.wait_until_ended(30) == 1
    (line,) = [line for line in gateway.stderr if line]
    assert "Set ADMIN_PASS." in line
    assert gateway.stdout == []
