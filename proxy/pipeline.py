"""A request from arrival to record. Read this first: each line is a stage, each stage a file."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from gateway_project.shared import clock
from gateway_project.shared.problems import BadRequest, InternalError, Problem
from proxy.access_log import AccessLog
from proxy.cache import AnswerCache
from proxy.cache_hits import answer_hit
from proxy.cache_keeping import Keeper
from proxy.config import ProxyConfig
from proxy.content import ClientGone, ReadContent
from proxy.flow import Answer, Call, IncomingRequest
from proxy.key_directory import KeyDirectory
from proxy.ledger import Ledger
from proxy.ratelimit_headers import ratelimit_headers
from proxy.relaying import RelayParts
from proxy.reply import Reply
from proxy.route_runner import SLACK_S, RouteRun, RouteRunner
from proxy.route_steps import check_access
from proxy.snapshot import Snapshot, SnapshotHolder
from proxy.stages.authenticate import authenticate, check_usable
from proxy.stages.authorize import authorize
from proxy.stages.forward import forward, problem_of
from proxy.stages.plan import SettingChooser, asked_timeout_s
from proxy.stages.read_body import read_body
from proxy.stages.relay import relay
from proxy.stages.reserve import check_metered, reserve
from proxy.stages.settle import Settler
from proxy.upstream import Upstream, UpstreamError, UpstreamTimeout
from proxy.visit import Visit
from proxy.watch import Sweeper

CLIENT_CLOSED_REQUEST = 499


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pipeline works with, put together by application.py."""

    config: ProxyConfig
    directory: KeyDirectory
    snapshots: SnapshotHolder
    ledger: Ledger
    upstream: Upstream
    chooser: SettingChooser
    routes: RouteRunner
    answers: AnswerCache
    settler: Settler
    access_log: AccessLog
    sweeper: Sweeper


