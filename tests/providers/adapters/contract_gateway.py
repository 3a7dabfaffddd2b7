"""A proxy before an upstream that plays recorded answers, and how the table's requests are made."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx

from providers.adapters.base import Adapter
from providers.adapters.custom import CustomAdapter
from providers.adapters.registry import ADAPTERS
from providers.catalog import CATALOG
from providers.records import PriceRecord, ProviderRecord, TokenUsage
from reporting.records import UsageEventRecord
from tests.provider_settings import secret_of, setting_at
from tests.providers.adapters.contract_cases import CASES, CUSTOM, Case
from tests.providers.adapters.playback import Playback
from tests.proxy_gateway import UNENCRYPTED, Caller, PlainDoors, RunningProxy, price, proxy_in_thread

# What an event has of usage; what it lacks decides only about the price, and the adapters' own tests look at it.
_USED = [name for name in TokenUsage.__struct_fields__ if name not in ("image_kind", "service_tier")]


@contextmanager
def contract_gateway(upstream: Playback) -> Iterator[RunningProxy]:
    """With a setting of every provider, and a price for every model of the table: 1 and 2 nano-dollars a token."""
    settings = [setting_at(upstream.url, provider) for provider in CATALOG]
    settings.append(ProviderRecord(id="setting-acme", provider="acme", secrets={"apikey": secret_of("acme", "apikey")}))
    routes = {path: replace(route, target_url=upstream.url + path) for path, route in CUSTOM.routes.items()}
    doors = PlainDoors(
        settings={setting.id: setting for setting in settings},
        prices=dict(_prices()),
        custom={CUSTOM.name: replace(CUSTOM, routes=routes)},
    )
    with proxy_in_thread(doors) as running:
        yield running


def _prices() -> Iterator[tuple[tuple[str, str], PriceRecord]]:
    for case in CASES:
        provider = adapter_of(case).provider
        for model in filter(None, (case.model.lower(), case.answered_by.lower())):
            yield (
                (provider, model),
                price(provider=provider, model=model, max_input_tokens=10_000, max_output_tokens=1000),
            )


def adapter_of(case: Case) -> Adapter:
    """The adapter that serves a row."""
    if case.prefix.endswith(CUSTOM.name):
        return CustomAdapter(CUSTOM, CUSTOM.routes[case.tail])
    return next(adapter for adapter in ADAPTERS if adapter.path_prefix == case.prefix)


def ask(caller: Caller, case: Case, *, stream: bool = False, without: str = "") -> httpx.Response:
    """The answer to the case's request, without one of its members."""
    tail = (case.stream_tail or case.tail) if stream else case.tail
    body = {**case.body, **(case.stream_body if stream else {})}
    body.pop(without, None)
    with httpx.Client(headers=caller.headers, timeout=10, verify=UNENCRYPTED) as client:
        return client.post(caller.gateway.url + case.prefix + tail, json=body)


def used(event: UsageEventRecord) -> dict[str, Any]:
    """What an event has of usage, without what is zero."""
    return {name: value for name in _USED if (value := getattr(event, name))}


def told(usage: TokenUsage) -> dict[str, Any]:
    """The same of the usage that a payload tells."""
    return {name: value for name in _USED if (value := getattr(usage, name))}
