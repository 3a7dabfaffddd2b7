"""Small pieces of the pipeline for its unit tests."""

from collections.abc import Sequence
from typing import Any

from providers.adapters.base import UpstreamRequest
from providers.adapters.openai import OpenAIAdapter
from providers.records import ProviderRecord
from proxy.flow import Body, Call, IncomingRequest, Meter, Plan, read_headers
from proxy.stages.read_body import read_body
from proxy.visit import Visit
from proxy.watch import Sweeper
from tests.proxy_gateway import key, price

OPENAI = OpenAIAdapter()


def incoming(
    tail: str = "/chat/completions",
    *,
    method: str = "POST",
    headers: Sequence[tuple[bytes, bytes]] = (),
    query: str = "",
) -> IncomingRequest:
    """A request for a path after /v1."""
    return IncomingRequest(
        id="01900000-0000-7000-8000-000000000001",
        method=method,
        path=OPENAI.path_prefix + tail,
        query=query,
        headers=headers,
        started=0.0,
        arrived_at=1_800_000_000,
        read=read_headers(headers),
    )


def call_of(tail: str = "/chat/completions", method: str = "POST") -> Call:
    return Call(OPENAI, OPENAI.operation(method, tail), tail)


def body_of(content: bytes = b"{}", tail: str = "/chat/completions") -> Body:
    """A JSON body as the pipeline reads it."""
    request = incoming(tail, headers=[(b"content-type", b"application/json")])
    return read_body(request, call_of(tail), content)


def visit_of(tail: str = "/chat/completions", content: bytes = b"{}", **changes: Any) -> Visit:
    """A request that has been read, planned and sent. Needs a running event loop."""
    body = body_of(content, tail)
    plan = Plan(
        setting=ProviderRecord(id="setting-1", provider="openai", base_url="http://upstream/v1"),
        request=UpstreamRequest("POST", "http://upstream/v1" + tail, (), content),
        timeout_s=60.0,
        price=price(),
        estimate_nano=1000,
        usage_forced=changes.pop("usage_forced", False),
    )
    meter = Meter(sent=True, attempts=1, status=200)
    values = {"call": call_of(tail), "body": body, "plan": plan, "meter": meter, "key": key(), **changes}
    return Visit(incoming(tail), watch=Sweeper().watch(60), **values)


class Sent:
    """What an application sends, as a server would take it."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def complete(self) -> bool:
        return bool(self.messages) and self.messages[-1].get("more_body") is False
