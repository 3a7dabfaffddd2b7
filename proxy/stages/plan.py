"""Which setting, which request upstream, and what may it cost at most?"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import orjson

from gateway_project.shared.durations import parse_duration_s
from gateway_project.shared.problems import BadRequest, PermissionDenied
from keys.records import KeyRecord
from providers.adapters.base import UpstreamRequest
from providers.records import PriceRecord, ProviderRecord
from proxy import headers
from proxy.config import ProxyConfig
from proxy.estimate import estimate
from proxy.flow import Body, Call, IncomingRequest, Plan
from proxy.json_edit import insert_member, replace_member
from proxy.pricing import PriceFinder, allows, price_at, price_by_answer
from proxy.replicas import Replicas
from proxy.rotation import Rotation, preferred
from proxy.snapshot import Snapshot

MAX_TIMEOUT_S = 86_400.0
LANES_KEPT = 10_000
# Paths and models are the client's words: what is kept of them must stay small.
LONGEST_KEPT = 500
_INCLUDE_USAGE = b'"stream_options":{"include_usage":true}'


class _Lane(NamedTuple):
    """A choice and what follows from it; valid for the very key, call and snapshot it was made from."""

    key: KeyRecord
    call: Call
    snapshot: Snapshot
    setting: ProviderRecord
    price: PriceRecord | None
    price_by_answer: PriceFinder | None
    url: str
    credentials: tuple[tuple[str, str], ...]


class SettingChooser:
    """Chooses among a key's settings; knows which of them refuse stream_options."""

    def __init__(self, config: ProxyConfig) -> None:
        self._config = config
        self._refusing: set[tuple[str, str]] = set()
        self.rotation = Rotation()
        self.replicas = Replicas()
        self._lanes: dict[tuple[str, str, str], _Lane] = {}

    def choose(self, key: KeyRecord, call: Call, model: str, snapshot: Snapshot) -> ProviderRecord:
        """The setting to use, as a whole. Raises PermissionDenied when the key has none that may serve this."""
        provider = call.adapter.provider
        own = [
            setting
            for setting_id in key.setting_ids
            if (setting := snapshot.settings.get(setting_id)) is not None and setting.provider == provider
        ]
        if not own:
            raise PermissionDenied(
                f"This key has no provider setting for {provider}. Add one to its settingIds.", code="no_setting"
            )
        able = [setting for setting in own if allows(call, setting, model)]
        if not able:
            named = f"The model {model}" if model else "A request that names no model"
            raise PermissionDenied(f"{named} is not allowed for this key.", code="model_not_allowed")
        setting = self.rotation.next(key.id, able) if key.rotation_enabled else preferred(able)
        return self.replicas.pick(setting) if setting.base_urls else setting

    def refuses_stream_options(self, setting: ProviderRecord, model: str) -> bool:
        return setting.stream_usage == "never" or (setting.id, model) in self._refusing

    def remember_refusal(self, setting: ProviderRecord, model: str) -> None:
        if len(self._refusing) > 10_000:  # the model is the client's word: what it fills must be bounded
            self._refusing.clear()
        self._refusing.add((setting.id, model))

    def plan(self, request: IncomingRequest, key: KeyRecord, call: Call, body: Body, snapshot: Snapshot) -> Plan:
        """The one attempt of a plain provider path. Raises Problem when there is none."""
        lane = self._lane(key, call, body.facts.model, snapshot)
        setting, price = lane.setting, lane.price
        if body.facts.other_models:
            check_models(call, setting, body.facts.other_models)
        force = self.must_force_usage(call, body, setting)
        content = with_usage_forced(body) if force else body.content
        bound = estimate(call.operation, body, price, default_output_tokens=self._config.default_max_output_tokens)
        upstream = UpstreamRequest(
            method=request.method if content else call.operation.bodiless_method or request.method,
            url=call.adapter.url(setting, call.tail, request.query) if request.query else lane.url,
            headers=headers.to_upstream(
                request.headers, lane.credentials, remove_user_agent=self._config.remove_user_agent
            ),
            body=content,
        )
        if call.adapter.prepares:
            upstream = call.adapter.prepare(setting, call.operation, upstream)
        return Plan(
            setting=setting,
            request=upstream,
            timeout_s=asked_timeout_s(request, self._config.timeout_s),
            price=price,
            estimate_nano=bound.cost_nano,
            reserved_output_tokens=bound.output_tokens,
            usage_forced=force,
            price_by_answer=lane.price_by_answer,
        )

    def _lane(self, key: KeyRecord, call: Call, model: str, snapshot: Snapshot) -> _Lane:
        """What holds for every request of a key to a path and a model, until its key or the configuration changes."""
        name = (key.id, call.tail, model)
        lane = self._lanes.get(name)
        if lane is not None and lane.key is key and lane.call is call and lane.snapshot is snapshot:
            return lane
        setting = self.choose(key, call, model, snapshot)
        price = None
        if call.operation.metering == "estimated":
            price = price_at(call, setting, snapshot.prices, model)
        by_answer = price_by_answer(call, setting, snapshot.prices)
        url = call.adapter.url(setting, call.tail, "")
        lane = _Lane(key, call, snapshot, setting, price, by_answer, url, call.adapter.credentials(setting))
        if not key.rotation_enabled and not setting.base_urls and len(call.tail) + len(model) <= LONGEST_KEPT:
            if len(self._lanes) >= LANES_KEPT:
                self._lanes.clear()
            self._lanes[name] = lane
        return lane

    def must_force_usage(self, call: Call, body: Body, setting: ProviderRecord) -> bool:
        """Whether the gateway has to ask for usage in the stream, since the client did not."""
        facts = body.facts
        if not facts.stream or facts.usage_asked or not call.adapter.stream(call.operation).forces_usage:
            return False
        return not self.refuses_stream_options(setting, facts.model)


def check_models(call: Call, setting: ProviderRecord, models: Iterable[str]) -> None:
    """Raises PermissionDenied when the setting does not allow one of the models."""
    for model in models:
        if not allows(call, setting, model):
            raise PermissionDenied(f"The model {model} is not allowed for this key.", code="model_not_allowed")


def asked_timeout_s(request: IncomingRequest, default_s: float) -> float:
    """Seconds the client gives its request in x-request-timeout. Raises BadRequest for what is no such time."""
    text = request.header(b"x-request-timeout")
    if not text:
        return default_s
    try:
        seconds = parse_duration_s(text)
    except ValueError as error:
        raise BadRequest(f"x-request-timeout: {error}.", code="invalid_timeout") from error
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise BadRequest("x-request-timeout must be more than 0 and at most 24h.", code="invalid_timeout")
    return seconds


def with_usage_forced(body: Body) -> bytes:
    """The body asking for usage in the stream; all else byte for byte as the client sent it. Raises BadRequest."""
    if not body.facts.has_stream_options:
        if body.document is not None and "stream_options" in body.document:
            return replace_member(body.content, "stream_options", b'{"include_usage":true}')
        return insert_member(body.content, _INCLUDE_USAGE)
    options = dict((body.document or {}).get("stream_options") or {})
    options["include_usage"] = True
    try:
        value = orjson.dumps(options)
    except orjson.JSONEncodeError as error:
        raise BadRequest("stream_options is nested too deeply.", code="invalid_member") from error
    return replace_member(body.content, "stream_options", value)


def without_usage_forced(plan: Plan, body: Body) -> Plan:
    """The same attempt with the client's own body."""
    return msgspec.structs.replace(plan, request=plan.request._replace(body=body.content), usage_forced=False)
