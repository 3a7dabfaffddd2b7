"""A hundred thousand requests of 500 tenants who ask the same things: nobody gets what was not made for them.

Through the whole pipeline in this process, with a provider in another. What an answer was made for is known from the
one time it came from the provider: its id was new then.
"""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from routes.records import CacheRecord, RouteRecord, RouteStepRecord
from tests.proxy.asgi import Called, called_proxy
from tests.proxy_gateway import PlainDoors, key, openai_setting, price
from tests.upstream import running_upstream

REQUESTS = 100_000
TENANTS = 500
AT_ONCE = 40
PATHS = ("/api/routes/one", "/api/routes/two")
# Different requests that are easily taken for one another. What follows a tenant's or a prompt's text in a key
# without separators could also be another's.
BODIES: tuple[dict[str, Any], ...] = (
    {"messages": [{"role": "user", "content": "ab"}]},
    {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "ab"}]}]},
    {"messages": [{"role": "user", "content": "ab"}], "temperature": 0},
    {"messages": [{"role": "user", "content": "ab"}], "temperature": 0.0},
    {"messages": [{"role": "user", "content": "ab"}], "seed": 9007199254740992},
    {"messages": [{"role": "user", "content": "ab"}], "seed": 9007199254740993},
)
# These ask the same in other ways.
SPELLINGS: tuple[dict[str, Any], ...] = ({}, {"user": "u"}, {"stream": True}, {"metadata": {"a": "b"}})


Asked = tuple[int, str, int]


@dataclass
class Found:
    """made_for: what each answer was made for, by its id. given: who was given which of them later."""

    made_for: dict[str, Asked] = field(default_factory=dict)
    given: list[tuple[Asked, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def note(self, asked: Asked, mark: str, answer_id: str) -> None:
        if mark == "hit":
            self.given.append((asked, answer_id))
        elif mark == "miss" and answer_id not in self.made_for:
            self.made_for[answer_id] = asked
        else:
            self.wrong.append(f"{asked}: a {mark} with {answer_id}")

    def given_wrongly(self) -> list[str]:
        return [
            f"{asked} was given what was made for {self.made_for.get(answer_id)}"
            for asked, answer_id in self.given
            if self.made_for.get(answer_id) != asked
        ]


def secret_of(tenant: int) -> str:
    return f"secret of {tenant}"


def doors_to(url: str) -> PlainDoors:
    doors = PlainDoors(settings={"setting-1": openai_setting(url)}, prices={("openai", "gpt-4o"): price()})
    keys = [key(id=f"00000000-0000-4000-8000-{tenant:012}", cost_limit_nano=10**12) for tenant in range(TENANTS)]
    for tenant, record in enumerate(keys):
        doors.put_key(record, secret_of(tenant))
    named = frozenset(record.id for record in keys)
    for number, path in enumerate(PATHS):
        route = RouteRecord(
            f"route-{number}", path, path.removeprefix("/api/routes"), "chat", (RouteStepRecord("openai", "gpt-4o"),),
            named, cache=CacheRecord(3600, single_flight=bool(number)),
        )  # fmt: skip
        doors.routes[route.path] = route
    return doors


async def ask(called: Called, found: Found, asked: Asked, spelling: dict[str, Any]) -> None:
    tenant, path, body = asked
    content = json.dumps({**spelling, **BODIES[body], "max_tokens": 1}).encode()
    sent = await called.call(path, body=content, secret=secret_of(tenant))
    if sent.status != 200:
        found.wrong.append(f"{sent.status}: {sent.body!r}")
        return
    first = sent.body.removeprefix(b"data: ").split(b"\n\n")[0]
    found.note(asked, sent.headers[b"x-gateway-cache"].decode(), json.loads(first)["id"])


@pytest.mark.end_to_end
async def test_no_answer_crosses_tenants_or_requests() -> None:
    chosen, found = random.Random(4), Found()
    # Each tenant is at work for a while, like real ones; nearly all of what it can ask is asked many times.
    requests = iter(
        [
            ((tenant % TENANTS, chosen.choice(PATHS), chosen.randrange(len(BODIES))), chosen.choice(SPELLINGS))
            for tenant in range(REQUESTS)
        ]
    )
    with running_upstream("--no-record", "--tokens", "1") as upstream:
        async with called_proxy(doors_to(upstream.url)) as called:

            async def work() -> None:
                for asked, spelling in requests:
                    await ask(called, found, asked, spelling)

            await asyncio.gather(*(work() for _ in range(AT_ONCE)))
            asked_upstream = upstream.count()
    different = TENANTS * len(PATHS) * len(BODIES)
    assert found.wrong == []
    assert found.given_wrongly() == []
    assert len(found.made_for) + len(found.given) == REQUESTS
    assert asked_upstream == len(found.made_for)
    assert len(set(found.made_for.values())) == different
    # Hardly anything is asked for twice: only what two ask at the same time, on the route that lets them.
    assert len(found.made_for) <= different * 1.1
