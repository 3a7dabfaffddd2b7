"""ASGI in and out: the only module that knows HTTP messages."""

import structlog

from gateway_project.shared import clock
from gateway_project.shared.ids import new_event_id
from gateway_project.shared.problems import InternalError, NotFound, Problem
from providers.adapters.base import Adapter
from proxy import cors, paths
from proxy.config import ProxyConfig
from proxy.content import ReadContent, declared_length
from proxy.dialects import openai_body, problem_headers
from proxy.flow import Call, IncomingRequest, read_headers
from proxy.messages import Receive, Scope, Send
from proxy.pipeline import Pipeline
from proxy.reply import Reply
from proxy.upstream import UpstreamError

CALLS_KEPT = 4096
LONGEST_PATH_KEPT = 200
logger = structlog.get_logger("proxy.endpoint")


class Endpoint:
    """The proxy listener's paths: providers, health, readiness."""

    def __init__(self, config: ProxyConfig, adapters: tuple[Adapter, ...], pipeline: Pipeline) -> None:
        self._config = config
        self._adapters = adapters
        self._pipeline = pipeline
        self._calls: dict[tuple[str, str], Call] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, request_id = clock.perf(), new_event_id()
        extra = [(b"x-request-id", request_id.encode())]
        read = read_headers(scope["headers"])
        if origin := read.get(b"origin"):
            extra += cors.answer_headers(origin, self._config.cors_allowed_origins)
        reply = Reply(send, extra)
        try:
            if scope["method"] == "OPTIONS":
                await reply.whole(204, cors.preflight_headers(read), b"")
                return
            request = _request(scope, read, request_id, started)
            call = self._call(request)
            length = declared_length(read.get(b"content-length", b""))
            content = ReadContent(receive, length, self._config.max_body_bytes)
            await self._pipeline.handle(request, call, content, reply)
        except Problem as problem:
            if reply.started:
                raise  # only closing the connection tells the client now
            await _render(problem, reply)
        except UpstreamError:
            raise  # the answer had begun: the server closes the connection, which is the only error left to tell
        except Exception:
            logger.exception("request_failed", request_id=request_id)
            if reply.started:
                raise
            await _render(InternalError("The gateway failed; its log has the cause under this request id."), reply)

    def _call(self, request: IncomingRequest) -> Call:
        """What is called: most requests go to a handful of paths, so those seen are kept."""
        known = (request.method, request.path)
        call = self._calls.get(known)
        if call is None:
            call = self._found_call(request)
            if len(self._calls) >= CALLS_KEPT:
                self._calls.clear()
            if len(request.path) <= LONGEST_PATH_KEPT:  # nobody has shown a key yet: what they fill must stay small
                self._calls[known] = call
        return call

    def _found_call(self, request: IncomingRequest) -> Call:
        for adapter in self._adapters:
            prefix = adapter.path_prefix
            if request.path.startswith(prefix) and request.path[len(prefix) : len(prefix) + 1] == "/":
                paths.check_path(request.path)
                tail = request.path[len(prefix) :]
                return Call(adapter, adapter.operation(request.method, tail), tail)
        raise NotFound(f"{request.path} is no path of this gateway.", code="path_not_found")


def _request(scope: Scope, read: dict[bytes, bytes], request_id: str, started: float) -> IncomingRequest:
    raw_path = scope.get("raw_path") or scope["path"].encode()
    return IncomingRequest(
        id=request_id,
        method=scope["method"],
        path=raw_path.decode("latin-1").partition("?")[0],
        query=scope["query_string"].decode("latin-1"),
        headers=scope["headers"],
        started=started,
        arrived_at=clock.now(),
        read=read,
    )


async def _render(problem: Problem, reply: Reply) -> None:
    await reply.whole(problem.status, problem_headers(problem), openai_body(problem))
