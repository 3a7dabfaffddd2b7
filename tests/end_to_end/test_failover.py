"""The failover matrix: each fault of the fake upstream, plain and streaming, in the first, a middle and the last step.

The right answer or the right error, the right attempts, the right bill, nothing charged twice and nothing left
reserved, and never a stream mixed of two.
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest

from gateway_project.shared.redis_counters import RedisCounters
from reporting.records import AttemptRecord, UsageEventRecord
from routes.records import RouteRecord, RouteStepRecord
from tests.end_to_end.books import counters_in_redis
from tests.proxy_gateway import (
    SECRET,
    PlainDoors,
    RunningProxy,
    key,
    openai_setting,
    price,
    proxy_in_thread,
    waited_for,
)
from tests.upstream import Upstream

KEY = key(cost_limit_nano=10**12)
# Three steps, and nano-dollars per token in and out of each, so that a bill tells which steps it is for.
STEPS = {"gpt-4o": (1, 2), "gpt-4.1": (3, 6), "gpt-4o-mini": (5, 10)}
MODELS = tuple(STEPS)
# The request: 3 tokens, 4 for its message and a word; the fake's answer has 16.
PROMPT, ANSWER = 8, 16
BODY = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 100}
HURRY_S = 0.6
ONLY = -1
POSITIONS = {"first": 0, "middle": 1, "last": 2, "only": ONLY}


@dataclass(frozen=True)
class Fault:
    """What a fault makes of an attempt.

    status: the provider answers with it. lost: it gives no usable answer. breaks: it breaks off after content.
    answers: it answers all the same. code: the attempt's. hangs: it is given little time. asked: how often the provider
    is. told: whether it tells usage. tokens: of the answer.
    """

    directive: str
    outcome: Literal["status", "lost", "breaks", "answers"]
    status: int = 200
    code: str = ""
    hangs: bool = False
    asked: int = 1
    told: bool = True
    tokens: int = ANSWER

    @property
    def is_passed(self) -> bool:
        return self.outcome in ("breaks", "answers")


def status(directive: str, code: int) -> Fault:
    return Fault(directive, "status", code)


REFUSALS = [
    status("429", 429), status("429-quota", 429), status("500-then-200", 500), status("503", 503), status("503=7", 503),
    *(status(f"bad-status={code}", code) for code in (400, 401, 403, 404, 408, 409, 418, 422, 425, 529)),
]  # fmt: skip
SILENT = [
    Fault("hang", "lost", 0, "upstream_timed_out", hangs=True),
    Fault("slow-first-byte=60000", "lost", 0, "upstream_timed_out", hangs=True),
    Fault("drop", "lost", 0, "upstream_failed"),
    Fault("empty", "lost", 200, "upstream_empty_answer"),
]
PLAIN = [
    *REFUSALS,
    *SILENT,
    Fault("cut", "lost", 200, "upstream_failed"),
    Fault("cut-close", "lost", 200, "upstream_failed"),
    Fault("malformed", "lost", 200, "upstream_malformed_answer"),
    Fault("gzip", "answers"),
    Fault("huge=5", "answers", tokens=80),
    Fault("error-event=0", "answers"),
    Fault("reject-stream-options", "answers"),
    Fault("no-usage", "answers", told=False),
]
STREAMED = [
    *REFUSALS,
    *SILENT,
    Fault("hang=0", "lost", 200, "upstream_timed_out", hangs=True),
    Fault("cut=0", "lost", 200, "upstream_failed"),
    Fault("cut-close=0", "lost", 200, "upstream_failed"),
    Fault("cut-clean=0", "lost", 200, "upstream_stream_broken"),
    Fault("error-event=0", "lost", 200, "upstream_error"),
    Fault("malformed=0", "lost", 200, "upstream_malformed_answer"),
    Fault("cut=3", "breaks", code="upstream_stream_broken"),
    Fault("cut-close=3", "breaks", code="upstream_stream_broken"),
    Fault("cut-clean=3", "breaks", code="upstream_stream_broken"),
    Fault("error-event=3", "breaks", code="upstream_error"),
    Fault("malformed=3", "answers"),
    Fault("gzip", "answers"),
    Fault("slow=3", "answers"),
    Fault("reject-stream-options", "answers", asked=2, told=False),
    Fault("no-usage", "answers", told=False),
]


def route(name: str, models: tuple[str, ...], hurried: int) -> RouteRecord:
    """Steps with time enough, but for the one that is to hang."""
    steps = tuple(
        RouteStepRecord("openai", model, timeout_s=HURRY_S if at == hurried else 30.0)
        for at, model in enumerate(models)
    )
    return RouteRecord(name, name, f"/{name}", "chat", steps, frozenset({KEY.id}), deadline_s=60.0)


def routes() -> dict[str, RouteRecord]:
    made = [route("only", MODELS[:1], hurried=-1), route("only-hurried", MODELS[:1], hurried=0)]
    made.append(route("three", MODELS, hurried=-1))
    made += [route(f"three-hurried-{at}", MODELS, hurried=at) for at in range(len(MODELS))]
    return {each.path: each for each in made}


def doors_of(upstream: Upstream) -> PlainDoors:
    doors = PlainDoors(
        settings={"setting-1": openai_setting(upstream.url)},
        prices={
            ("openai", model): price(model=model, input_pico=1000 * given, output_pico=1000 * made)
            for model, (given, made) in STEPS.items()
        },
        routes=routes(),
    )
    doors.put_key(KEY)
    return doors


@dataclass
class Done:
    """One request that is over."""

    answer: httpx.Response
    event: UsageEventRecord

    @property
    def tried(self) -> tuple[AttemptRecord, ...]:
        return self.event.attempt_details or ()

    @property
    def events(self) -> list[Any]:
        """The JSON of a stream's events that have any."""
        lines = [line[6:] for line in self.answer.text.split("\n") if line.startswith("data: {")]
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                assert "chatcmpl-broken" in line
        return found


