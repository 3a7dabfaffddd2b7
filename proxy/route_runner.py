"""Serves the requests of routes: step after step, attempt after attempt, until one gives an answer.

`begin` says what the first attempt would be, so that it can be reserved; `ask` makes the attempts. An answer that
`ask` returns is the client's from then on: nothing fails over after it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from gateway_project.shared import clock
from gateway_project.shared.problems import Problem, Unavailable, UpstreamFailed, UpstreamTimedOut
from providers.costs import cost_nano
from proxy import retries
from proxy.attempts import end_attempt, spent_nano
from proxy.breaker import Breakers
from proxy.flow import Answer, Body, Call, Plan
from proxy.generation import count_input, counted_usage
from proxy.headers import retry_after_s
from proxy.held_answer import AnswerUnusable, HeldAnswer, hold
from proxy.ledger import Ledger, LimitReached
from proxy.reply import Reply
from proxy.route_steps import Spoken, Steps, check_access, check_members
from proxy.snapshot import Snapshot
from proxy.stages.forward import forward, problem_of
from proxy.stages.plan import SettingChooser, asked_timeout_s
from proxy.stages.reserve import refusal
from proxy.upstream import Upstream, UpstreamError, UpstreamTimeout
from proxy.visit import Visit
from routes.records import RouteRecord, RouteStepRecord

# The deadline's own timer comes first; the sweeper is behind it for what may hang elsewhere.
SLACK_S = 1.0
# With less than this left nothing is begun: it would be sent, and paid for, in vain. Timers may be that early.
LEAST_S = 0.005
# Of an attempt's time: who cannot connect for so long was sent nothing, and is charged nothing.
CONNECT_SHARE = 0.9


@dataclass(slots=True)
class RouteRun:
    """One request on its way through a route. deadline: time.monotonic() at which everything must be over.

    held_nano: what its reservation holds. answered: the last answer with an error's status, and who gave it. failed:
    why there was none after that. refused: what keeps the route, or a step of it, from being tried. first: the attempt
    that was planned for the reservation. resting: steps left out since their circuit is open, with since when.
    """

    visit: Visit
    route: RouteRecord
    body: Body
    snapshot: Snapshot
    reply: Reply
    timeout_s: float
    deadline: float
    held_nano: int = 0
    answered: HeldAnswer | None = None
    answered_by: tuple[Call, Body, Plan] | None = None
    failed: Problem | None = None
    refused: Problem | None = None
    is_over: bool = False
    first: "tuple[RouteStepRecord, Spoken, Plan] | None" = None
    resting: list[tuple[float, RouteStepRecord]] = field(default_factory=list)

    @property
    def left_s(self) -> float:
        return self.deadline - time.monotonic()


@dataclass(frozen=True, slots=True)
class _Failure:
    """An attempt without an answer for the client. is_retried: whether the same step may be asked again."""

    is_retried: bool
    told_s: float | None = None


class RouteRunner:
    """Runs routes. pause: sleeps; a test may wait for something else."""

    def __init__(
        self,
        steps: Steps,
        tools: tuple[Upstream, SettingChooser],
        ledger: Ledger,
        *,
        breakers: Breakers,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._steps = steps
        self._tools = tools
        self._ledger = ledger
        self.breakers = breakers
        self._pause = pause

    def begin(self, visit: Visit, body: Body, snapshot: Snapshot, reply: Reply) -> RouteRun:
        """A run of the visit's route; the visit shows its first attempt. Raises Problem when no step may be tried."""
        if visit.call is None or visit.call.route is None:
            raise ValueError("the visit is of no route")
        route = visit.call.route
        check_access(visit.key, route)
        check_members(route, body)
        visit.sent_body = body
        timeout_s = asked_timeout_s(visit.request, route.deadline_s)
        timeout_s = min(timeout_s, route.deadline_s)
        run = RouteRun(visit, route, body, snapshot, reply, timeout_s, time.monotonic() + timeout_s)
        for step in route.steps:
            spoken = self._spoken(run, step)
            plan = self._planned(run, spoken) if spoken is not None else None
            if spoken is not None and plan is not None:
                run.first = (step, spoken, plan)
                return run
        raise run.refused or Unavailable(f"The route {route.path} has no steps.", code="route_unusable")

    async def ask(self, run: RouteRun) -> Answer:
        """The answer for the client: the first good one, else the last error a provider gave. Raises Problem."""
        try:
            answer = await self._first_good(run) or self._last_word(run)
        finally:
            run.reply.add_headers(_told(run.visit))
        # The rest of a stream has what is left of the route's time.
        run.visit.watch.deadline = run.deadline
        return answer

    async def _first_good(self, run: RouteRun) -> HeldAnswer | None:
        for step in run.route.steps:
            answer = await self._try_step(run, step, forced=False)
            if answer is not None or run.is_over:
                return answer
        if run.resting and not run.visit.meter.tried:
            # All circuits are open: the one that has rested longest is the likeliest to have recovered.
            _, step = min(run.resting, key=lambda rested: rested[0])
            return await self._try_step(run, step, forced=True)
        return None

    async def _try_step(self, run: RouteRun, step: RouteStepRecord, *, forced: bool) -> HeldAnswer | None:
        """Attempts at one step; None: go on with the next one, unless the run is over."""
        spoken = None
        for retry in range(step.retries + 1):
            if run.left_s < LEAST_S:
                run.is_over, run.failed = True, run.failed or UpstreamTimedOut("The time for this request is over.")
                return None
            spoken, plan = self._next(run, step, spoken)
            if spoken is None or plan is None:
                return None
            name = (plan.setting.id, spoken.body.facts.model)
            if not forced and not self.breakers.may_enter(name):
                run.resting.append((self.breakers.opened_at(name), step))
                return None
            tried = await self._attempt(run, step, plan, name)
            if isinstance(tried, HeldAnswer):
                return tried
            if run.is_over or not tried.is_retried or retry == step.retries:
                return None
            wait_s = retries.pause_s(run.route.retry_strategy, step, retry, tried.told_s)
            if wait_s >= run.left_s:
                return None
            await self._pause(wait_s)
        return None

    async def _attempt(
        self, run: RouteRun, step: RouteStepRecord, plan: Plan, name: tuple[str, str]
    ) -> HeldAnswer | _Failure:
        """One attempt, admitted, made and told to the breaker."""
        verdict: bool | None = None
        try:
            if not await self._admit(run, plan):
                run.is_over = True
                return _Failure(is_retried=False)
            within_s, began = min(step.timeout_s, run.left_s), time.monotonic()
            run.visit.plan = msgspec.structs.replace(plan, timeout_s=within_s, connect_s=within_s * CONNECT_SHARE)
            try:
                answer = await self._send(run, run.visit.plan, within_s)
            except UpstreamError as error:
                # A client that gives little time says nothing about the provider.
                hurried = within_s < step.timeout_s and time.monotonic() - began >= within_s * CONNECT_SHARE
                verdict = None if hurried else False
                await self._note_failure(run, error)
                return _Failure(is_retried=True)
            verdict = retries.speaks_of_provider(answer.status)
            if 200 <= answer.status < 300:
                return answer
            self._note_answer(run, answer)
            told_s = retry_after_s(answer.head, clock.now())
            return _Failure(retries.is_retried(answer.status), told_s)
        finally:
            self.breakers.note(name, ok=verdict)

    async def _send(self, run: RouteRun, plan: Plan, within_s: float) -> HeldAnswer:
        """The held answer. Raises UpstreamError; whatever happens, an answer that is not returned is closed."""
        visit = run.visit
        call, body = visit.call, visit.body
        if call is None or body is None:
            raise ValueError("an attempt is sent after it was planned")
        answer, held = None, None
        visit.meter.trying_since = clock.perf()
        try:
            async with asyncio.timeout(within_s):
                answer = await forward(visit, plan, body, self._tools)
                held = await hold(answer, call)
            return held
        except TimeoutError as error:
            raise UpstreamTimeout("no answer in time") from error
        finally:
            if answer is not None and held is None:
                answer.close()

    async def _admit(self, run: RouteRun, plan: Plan) -> bool:
        """Whether the limits have room for this attempt beside what earlier ones cost; holds it then."""
        reservation = run.visit.reservation
        missing = spent_nano(run.visit.meter.tried) + plan.estimate_nano - run.held_nano
        if reservation is None or missing <= 0:
            return True
        try:
            await self._ledger.admit_more(reservation, missing)
        except LimitReached as reached:
            run.refused = refusal(reached.refused, at=clock.now())
            return False
        except Unavailable as problem:
            run.refused = problem
            return False
        run.held_nano += missing
        return True

    async def _note_failure(self, run: RouteRun, error: UpstreamError) -> None:
        """Write down an attempt without an answer: what was sent is charged, since the provider may bill it."""
        visit, meter = run.visit, run.visit.meter
        meter.upstream_ended = clock.perf()
        provider = visit.call.adapter.provider if visit.call else ""
        run.failed = _problem(error, provider)
        code = error.code if isinstance(error, AnswerUnusable) else run.failed.code
        tokens, cost, status = await _lost(visit) if meter.sent and meter.status < 300 else (0, 0, "free")
        end_attempt(visit, cost_nano=cost, price_status=status, error_code=code, input_tokens=tokens)
        _clear(visit)

    def _note_answer(self, run: RouteRun, answer: HeldAnswer) -> None:
        """Write down an answer with an error's status, which costs nothing, and keep it: it may be the last word."""
        visit = run.visit
        visit.meter.upstream_ended = clock.perf()
        end_attempt(visit)
        if visit.call is not None and visit.body is not None and visit.plan is not None:
            run.answered, run.answered_by = answer, (visit.call, visit.body, visit.plan)
        answer.close()
        _clear(visit)

    def _last_word(self, run: RouteRun) -> HeldAnswer:
        """The last error a provider gave. Raises Problem when none gave any: a limit's, else the last failure's."""
        meter = run.visit.meter
        if run.answered is not None and run.answered_by is not None:
            run.visit.call, run.visit.body, run.visit.plan = run.answered_by
            meter.status = run.answered.status
            return run.answered
        if run.is_over and run.refused is not None:
            raise run.refused
        if run.failed is not None:
            meter.ending = "upstream_failed"
            raise run.failed
        raise run.refused or Unavailable("No step of this route can be tried.", code="route_unusable")

    def _next(self, run: RouteRun, step: RouteStepRecord, spoken: Spoken | None) -> tuple[Spoken | None, Plan | None]:
        """What to try next at a step. Planned anew each time: it may be another setting's turn."""
        if run.first is not None and run.first[0] is step:
            _, spoken, plan = run.first
            run.first = None
            return spoken, plan
        spoken = spoken or self._spoken(run, step)
        return spoken, self._planned(run, spoken) if spoken is not None else None

    def _spoken(self, run: RouteRun, step: RouteStepRecord) -> Spoken | None:
        """The request in the step's words, None when the step cannot be taken."""
        try:
            return self._steps.speak(run.visit, run.route, step, run.body)
        except Problem as problem:
            run.refused = run.refused or problem
            return None

    def _planned(self, run: RouteRun, spoken: Spoken) -> Plan | None:
        """The next attempt, which the visit shows from now on; None when the key may not make it."""
        visit = run.visit
        try:
            plan = self._steps.plan(visit.key, spoken, run.snapshot)
        except Problem as problem:
            run.refused = run.refused or problem
            return None
        visit.call, visit.body, visit.plan = spoken.call, spoken.body, plan
        return plan


