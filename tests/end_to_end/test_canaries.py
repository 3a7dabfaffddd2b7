"""No secret of a provider, a key or the installation comes out anywhere: plant some, use everything, search it all."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from keys.secrets import new_secret
from tests.end_to_end.callers import CHAT_PATH
from tests.end_to_end.canaries import Canaries
from tests.end_to_end.gateways import Whole
from tests.end_to_end.tour import Kept, visit_the_admin_site, visit_the_proxy, visit_the_rest

pytestmark = pytest.mark.end_to_end

# Where the installation keeps its own, by design, and where the first password is kept.
KEPT_SECRET = ("secrets.env", "admin-password")


def test_embedded_no_secret_comes_out(embedded: Whole) -> None:
    search(*use_everything(embedded))
    assert all("Hello" not in line for line in embedded.process.stdout)


def test_on_services_in_production_with_verbose_logs_no_secret_comes_out(on_services: Whole) -> None:
    search(*use_everything(on_services))
    assert any("Hello" in line for line in on_services.process.stdout)


def search(kept: Kept, canaries: Canaries) -> None:
    found = [f"{name} in {place}" for place, content in kept.places for name in canaries.found_in(content)]
    assert not found, "\n".join(found)
    assert len(kept.places) > 200


def use_everything(whole: Whole) -> tuple[Kept, Canaries]:
    """Whatever came out, and what must not be in it."""
    canaries, kept, admin_pass = Canaries(dict(whole.installation_secrets)), Kept(), whole.admin.password
    password = canaries.watch(
        "the superuser's password", (whole.process.var_dir / "admin-password").read_text().strip()
    )
    planted = {
        "upstream": whole.upstream.url,
        "provider": canaries.plant("a provider's secret", "sk-"),
        "replacement": canaries.plant("a provider's new secret"),
        "azure": canaries.plant("a secret of Azure"),
        "bedrock": canaries.plant("a secret of AWS"),
        "key": canaries.plant("a key's secret", "with spaces "),
    }
    generated = canaries.watch("a generated secret", new_secret())
    whole.new_key(generated)
    refused = refused_keys(whole, canaries)
    with worker_asleep(whole):
        visit_the_rest(kept, whole.process.admin_url, admin_pass, planted)
        visit_the_proxy(kept, whole.url, (planted["key"], generated), refused)
        kept.add_files(whole.process.var_dir / "spool", but=())
        assert any(place.endswith(".seg") for place, _ in kept.places)
    whole.books.wait_until_all_is_stored()
    assert len(visit_the_admin_site(kept, whole.process.admin_url, password)) > 15
    # Again, for lists and reports with something in them.
    again = planted | {"key": canaries.plant("one more key's secret")}
    visit_the_rest(kept, whole.process.admin_url, admin_pass, again)
    keep_the_rest(whole, kept)
    return kept, canaries


def keep_the_rest(whole: Whole, kept: Kept) -> None:
    process = whole.process
    kept.add_tables(whole.books.postgres_url, process.var_dir / "gatehouse.sqlite3")
    kept.add_files(process.var_dir, but=KEPT_SECRET)
    if whole.redis:
        kept.add_redis(whole.redis.url)
    for pid in (process.process.pid, *process.children()):
        kept.add("the command line of a process", Path(f"/proc/{pid}/cmdline").read_bytes())
    kept.add("the log", "\n".join(line for line in process.output.splitlines() if "(shown once;" not in line))


def refused_keys(whole: Whole, canaries: Canaries) -> dict[str, str]:
    """Secrets of keys that every chat request is refused for, each for another reason."""
    ways: dict[str, dict[str, Any]] = {
        "path": {"allowedPaths": [{"method": "GET", "path": "/api/providers/openai/v1/models"}]},
        "revoked": {},
        "spent": {"costLimitInUsd": 0.000001},
        "counted": {"rateLimitOverTime": 1, "rateLimitUnit": "d"},
    }
    refused = {}
    for why, members in ways.items():
        refused[why] = canaries.plant(f"the secret of a key refused by {why}")
        key_id = whole.new_key(refused[why], **members)
        if why == "revoked":
            whole.admin.change_key(key_id, revoked=True, revokedReason="lost")
    body, headers = {"model": "gpt-4o-mini", "messages": []}, {"x-api-key": refused["counted"]}
    httpx.post(f"{whole.url}{CHAT_PATH}", json=body, headers=headers, trust_env=False)
    return refused


@contextmanager
def worker_asleep(whole: Whole) -> Iterator[None]:
    """Nobody empties the spools meanwhile."""
    pid = whole.process.child("worker")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