class Routed:
    """A running proxy, and the books of its one key."""

    def __init__(self, gateway: RunningProxy, upstream: Upstream, redis_url: str = "") -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.redis_url = redis_url

    def counted(self) -> tuple[int, int]:
        """(spent, reserved) as the counters have it."""
        if self.redis_url:
            state = counters_in_redis(self.redis_url, KEY.id)
            return max(state.used("cost/total"), 0), max(state.held("cost/total"), 0)
        subject: Any = self.gateway.counters._subjects.get(f"key:{KEY.id}")  # type: ignore[attr-defined]
        if subject is None:
            return 0, 0
        counter = subject.counters["cost", "total"]
        return counter.used, counter.reserved

    def call(self, path: str, *, stream: bool, headers: dict[str, str] | None = None) -> Done:
        body = {**BODY, "stream": True} if stream else BODY
        given = {"authorization": f"Bearer {SECRET}", **(headers or {})}
        answer = httpx.post(f"{self.gateway.url}/api/routes/{path}", json=body, headers=given, timeout=30)
        request_id = answer.headers["x-request-id"]
        found = waited_for(lambda: [event for event in self.gateway.events() if event.id == request_id])
        assert len(found) == 1
        return Done(answer, found[0])

    def run(self, fault: Fault, at: int, *, stream: bool) -> Done:
        """A request whose attempt number `at` has the fault; those before it are refused."""
        self.gateway.proxy._breakers._circuits.clear()
        if at > 0:
            self.upstream.fail("503", times=at)
        self.upstream.fail(fault.directive)
        spent, _ = self.counted()
        name = "only" if at == ONLY else "three"
        if fault.hangs:
            name += "-hurried" if at == ONLY else f"-hurried-{at}"
        done = self.call(name, stream=stream)
        assert waited_for(lambda: self.counted() == (spent + done.event.cost_nano, 0)), "the counters disagree"
        return done


