"""ASGI in and out: the only module that knows HTTP messages."""

import structlog

from gateway_project.shared import clock
from gateway_project.shared.ids import new_event_id
from gateway_project.shared.problems import InternalError, Problem
from providers.adapters.base import ErrorDialect
from proxy import cors
from proxy.calls import CallFinder
from proxy.config import ProxyConfig
from proxy.content import ReadContent, declared_length
from proxy.dialects import body_of, problem_headers
from proxy.flow import IncomingRequest, read_headers
from proxy.messages import Receive, Scope, Send
from proxy.pipeline import Pipeline
from proxy.reply import Reply
from proxy.upstream import UpstreamError

logger = structlog.get_logger("proxy.endpoint")


class Endpoint:
    """The proxy listener's paths: providers, health, readiness."""

    def __init__(self, config: ProxyConfig, calls: CallFinder, pipeline: Pipeline) -> None:
        self._config = config
        self._calls = calls
        self._pipeline = pipeline
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, request_id = clock.perf(), new_event_id()
        extra = [(b"x-request-id", request_id.encode())]
        read = read_headers(scope["headers"])
        if origin := read.get(b"origin"):
            extra += cors.answer_headers(origin, self._config.cors_allowed_origins)
        reply = Reply(send, extra)
        dialect: ErrorDialect = "openai"
        self.in_flight += 1
        try:
            if scope["method"] == "OPTIONS":
                await reply.whole(204, cors.preflight_headers(read), b"")
                return
            request = _request(scope, read, request_id, started)
            call = self._calls.find(request)
            dialect = call.adapter.error_dialect
            length = declared_length(read.get(b"content-length", b""))
            content = ReadContent(receive, length, self._config.max_body_bytes)
            await self._pipeline.handle(request, call, content, reply)
        except Problem as problem:
            if reply.started:
                raise  # only closing the connection tells the client now
            await _render(problem, reply, dialect, request_id)
        except UpstreamError:
            raise  # the answer had begun: the server closes the connection, which is the only error left to tell
        except Exception:
            logger.exception("request_failed", request_id=request_id)
            if reply.started:
                raise
            await _render(
                InternalError("The gateway failed; its log has the cause under this request id."),
                reply,
                dialect,
                request_id,
            )
        finally:
            self.in_flight -= 1


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


async def _render(problem: Problem, reply: Reply, dialect: ErrorDialect, request_id: str) -> None:
    headers = problem_headers(problem, dialect, request_id)
    await reply.whole(problem.status, headers, body_of(problem, dialect, request_id))
