"""Tests of which setting is used, and of what goes upstream."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from gateway_project.shared.problems import BadRequest, PermissionDenied
from keys.records import KeyRecord
from providers.adapters.base import BodyFacts
from providers.records import CostMap, PriceRecord, ProviderRecord
from proxy.config import ProxyConfig
from proxy.flow import Body, Plan
from proxy.snapshot import Snapshot
from proxy.stages.plan import SettingChooser, check_models, with_usage_forced, without_usage_forced
from tests.proxy.builders import body_of, call_of, incoming
from tests.proxy_gateway import PEPPER, key, openai_setting, price

PRICES = {("openai", "gpt-4o"): price(max_output_tokens=100)}


def chooser(**config: Any) -> SettingChooser:
    return SettingChooser(ProxyConfig(peppers=(PEPPER,), spool_root=Path(), **config))


def setting(name: str, **changes: Any) -> ProviderRecord:
    return openai_setting("http://upstream", id=name, **changes)


def snapshot(*settings: ProviderRecord, prices: dict[tuple[str, str], PriceRecord] | None = None) -> Snapshot:
    return Snapshot(1, {each.id: each for each in settings}, PRICES if prices is None else prices)


def chosen(owner: KeyRecord, model: str, shot: Snapshot) -> str:
    return chooser().choose(owner, call_of(), model, shot).id


def planned(content: bytes, *, choosing: SettingChooser | None = None, tail: str = "/chat/completions",
            headers: list[tuple[bytes, bytes]] | None = None, shot: Snapshot | None = None) -> Plan:  # fmt: skip
    request = incoming(tail, headers=headers or [], query="a=b")
    shot = shot or snapshot(setting("setting-1"))
    return (choosing or chooser()).plan(request, key(), call_of(tail), body_of(content, tail), shot)


def test_the_first_setting_that_may_serve_the_model_is_used() -> None:
    shot = snapshot(
        setting("other", provider="azure"),
        setting("narrow", allowed_models=frozenset({"gpt-4o-mini"})),
        setting("wide"),
        setting("foreign"),
    )
    owner = key(setting_ids=("missing", "other", "narrow", "wide"))
    assert chosen(owner, "gpt-4o", shot) == "wide"
    assert chosen(owner, "gpt-4o-mini", shot) == "narrow"
    assert chosen(owner, "", shot) == "wide"  # a server may choose any model for a request that names none


def test_a_key_without_a_setting_for_the_provider_is_told_so() -> None:
    shot = snapshot(setting("other", provider="azure"))
    for ids in ((), ("missing",), ("other",)):
        with pytest.raises(PermissionDenied) as caught:
            chosen(key(setting_ids=ids), "gpt-4o", shot)
        assert caught.value.code == "no_setting"


def test_a_model_no_setting_allows_is_refused() -> None:
    with pytest.raises(PermissionDenied, match="gpt-4o-mini") as caught:
        chosen(key(), "gpt-4o-mini", snapshot(setting("setting-1", allowed_models=frozenset({"gpt-4o"}))))
    assert caught.value.code == "model_not_allowed"


def test_models_that_answer_a_part_must_be_allowed_too() -> None:
    narrow = setting("narrow", allowed_models=frozenset({"a", "b"}))
    check_models(call_of(), narrow, ("a", "b"))
    check_models(call_of(), setting("wide"), ("a", "c"))
    with pytest.raises(PermissionDenied, match="model c is not") as caught:
        check_models(call_of(), narrow, ("a", "c"))
    assert caught.value.code == "model_not_allowed"


def test_settings_take_turns_as_wholes_when_the_key_says_so() -> None:
    shot = snapshot(setting("a"), setting("b"), setting("c", allowed_models=frozenset({"x"})))
    owner = key(setting_ids=("a", "b", "c"), rotation_enabled=True)
    turns = chooser()
    assert [turns.choose(owner, call_of(), "gpt-4o", shot).id for _ in range(5)] == ["a", "b", "a", "b", "a"]
    assert {chosen(key(setting_ids=("a", "b")), "gpt-4o", shot) for _ in range(10)} == {"a"}


def test_the_request_goes_where_the_setting_says_with_its_credentials() -> None:
    plan = planned(b'{"model":"gpt-4o"}', headers=[(b"accept", b"*/*"), (b"authorization", b"Bearer mine")])
    assert plan.request.url == "http://upstream/v1/chat/completions?a=b"
    assert dict(plan.request.headers)["authorization"] == "Bearer sk-upstream-secret"
    assert (plan.request.method, plan.request.body, plan.usage_forced) == ("POST", b'{"model":"gpt-4o"}', False)


def test_it_knows_what_the_request_may_cost() -> None:
    plan = planned(b'{"model":"gpt-4o"}')
    assert (plan.price, plan.reserved_output_tokens) == (PRICES["openai", "gpt-4o"], 100)
    assert plan.estimate_nano == len(b'{"model":"gpt-4o"}') + 64 + 200


def test_the_settings_own_prices_come_first() -> None:
    own = setting("setting-1", cost_map=CostMap(input_pico={"gpt-4o": 7_000}, output_pico={"gpt-4o": 8_000}))
    plan = planned(b'{"model":"gpt-4o"}', shot=snapshot(own))
    assert plan.price is not None
    assert (plan.price.input_pico, plan.price.max_output_tokens) == (7_000, 100)


def test_what_is_free_or_unmetered_or_unknown_has_no_price() -> None:
    for tail in ("/moderations", "/batches"):
        assert planned(b'{"model":"gpt-4o"}', tail=tail).price is None
    unknown = planned(b'{"model":"gpt-7"}')
    assert (unknown.price, unknown.estimate_nano) == (None, 0)


@pytest.mark.parametrize(
    ("text", "seconds"), [(b"", 600.0), (b"30s", 30.0), (b"1m30s", 90.0), (b"500ms", 0.5), (b"24h", 86_400.0)]
)
def test_a_request_may_bring_its_own_time_out(text: bytes, seconds: float) -> None:
    assert planned(b"{}", headers=[(b"x-request-timeout", text)]).timeout_s == seconds


@pytest.mark.parametrize("text", [b"soon", b"-1s", b"0", b"25h", b"5", b"\xff"])
def test_a_time_out_nobody_can_read_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        planned(b"{}", headers=[(b"x-request-timeout", text)])
    assert caught.value.code == "invalid_timeout"


STREAM = b'{"model":"gpt-4o","stream":true}'


def test_usage_is_asked_for_in_streams_of_chats_only() -> None:
    assert planned(STREAM).request.body == b'{"stream_options":{"include_usage":true},"model":"gpt-4o","stream":true}'
    assert planned(STREAM, tail="/completions").usage_forced
    for tail in ("/responses", "/embeddings", "/audio/speech", "/unknown"):
        plan = planned(STREAM, tail=tail)
        assert (plan.usage_forced, plan.request.body) == (False, STREAM)


def test_usage_the_client_asks_for_is_not_asked_for_again() -> None:
    content = b'{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}'
    plan = planned(content)
    assert (plan.usage_forced, plan.request.body) == (False, content)


def test_a_setting_may_say_that_its_server_knows_no_stream_options() -> None:
    plan = planned(STREAM, shot=snapshot(setting("setting-1", stream_usage="never")))
    assert (plan.usage_forced, plan.request.body) == (False, STREAM)


def test_a_server_that_refused_is_remembered_by_setting_and_model() -> None:
    choosing = chooser()
    choosing.remember_refusal(setting("setting-1"), "gpt-4o")
    assert not planned(STREAM, choosing=choosing).usage_forced
    assert planned(STREAM.replace(b"gpt-4o", b"gpt-4o-mini"), choosing=choosing).usage_forced
    for number in range(10_001):
        choosing.remember_refusal(setting("setting-1"), f"model {number}")
    assert len(choosing._refusing) < 10_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"stream":true}', b'{"stream_options":{"include_usage":true},"stream":true}'),
        (b'{"stream":true, "stream_options" : null }', b'{"stream":true, "stream_options" : {"include_usage":true} }'),
        (
            b'{"stream_options":{"x": 1,"include_usage":false},"stream":true}',
            b'{"stream_options":{"x":1,"include_usage":true},"stream":true}',
        ),
        (b'{"stream_options":{},"stream":true}', b'{"stream_options":{"include_usage":true},"stream":true}'),
    ],
)
def test_only_the_one_member_changes(content: bytes, expected: bytes) -> None:
    assert with_usage_forced(body_of(content)) == expected


def test_the_attempt_can_be_made_again_without_the_change() -> None:
    plan, body = planned(STREAM), body_of(STREAM)
    again = without_usage_forced(plan, body)
    assert (again.request.body, again.usage_forced, again.request.url) == (STREAM, False, plan.request.url)
    assert again.price is plan.price


def test_the_user_agent_may_be_kept_back() -> None:
    plan = planned(b"{}", choosing=chooser(remove_user_agent=True), headers=[(b"user-agent", b"me")])
    assert "user-agent" not in dict(plan.request.headers)


def test_stream_options_that_cannot_be_written_again_are_refused() -> None:
    content = b'{"model":"gpt-4o","stream":true,"stream_options":{"x":' + b"[" * 400 + b"]" * 400 + b"}}"
    with pytest.raises(BadRequest) as caught:
        planned(content)
    assert caught.value.code == "invalid_member"


def test_a_choice_is_not_kept_for_long_paths() -> None:
    """They are the client's words: of those, any number would fill the memory."""
    choosing, shot, owner = chooser(), snapshot(setting("setting-1")), key()
    calls = [call_of(f"/files/{'x' * 2000}{number}", "GET") for number in range(1000)]
    tracemalloc.start()
    try:
        for call in calls:
            choosing.plan(incoming(call.tail, method="GET"), owner, call, Body(b"", BodyFacts()), shot)
        assert tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()