class Pipeline:
    """Answers requests. Every request of a known key is recorded exactly once, refused ones too."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._relay_parts = RelayParts(parts.settler, parts.ledger, parts.config.max_logged_body_bytes)

    async def handle(self, request: IncomingRequest, call: Call, read: ReadContent, reply: Reply) -> None:
        """Answer one request. Raises Problem while nothing has been sent yet."""
        parts = self._parts
        key = await authenticate(request, parts.directory)
        watch = parts.sweeper.watch(parts.config.body_timeout_s)
        visit = Visit(request, key, watch, call)
        try:
            await self._serve(visit, call, read, reply)
        except Problem as problem:
            if reply.started:
                raise
            await self._refuse(visit, problem)
            raise
        except (asyncio.CancelledError, ClientGone):
            await self._leave(visit, reply)
        except Exception:
            # Whatever broke, what was reserved and sent has to be in the books.
            visit.meter.ending, visit.meter.error_code = "upstream_failed", "answer_broken"
            visit.meter.status = reply.status or InternalError.status
            await parts.settler.close_surely(visit)
            raise
        finally:
            parts.sweeper.forget(watch)
            parts.access_log.write(visit, reply)

    async def _serve(self, visit: Visit, call: Call, read: ReadContent, reply: Reply) -> None:
        parts, request, key = self._parts, visit.request, visit.key
        snapshot = parts.snapshots.current  # one snapshot for the whole request
        parts.settler.check_room()
        check_usable(key)
        authorize(request, key)
        body = visit.body = read_body(request, call, await self._content(visit, read))
        if call.route is not None:
            await self._serve_route(visit, snapshot, read, reply)
            return
        plan = visit.plan = parts.chooser.plan(request, key, call, body, snapshot)
        check_metered(key, call, body, plan)
        reservation = visit.reservation = await reserve(request, key, plan, parts.ledger)
        parts.sweeper.expect_answer(visit.watch, read.receive, plan.timeout_s)
        reply.add_headers(ratelimit_headers(reservation, request.arrived_at))
        asking = forward(visit, plan, body, (parts.upstream, parts.chooser))
        await self._exchange(visit, asking, reply, self._relay_parts)

    async def _serve_route(self, visit: Visit, snapshot: Snapshot, read: ReadContent, reply: Reply) -> None:
        """The same for a route: from what it keeps, where it keeps answers, or by running it."""
        parts, call, body = self._parts, visit.call, visit.body
        if call is None or call.route is None or body is None:
            raise ValueError("the visit is of no route")
        if call.route.cache is None:
            await self._run_route(parts.routes.begin(visit, body, snapshot, reply), read, None)
            return
        check_access(visit.key, call.route)
        timeout_s = min(asked_timeout_s(visit.request, call.route.deadline_s), call.route.deadline_s)
        parts.sweeper.expect_answer(visit.watch, read.receive, timeout_s)
        deadline = visit.watch.deadline

        async def ask(keeper: Keeper | None) -> None:
            run = parts.routes.begin(visit, body, snapshot, reply)
            run.deadline = min(run.deadline, deadline)  # it may have waited for somebody else's answer
            await self._run_route(run, read, keeper)

        wanted = parts.answers.wanted(visit, snapshot)
        try:
            await parts.answers.serve(wanted, reply, ask, lambda hit: answer_hit(visit, hit, reply, self._relay_parts))
        except asyncio.CancelledError:
            if visit.meter.recorded or not visit.watch.timed_out():
                raise
            raise self._failed(visit, UpstreamTimeout("no complete answer in time"), reply) from None

    async def _run_route(self, run: RouteRun, read: ReadContent, keeper: Keeper | None) -> None:
        """Ask a route's steps; attempts after the first are planned and reserved on the way. keeper: of the answer."""
        parts, visit = self._parts, run.visit
        if visit.plan is None:
            raise ValueError("a route begins with the plan of its first attempt")
        reservation = visit.reservation = await reserve(visit.request, visit.key, visit.plan, parts.ledger)
        run.held_nano = visit.plan.estimate_nano
        parts.sweeper.expect_answer(visit.watch, read.receive, run.timeout_s + SLACK_S)
        run.reply.add_headers(ratelimit_headers(reservation, visit.request.arrived_at))
        if keeper is None:
            await self._exchange(visit, parts.routes.ask(run), run.reply, self._relay_parts)
        else:
            asking = keeper.asked(parts.routes.ask(run))
            await self._exchange(visit, asking, run.reply, keeper.relay_parts(self._relay_parts))

    async def _content(self, visit: Visit, read: ReadContent) -> bytes:
        try:
            return await read()
        except ClientGone:
            visit.watch.reason = "client_left"
            raise
        except asyncio.CancelledError:
            if not visit.watch.timed_out():
                raise
            visit.watch.reason = ""
            raise BadRequest("The body came too slowly.", code="body_timeout") from None

    async def _exchange(self, visit: Visit, asking: Awaitable[Answer], reply: Reply, relaying: RelayParts) -> None:
        """Ask the provider and relay its answer. Raises Problem when there is none, and nothing was sent yet."""
        answer = None
        try:
            answer = await asking
            await relay(visit, answer, reply, relaying)
        except UpstreamError as error:
            raise self._failed(visit, error, reply) from error
        except asyncio.CancelledError:
            if not visit.watch.timed_out():
                raise
            raise self._failed(visit, UpstreamTimeout("no complete answer in time"), reply) from None
        finally:
            if answer is not None:
                answer.close()

    def _failed(self, visit: Visit, error: UpstreamError, reply: Reply) -> Exception:
        visit.meter.ending = "upstream_failed"
        if reply.started:
            return error  # a long answer broke in the middle: only closing the connection tells the client
        return problem_of(error, visit.call.adapter.provider if visit.call else "the provider")

    async def _refuse(self, visit: Visit, problem: Problem) -> None:
        """Record what is answered with an error of the gateway's own."""
        meter = visit.meter
        if meter.ending == "completed":
            meter.ending = "refused"
        meter.status, meter.error_code = problem.status, problem.code
        await self._parts.settler.close(visit)

    async def _leave(self, visit: Visit, reply: Reply) -> None:
        """The client left, or the server is stopping: charge what was generated, then go."""
        meter, left = visit.meter, visit.watch.reason == "client_left"
        if not meter.recorded:
            meter.ending = "client_left" if left else "upstream_failed"
            meter.error_code = "client_left" if left else "gateway_stopping"
            meter.status = reply.status or CLIENT_CLOSED_REQUEST
            meter.upstream_ended = clock.perf()
        await self._parts.settler.close_surely(visit)
        if not left:
            raise asyncio.CancelledError
        visit.watch.task.uncancel()
