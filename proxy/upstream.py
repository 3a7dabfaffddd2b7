"""The only importer of aiohttp: sends requests to providers and says precisely how they failed."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from providers.adapters.base import UpstreamRequest
from providers.destinations import is_refused_address
from proxy.headers import answer_head

_HEALTH_S = 3.0
_SKIPPED = frozenset({"User-Agent", "Accept", "Accept-Encoding", "Content-Type"})


class UpstreamError(Exception):
    """The provider gave no complete answer. sent: the request may have reached it (and may be billed)."""

    sent = True


class ConnectFailed(UpstreamError):
    """No connection: the request was never sent."""

    sent = False


class UpstreamTimeout(UpstreamError):
    """Sent, and no complete answer within the time."""


class UpstreamBroken(UpstreamError):
    """Sent, and the connection broke or the answer was no HTTP."""


# What reading a body raises when the provider broke off, or its connection did.
BROKEN: tuple[type[Exception], ...] = (UpstreamError, aiohttp.ClientError, TimeoutError, OSError)


class UpstreamAnswer:
    """A provider's answer; its body comes as it is on the wire (not decompressed)."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.head = answer_head(response.raw_headers)
        self._content: bytes | None = None
        self._closed: Callable[[], None] | None = None

    def when_closed(self, call: Callable[[], None]) -> None:
        """Called once, when the answer is closed."""
        self._closed = call

    async def read(self) -> bytes:
        try:
            if self._content is None:
                self._content = await self._response.read()
            return self._content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error) from error

    def reader(self) -> Callable[[], Awaitable[bytes]]:
        """What gives the next piece of the body, b"" at its end; for who reads nothing else.

        It raises one of BROKEN, untranslated: a layer around each piece is what a stream of many would spend most on.
        """
        return self._response.content.readany if self._content is None else self._read_once

    async def _read_once(self) -> bytes:
        content, self._content = self._content or b"", b""
        return content

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises UpstreamError when it ends before its end."""
        if self._content is not None:
            yield self._content
            return
        content = self._response.content
        try:
            while True:
                chunk = await content.readany()
                if not chunk:
                    return
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error) from error

    @property
    def finished(self) -> bool:
        """True when the body has been read to its end."""
        return self._response.content.at_eof()

    def close(self) -> None:
        """Hand the connection back if the body was read to its end, close it if not."""
        if self._closed is not None:
            self._closed()
            self._closed = None
        if self.finished:
            self._response.release()
        else:
            self._response.close()


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses addresses that only a machine's own cloud metadata service has.

    A setting's url is checked when it is entered; a name may resolve elsewhere by the time it is used.
    """

    def __init__(self) -> None:
        self._resolver = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [result for result in found if not _is_refused(result["host"])]
        if found and not allowed:
            raise OSError(f"{host} resolves to a link-local or unspecified address, which is never called")
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


def _is_refused(address: str) -> bool:
    return is_refused_address(ipaddress.ip_address(address.split("%", 1)[0]))


class Upstream:
    """One pooled HTTP client. No redirects, no cookies, no decompression, no retries."""

    def __init__(self, *, connect_timeout_s: float) -> None:
        # Only connecting is timed here: the whole exchange has its deadline in watch.py.
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, resolver=GuardedResolver()),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SKIPPED,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, request: UpstreamRequest, connect_s: float | None = None) -> UpstreamAnswer:
        """The head of the answer. connect_s: the most that connecting may take, if less. Raises UpstreamError."""
        if self._session is None:
            raise RuntimeError("Upstream.start() was not called")
        try:
            response = await self._session.request(
                request.method,
                # encoded: the path goes out as the client sent it; yarl would rewrite "..", "%2e" and "%3A".
                URL(request.url, encoded=True),
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
                timeout=self._timeout if connect_s is None else self._connecting_within(connect_s),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translated(error) from error
        return UpstreamAnswer(response)

    def _connecting_within(self, connect_s: float) -> aiohttp.ClientTimeout:
        within_s = min(connect_s, self._timeout.sock_connect or connect_s)
        return aiohttp.ClientTimeout(total=None, connect=within_s, sock_connect=within_s)

    async def answers(self, url: str) -> bool:
        """Whether a GET is answered, with anything but a server's error, within a few seconds."""
        try:
            async with asyncio.timeout(_HEALTH_S):
                answer = await self.send(UpstreamRequest("GET", url, (), b""))
        except (UpstreamError, TimeoutError):
            return False
        answer.close()
        return answer.status < 500


def _translated(error: BaseException) -> UpstreamError:
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return ConnectFailed(str(error))
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return UpstreamTimeout("no complete answer in time")
    if isinstance(error, aiohttp.InvalidURL):
        return ConnectFailed("the setting's url is not a URL")
    return UpstreamBroken(type(error).__name__)
