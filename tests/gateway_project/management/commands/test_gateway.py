"""The command as an operator meets it: one real start serves several tests, each refusal is a start of its own."""

import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway_process import GatewayProcess, is_alive

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path_factory.mktemp("var"), "--demo") as running:
        yield running


def wait_for(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def refused(gateway: GatewayProcess) -> str:
    """The one line a start is refused with."""
    gateway.start()
    assert gateway.wait_until_ended(30) == 1, gateway.output
    lines = [line for line in gateway.stderr if line]
    assert len(lines) == 1, gateway.output
    assert gateway.stdout == []
    return lines[0]


def test_it_serves_both_listeners(gateway: GatewayProcess) -> None:
    assert httpx.get(f"{gateway.admin_url}/api/health").status_code == 200
    assert httpx.get(f"{gateway.admin_url}/ready").status_code == 200
    assert httpx.get(f"{gateway.proxy_url}/ready").json()["ready"] is True


def test_it_runs_one_process_per_role(gateway: GatewayProcess) -> None:
    assert sorted(gateway.children().values()) == ["admin", "demo", "proxy", "worker"]


def test_it_prints_the_password_it_made_once_and_keeps_it(gateway: GatewayProcess) -> None:
    kept = gateway.var_dir / "admin-password"
    password = kept.read_text().strip()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert gateway.output.count(password) == 1
    with httpx.Client(base_url=gateway.admin_url, follow_redirects=True) as client:
        token = client.get("/admin/login/").cookies["csrftoken"]
        form = {"username": "admin", "password": password, "csrfmiddlewaretoken": token, "next": "/admin/"}
        answer = client.post("/admin/login/", data=form)
        assert answer.status_code == 200, gateway.output
        assert client.cookies.get("sessionid")


def test_it_keeps_its_secrets_to_itself(gateway: GatewayProcess) -> None:
    assert (gateway.var_dir / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert gateway.var_dir.stat().st_mode & 0o077 == 0


def test_it_serves_the_admin_sites_own_files(gateway: GatewayProcess) -> None:
    page = httpx.get(f"{gateway.admin_url}/admin/login/").text
    style = next(part for part in page.split('"') if part.startswith("/static/") and part.endswith(".css"))
    assert httpx.get(f"{gateway.admin_url}{style}").headers["content-type"].startswith("text/css")


def test_it_logs_json_when_nobody_watches(gateway: GatewayProcess) -> None:
    httpx.get(f"{gateway.proxy_url}/api/providers/openai/v1/models", headers={"authorization": "Bearer demo-key"})
    wait_for(lambda: any('"request"' in line for line in gateway.stdout))
    assert all(json.loads(line)["event"] for line in gateway.stdout)


def test_the_demo_streams_an_answer_and_books_it(gateway: GatewayProcess) -> None:
    body = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    answer = httpx.post(
        f"{gateway.proxy_url}/api/providers/openai/v1/chat/completions",
        json=body,
        headers={"authorization": "Bearer demo-key"},
        timeout=30,
    )
    assert answer.text.rstrip().endswith("data: [DONE]")
    with sqlite3.connect(f"file:{gateway.var_dir}/gatehouse.sqlite3?mode=ro", uri=True) as books:
        query = "SELECT count(*) FROM reporting_usageevent WHERE ending = 'completed' AND output_tokens > 0"
        wait_for(lambda: books.execute(query).fetchone()[0] >= 1)
    books.close()


def test_it_ignores_a_root_path_chosen_by_the_client(gateway: GatewayProcess) -> None:
    answer = httpx.get(f"{gateway.admin_url}/api/nothing", headers={"Daphne-Root-Path": "/api"})
    assert answer.status_code == 404
    assert answer.json()["instance"] == "/api/nothing"


def test_it_replaces_a_process_that_was_killed(gateway: GatewayProcess) -> None:
    killed = gateway.child("proxy")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: any(name == "proxy" and pid != killed for pid, name in gateway.children().items()))

    def answers() -> bool:
        try:
            return httpx.get(f"{gateway.proxy_url}/ready").status_code == 200
        except httpx.TransportError:
            return False

    wait_for(answers)
    assert any("it is restarted" in line for line in gateway.stdout)


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path)
    with socket.create_server(("127.0.0.1", gateway.proxy_port)):
        line = refused(gateway)
    assert f"Port {gateway.proxy_port} on 127.0.0.1 is taken" in line
    assert "PROXY_PORT" in line


def test_a_broken_database_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "gatehouse.sqlite3").write_bytes(b"this is no database" * 100)
    assert "file is not a database" in refused(GatewayProcess(tmp_path))


def test_a_setting_that_makes_no_sense_is_one_clear_line(tmp_path: Path) -> None:
    assert "PROXY_TIMEOUT" in refused(GatewayProcess(tmp_path, PROXY_TIMEOUT="soon"))


def test_two_workers_without_redis_are_refused(tmp_path: Path) -> None:
    line = refused(GatewayProcess(tmp_path, "--workers", "2"))
    assert "need Redis" in line
    assert "REDIS_URL" in line


def test_ctrl_c_stops_it_cleanly_and_leaves_nobody_behind(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, GATEWAY_SERVER="uvicorn") as gateway:
        children = list(gateway.children())
        assert len(children) == 3
        # A terminal sends it to the whole group; relayed once more by make.
        os.killpg(gateway.process.pid, signal.SIGINT)
        os.killpg(gateway.process.pid, signal.SIGINT)
        assert gateway.wait_until_ended() == 0
        assert not any(is_alive(pid) for pid in children)
    assert "Traceback" not in gateway.output


def test_the_children_leave_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, "--role", "proxy") as gateway:
        children = list(gateway.children())
        gateway.signal(signal.SIGKILL)
        wait_for(lambda: not any(is_alive(pid) for pid in children))


def test_it_runs_on_postgresql_and_redis_with_two_proxies(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    secrets = {
        "GATEWAY_KEY_PEPPERS": "p1:" + "QUFB" * 10 + "QUE=",
        "GATEWAY_DATA_KEYS": "d1:" + "QkJC" * 10 + "QkI=",
        "DJANGO_SECRET_KEY": "only-for-this-test",
    }
    services = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url}
    with GatewayProcess(tmp_path, "--workers", "2", **services, **secrets) as gateway:
        assert sorted(gateway.children().values()) == ["admin", "proxy", "proxy", "worker"]
        assert httpx.get(f"{gateway.proxy_url}/ready").json()["ready"] is True
    assert not (tmp_path / "secrets.env").exists()


def test_a_database_that_does_not_answer_is_waited_for(tmp_path: Path) -> None:
    url = "postgres://nobody:secret-word@127.0.0.1:1/nothing"
    made_up = {"GATEWAY_KEY_PEPPERS": "p:" + "QUFB" * 10 + "QUE=", "GATEWAY_DATA_KEYS": "d:" + "QUFB" * 10 + "QUE="}
    gateway = GatewayProcess(tmp_path, DATABASE_URL=url, SERVICES_WAIT="1500ms", DJANGO_SECRET_KEY="x", **made_up)
    gateway.start()
    assert gateway.wait_until_ended(30) == 1
    waiting, refusal = [line for line in gateway.stderr if line]
    assert waiting.startswith("Waiting up to 1.5 s for PostgreSQL")
    assert "127.0.0.1:1" in refusal
    assert "DATABASE_URL" in refusal
    assert "secret-word" not in gateway.output