def _problem(error: UpstreamError, provider: str) -> Problem:
    if isinstance(error, AnswerUnusable):
        return UpstreamFailed(f"{provider} gave no usable answer ({error.code}).")
    return problem_of(error, provider)


async def _lost(visit: Visit) -> tuple[int, int, str]:
    """(input tokens, nano-dollars, price status) of an attempt that was sent and told no usage."""
    call, body, plan = visit.call, visit.body, visit.plan
    if call is None or body is None or plan is None or call.operation.metering == "free":
        return 0, 0, "free"
    tokens = await count_input(body, body.facts.model)
    if plan.price is None:
        return tokens, 0, "unpriced"
    cost = cost_nano(counted_usage(call.operation, input_tokens=tokens, output_tokens=0), plan.price)
    return (tokens, 0, "unpriced") if cost is None else (tokens, cost, "priced")


def _clear(visit: Visit) -> None:
    """What the meter has of an attempt that has ended must not be taken for the next one's."""
    meter = visit.meter
    meter.sent, meter.status, meter.upstream_ended = False, 0, None
    meter.usage, meter.usage_source, meter.response_model = None, "none", ""
    meter.begun = None


def _told(visit: Visit) -> list[tuple[bytes, bytes]]:
    """What every answer says of its attempts; nothing when there was none."""
    meter, call, body = visit.meter, visit.call, visit.body
    attempts = len(meter.tried) + (meter.trying_since is not None)
    if not attempts or call is None or body is None:
        return []
    model = body.facts.model.encode("ascii", "backslashreplace")
    return [
        (b"x-gateway-attempts", b"%d" % attempts),
        (b"x-gateway-provider", call.adapter.provider.encode()),
        (b"x-gateway-model", bytes(byte for byte in model if 0x20 <= byte < 0x7F)),
    ]