@pytest.fixture(scope="module")
def in_memory(running_upstream: Upstream) -> Iterator[Routed]:
    with proxy_in_thread(doors_of(running_upstream)) as gateway:
        yield Routed(gateway, running_upstream)


@pytest.fixture
def routed(in_memory: Routed, upstream: Upstream) -> Routed:
    del upstream  # forgets what it was asked before
    return in_memory


def check(done: Done, fault: Fault, at: int, *, stream: bool) -> None:
    """Everything that has to be right about a request of the matrix."""
    steps = 1 if at == ONLY else len(MODELS)
    before, place = max(at, 0), max(at, 0)
    answered_by = place if fault.is_passed else place + 1
    tried = [(model, 503, "", 0) for model in MODELS[:before]]
    if not fault.is_passed:
        code = fault.code if fault.outcome == "lost" else ""
        tried.append((MODELS[place], fault.status, code, _lost(fault, place)))
    if answered_by < steps:
        code = fault.code if fault.outcome == "breaks" else ""
        tried.append((MODELS[answered_by], 200, code, _answered(done, answered_by, fault)))
    assert [(each.model, each.status, each.error_code, each.cost_nano) for each in done.tried] == tried
    assert done.event.cost_nano == sum(cost for *_, cost in tried)
    assert done.answer.headers["x-gateway-attempts"] == str(len(tried)) == str(done.event.attempts)
    if answered_by < steps:
        _check_answered(done, fault, answered_by, stream=stream)
    else:
        _check_failed(done, fault, place)


def _lost(fault: Fault, place: int) -> int:
    """An attempt that was sent and told no usage costs its input, one that was refused costs nothing."""
    return PROMPT * STEPS[MODELS[place]][0] if fault.outcome == "lost" else 0


def _answered(done: Done, place: int, fault: Fault) -> int:
    given, made = STEPS[MODELS[place]]
    told = fault.outcome != "breaks" and (fault.told or not fault.is_passed)
    tokens = fault.tokens if fault.is_passed else ANSWER
    output = tokens if told else done.event.output_tokens
    if fault.outcome == "breaks":
        assert 3 <= output < ANSWER
    return PROMPT * given + output * made


def _check_answered(done: Done, fault: Fault, place: int, *, stream: bool) -> None:
    answer, model = done.answer, MODELS[place]
    assert answer.status_code == 200
    assert (answer.headers["x-gateway-provider"], answer.headers["x-gateway-model"]) == ("openai", model)
    assert (done.event.request_model, done.event.route_id[:4]) == (model, answer.request.url.path[12:16])
    assert done.event.ending == ("upstream_failed" if fault.outcome == "breaks" else "completed")
    lost = fault.outcome == "lost"
    assert done.event.input_tokens == PROMPT * (1 + lost)
    counted = fault.is_passed and (fault.outcome == "breaks" or not fault.told)
    assert done.event.usage_source == ("counted" if counted else "partly_counted" if lost else "upstream")
    if not stream:
        assert answer.json()["model"] == model
        return
    named = [event for event in done.events if "error" not in event]
    assert {event["model"] for event in named} == {model}
    assert len({event["id"] for event in named}) == 1
    said = [event["choices"][0]["delta"].get("content") for event in named]
    assert len([word for word in said if word]) == (3 if fault.outcome == "breaks" else ANSWER)
    assert answer.text.endswith("data: [DONE]\n\n") == (fault.outcome == "answers" or not fault.is_passed)
    assert any("error" in event for event in done.events) == (fault.outcome == "breaks")


