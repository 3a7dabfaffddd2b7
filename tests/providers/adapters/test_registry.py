"""A provider is added by a row of the catalogue and by nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from providers.adapters.registry import ADAPTERS, adapters_of
from providers.catalog import CATALOG, compatible, provider_choices
from providers.services import create_setting
from providers.snapshot import load_settings
from tests.proxy_gateway import PlainDoors, RunningProxy, price, proxy_in_thread
from tests.upstream import Upstream, upstream_in_thread

ROWS = [name for name, kind in CATALOG.items() if kind.dialect is not None]
NEW = "acme"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with upstream_in_thread() as upstream:
        upstream.options(require_key="sk-acme")
        yield upstream


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, upstream: Upstream, db: None) -> Iterator[RunningProxy]:
    """A gateway whose catalogue has one row more."""
    assert isinstance(CATALOG, dict)
    monkeypatch.setitem(CATALOG, NEW, compatible(NEW, "Acme AI", f"{upstream.url}/inference/v1"))
    monkeypatch.setattr("proxy.application.ADAPTERS", adapters_of(CATALOG))
    create_setting(provider=NEW, setting={"apikey": "sk-acme"})
    assert (NEW, "Acme AI") in provider_choices()
    prices = {(NEW, "acme-1"): price(provider=NEW, model="acme-1")}
    with proxy_in_thread(PlainDoors(settings=load_settings(), prices=prices)) as gateway:
        yield gateway


def test_a_row_makes_a_provider(gateway: RunningProxy, upstream: Upstream) -> None:
    caller = gateway.caller(setting_ids=tuple(gateway.doors.settings), cost_limit_nano=10**9)
    with OpenAI(api_key=caller.secret, base_url=f"{gateway.url}/api/providers/{NEW}/v1", max_retries=0) as client:
        asked: Any = {"model": "acme-1", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
        plain = client.chat.completions.create(**asked)
        assert upstream.last().target == "/inference/v1/chat/completions"
        chunks = list(client.chat.completions.create(**asked, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == plain.choices[0].message.content
    assert [(event.provider, event.price_status, event.cost_nano) for event in caller.events()] == [
        (NEW, "priced", 40),
        (NEW, "priced", 40),
    ]


def test_every_row_is_served_at_its_own_path() -> None:
    served = [(adapter.provider, adapter.path_prefix) for adapter in ADAPTERS]
    assert [(name, f"/api/providers/{name}/v1") for name in ROWS] == [each for each in served if each[0] in ROWS]
    assert {provider for provider, _ in served} == set(CATALOG)
    asked_for = {"mistral", "groq", "together", "openrouter", "xai", "blackbox", "cohere", "perplexity", "gemini"}
    assert asked_for | {"deepinfra", "ollama"} <= set(ROWS)


def test_no_prefix_hides_another() -> None:
    prefixes = [adapter.path_prefix + "/" for adapter in ADAPTERS]
    hidden = [(one, other) for at, one in enumerate(prefixes) for other in prefixes[at + 1 :] if other.startswith(one)]
    assert hidden == []
