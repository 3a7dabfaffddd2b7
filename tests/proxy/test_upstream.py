"""Tests of the way to providers: what is sent, how a failure is told apart, what is never called."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator

import pytest

from providers.adapters.base import UpstreamRequest
from proxy.upstream import (
    ConnectFailed,
    GuardedResolver,
    Upstream,
    UpstreamAnswer,
    UpstreamBroken,
    UpstreamError,
)
from tests.upstream import Upstream as Fake
from tests.upstream import upstream_in_thread

BODY = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with upstream_in_thread() as running:
        yield running


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    client = Upstream(connect_timeout_s=0.5)
    await client.start()
    yield client
    await client.close()


def chat(fake: Fake, fault: str = "tokens=3", *, stream: bool = False) -> UpstreamRequest:
    content = BODY[:-1] + b',"stream":true}' if stream else BODY
    headers = [("content-type", "application/json"), ("x-fake-fault", fault)]
    return UpstreamRequest("POST", f"{fake.base_url}/chat/completions", headers, content)


async def chunks_of(answer: UpstreamAnswer) -> bytes:
    return b"".join([chunk async for chunk in answer.chunks()])


async def test_it_sends_what_it_is_told_and_nothing_else(upstream: Upstream, fake: Fake) -> None:
    url = f"{fake.base_url}/a%2Fb/%3A;x?q=%20+&r"
    answer = await upstream.send(UpstreamRequest("POST", url, [("x-a", "1"), ("x-a", "2")], b"\x00\xff"))
    assert (answer.status, await answer.read()) == (200, await answer.read())
    seen = fake.last()
    assert (seen.target, seen.body) == ("/v1/a%2Fb/%3A;x?q=%20+&r", b"\x00\xff")
    assert [name.lower() for name, _ in seen.headers] == ["host", "x-a", "x-a", "content-length"]


@pytest.mark.parametrize(("method", "length"), [("GET", None), ("POST", "0"), ("DELETE", "0")])
async def test_an_empty_body_stays_empty(upstream: Upstream, fake: Fake, method: str, length: str | None) -> None:
    answer = await upstream.send(UpstreamRequest(method, f"{fake.base_url}/models", (), b""))
    await answer.read()
    assert (fake.last().header("content-length"), fake.last().body) == (length, b"")


async def test_a_stream_comes_chunk_by_chunk(upstream: Upstream, fake: Fake) -> None:
    answer = await upstream.send(chat(fake, "slow=50,tokens=3", stream=True))
    assert answer.head.content_type.startswith(b"text/event-stream")
    pieces = [piece async for piece in answer.chunks()]
    assert len(pieces) > 2
    answer.close()


async def test_a_connection_is_used_again_when_its_answer_was_read(upstream: Upstream, fake: Fake) -> None:
    for _ in range(3):
        answer = await upstream.send(chat(fake))
        await answer.read()
        answer.close()
    assert len({request.connection for request in fake.requests(3)}) == 1


async def test_closing_early_hangs_up(upstream: Upstream, fake: Fake) -> None:
    answer = await upstream.send(chat(fake, "slow=20,tokens=100", stream=True))
    await anext(answer.chunks())
    answer.close()
    ended = await asyncio.to_thread(fake.wait_for_ending, "client-left", 1.0)
    assert ended.chunks < 20


async def test_cancelling_hangs_up(upstream: Upstream, fake: Fake) -> None:
    fake.reset()
    sending = asyncio.ensure_future(upstream.send(chat(fake, "hang")))
    await asyncio.to_thread(fake.wait_for, lambda request: True)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert await asyncio.to_thread(fake.wait_for_ending, "client-left", 1.0)


async def test_a_connection_that_breaks_before_the_answer_was_sent(upstream: Upstream, fake: Fake) -> None:
    with pytest.raises(UpstreamBroken) as caught:
        await upstream.send(chat(fake, "drop"))
    assert caught.value.sent


@pytest.mark.parametrize("fault", ["cut=2", "cut-close=2"])
async def test_a_stream_that_breaks_says_so(upstream: Upstream, fake: Fake, fault: str) -> None:
    answer = await upstream.send(chat(fake, fault, stream=True))
    with pytest.raises(UpstreamBroken):
        await chunks_of(answer)
    answer.close()


async def test_nobody_there_was_never_sent(upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(ConnectFailed) as caught:
        await upstream.send(UpstreamRequest("GET", f"http://127.0.0.1:{port}/", (), b""))
    assert not caught.value.sent


async def test_no_such_host_was_never_sent(upstream: Upstream) -> None:
    with pytest.raises(ConnectFailed):
        await upstream.send(UpstreamRequest("GET", "http://nobody.invalid/", (), b""))


async def test_what_is_no_tls_was_never_sent(upstream: Upstream, fake: Fake) -> None:
    with pytest.raises(ConnectFailed):
        await upstream.send(UpstreamRequest("GET", fake.url.replace("http:", "https:"), (), b""))


async def test_what_is_no_http_is_broken(upstream: Upstream) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(UpstreamBroken):
        await upstream.send(UpstreamRequest("GET", f"http://127.0.0.1:{port}/", (), b""))
    server.close()
    await server.wait_closed()


async def test_redirects_are_not_followed(upstream: Upstream) -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answer = await upstream.send(UpstreamRequest("GET", f"http://127.0.0.1:{port}/", (), b""))
    assert (answer.status, await answer.read()) == (307, b"")
    server.close()
    await server.wait_closed()


async def test_it_has_to_be_started() -> None:
    with pytest.raises(RuntimeError):
        await Upstream(connect_timeout_s=1).send(UpstreamRequest("GET", "http://127.0.0.1/", (), b""))


async def test_a_name_that_leads_to_an_address_nobody_may_call_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = GuardedResolver()
    loop = asyncio.get_running_loop()

    async def lookup(*_: object, **__: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("169.254.169.254", "0.0.0.0")
        ]

    monkeypatch.setattr(loop, "getaddrinfo", lookup)
    with pytest.raises(OSError, match="never called"):
        await resolver.resolve("metadata.example", 80)
    await resolver.close()


async def test_a_name_of_this_machine_resolves() -> None:
    resolver = GuardedResolver()
    assert {found["host"] for found in await resolver.resolve("localhost", 80)} <= {"127.0.0.1", "::1"}
    await resolver.close()


def test_every_failure_is_one_of_ours() -> None:
    assert issubclass(ConnectFailed, UpstreamError)
    assert not issubclass(ssl.SSLError, UpstreamError)