def _check_failed(done: Done, fault: Fault, place: int) -> None:
    """The last answer of a provider, if one gave any; else the gateway's own error."""
    answer = done.answer
    if fault.outcome == "lost" and place == 0:
        timed_out = fault.code == "upstream_timed_out"
        assert answer.status_code == (504 if timed_out else 502)
        assert answer.json()["error"]["code"] == ("upstream_timed_out" if timed_out else "upstream_failed")
        assert answer.headers["x-gateway-error"] == "true"
        assert (done.event.ending, done.event.usage_source) == ("upstream_failed", "counted")
    else:
        assert answer.status_code == (fault.status if fault.outcome == "status" else 503)
        assert "x-gateway-error" not in answer.headers
        assert answer.json()["error"]["type"] in (
            "requests",
            "insufficient_quota",
            "server_error",
            "invalid_request_error",
        )
    told_by = place if fault.outcome == "status" or place == 0 else place - 1
    assert answer.headers["x-gateway-model"] == MODELS[told_by]
    assert done.event.status == answer.status_code
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("fault", PLAIN, ids=[fault.directive for fault in PLAIN])
def test_a_plain_answer(routed: Routed, fault: Fault, position: str) -> None:
    at = POSITIONS[position]
    done = routed.run(fault, at, stream=False)
    check(done, fault, at, stream=False)
    assert routed.upstream.count() == len(done.tried)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("fault", STREAMED, ids=[fault.directive for fault in STREAMED])
def test_a_stream(routed: Routed, fault: Fault, position: str) -> None:
    at = POSITIONS[position]
    routed.gateway.proxy._chooser._refusing.clear()
    done = routed.run(fault, at, stream=True)
    check(done, fault, at, stream=True)
    assert routed.upstream.count() == len(done.tried) + fault.asked - 1


def test_a_stream_that_hangs_after_content_ends_inside_itself(routed: Routed) -> None:
    """It is the client's from its first content on; the time is the route's, or the client's own."""
    routed.gateway.proxy._breakers._circuits.clear()
    routed.upstream.fail("hang=3")
    done = routed.call("three", stream=True, headers={"x-request-timeout": "2500ms"})
    assert done.answer.status_code == 200
    assert [event["error"]["code"] for event in done.events if "error" in event] == ["gateway_upstream_stream_broken"]
    assert [(each.model, each.error_code) for each in done.tried] == [("gpt-4o", "upstream_stream_broken")]
    assert routed.upstream.count() == 1


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_nobody_listening_costs_nothing_and_the_next_step_answers(
    running_upstream: Upstream, upstream: Upstream, stream: bool
) -> None:
    doors = doors_of(running_upstream)
    doors.settings["setting-2"] = openai_setting("http://127.0.0.1:9", id="setting-2", provider="deepinfra")
    doors.prices["deepinfra", "m"] = price(provider="deepinfra", model="m")
    doors.put_key(key(cost_limit_nano=10**12, setting_ids=("setting-1", "setting-2")))
    steps = (RouteStepRecord("deepinfra", "m"), RouteStepRecord("openai", "gpt-4o"))
    doors.routes["/down"] = RouteRecord("down", "down", "/down", "chat", steps, frozenset({KEY.id}))
    with proxy_in_thread(doors) as gateway:
        done = Routed(gateway, upstream).call("down", stream=stream)
    assert done.answer.status_code == 200
    assert [(each.provider, each.status, each.error_code, each.cost_nano) for each in done.tried] == [
        ("deepinfra", 0, "upstream_unreachable", 0), ("openai", 200, "", PROMPT + 2 * ANSWER),
    ]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_the_counters_in_redis_agree_too(
    running_upstream: Upstream, upstream: Upstream, redis_url: str, stream: bool
) -> None:
    make = functools.partial(RedisCounters, redis_url, read_timeout_s=10, write_timeout_s=10)
    faults = [fault for fault in (STREAMED if stream else PLAIN) if fault.outcome != "status"]
    with proxy_in_thread(doors_of(running_upstream), make_counters=make) as gateway:
        routed = Routed(gateway, upstream, redis_url)
        for fault in [*faults, status("429", 429)]:
            upstream.reset()
            gateway.proxy._chooser._refusing.clear()
            check(routed.run(fault, 1, stream=stream), fault, 1, stream=stream)
