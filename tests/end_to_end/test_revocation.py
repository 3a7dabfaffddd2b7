"""Changes reach every proxy process within a second, with two writers on PostgreSQL at once."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.end_to_end.admin_rest import AdminRest
from tests.end_to_end.callers import call, call_at_once, client_for
from tests.end_to_end.gateways import Whole
from tests.upstream import Upstream, running_upstream

pytestmark = pytest.mark.end_to_end

KEYS = 50
WRITERS = 2
WITHIN_S = 1.0
# Each on a connection of its own, which the kernel gives to either process: over 50 keys both are asked for certain.
ASKED = 4


@dataclass(frozen=True)
class Change:
    """A change that the admin REST has confirmed, and the status its key must have a second later."""

    secret: str
    status: int
    at: float


@dataclass(frozen=True)
class Crowd:
    """The keys of this module, by secret."""

    whole: Whole
    ids: dict[str, str]

    def change(self, change: Callable[[AdminRest, str], None], status: int) -> list[str]:
        """Both writers at once, each with half of the keys. What was wrong a second after a change."""
        changes: list[Change] = []

        def write(mine: Sequence[str]) -> None:
            admin = AdminRest(self.whole.process.admin_url, self.whole.admin.password)
            for secret in mine:
                change(admin, self.ids[secret])
                changes.append(Change(secret, status, time.monotonic()))
            admin.close()

        with ThreadPoolExecutor(WRITERS) as writers:
            writing = [writers.submit(write, list(self.ids)[number::WRITERS]) for number in range(WRITERS)]
            wrong = asyncio.run(self._check(changes))
            for each in writing:
                each.result()
        return wrong

    async def _check(self, changes: list[Change]) -> list[str]:
        wrong: list[str] = []
        async with client_for(self.whole.url, keep_alive=False) as client:
            for number in range(len(self.ids)):
                while number >= len(changes) or time.monotonic() < changes[number].at + WITHIN_S:
                    await asyncio.sleep(0.01)
                expected = changes[number]
                calls = (call(client, expected.secret, fault="tokens=1") for _ in range(ASKED))
                told = [answer.status for answer in await asyncio.gather(*calls)]
                wrong += [f"{status}, not {expected.status}" for status in told if status != expected.status]
        return wrong


@pytest.fixture(scope="module")
def crowd(on_services: Whole) -> Crowd:
    names = [f"crowd {number} {secrets.token_hex(4)}" for number in range(KEYS)]
    return Crowd(on_services, {name: on_services.new_key(name) for name in names})


def test_changed_keys_are_obeyed_by_every_process_within_a_second(crowd: Crowd) -> None:
    assert crowd.change(lambda admin, key_id: None, 200) == []
    assert crowd.change(lambda admin, key_id: admin.change_key(key_id, revoked=True), 401) == []
    assert crowd.change(lambda admin, key_id: admin.change_key(key_id, revoked=False), 200) == []
    assert crowd.change(lambda admin, key_id: admin.delete(f"/api/key-management/keys/{key_id}"), 401) == []


def test_a_changed_secret_of_a_setting_is_used_by_every_process_within_a_second(on_services: Whole) -> None:
    with running_upstream() as upstream:
        setting_id = on_services.admin.new_setting(upstream.url, apikey="sk-first")
        secret = f"rotated {secrets.token_hex(4)}"
        on_services.admin.new_key(secret, setting_id)
        assert asyncio.run(sent_keys(on_services, upstream, secret)) == {"Bearer sk-first"}
        on_services.admin.patch(f"/api/provider-settings/{setting_id}", {"setting": {"apikey": "sk-second"}})
        time.sleep(WITHIN_S)
        assert asyncio.run(sent_keys(on_services, upstream, secret)) == {"Bearer sk-second"}


async def sent_keys(whole: Whole, upstream: Upstream, secret: str) -> set[str | None]:
    """What the upstream was sent as credentials, by whichever processes answered 12 connections."""
    upstream.reset()
    async with client_for(whole.url, keep_alive=False) as client:
        seen = await asyncio.gather(*(call(client, secret, fault="tokens=1") for _ in range(12)))
    assert {one.status for one in seen} == {200}
    return {request.header("authorization") for request in upstream.requests()}


def test_a_key_works_at_once_though_its_setting_is_as_new_as_itself(on_services: Whole) -> None:
    setting_id = on_services.admin.new_setting(on_services.upstream.url)
    secret = f"brand new {secrets.token_hex(4)}"
    on_services.admin.new_key(secret, setting_id)
    assert {one.status for one in asyncio.run(call_at_once(on_services.url, 8, secret))} == {200}
