"""Several addresses of one setting: the healthy one with the least outstanding requests is asked.

Found out on the way: an address that cannot be connected to is left alone until a health check succeeds. Sources for
the check: vLLM's and most model servers' `GET /health`, beside the API's `/v1`.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from urllib.parse import urlsplit

import structlog

from providers.records import ProviderRecord

CHECK_EVERY_S = 2.0
HEALTH_PATH = "/health"
logger = structlog.get_logger("proxy.replicas")

Check = Callable[[str], Awaitable[bool]]
"""Whether a health URL answers; never raises."""


class Replicas:
    """Outstanding requests and health by base URL."""

    def __init__(self) -> None:
        self._outstanding: Counter[str] = Counter()
        self._down: set[str] = set()

    def pick(self, setting: ProviderRecord) -> ProviderRecord:
        """The setting with the address to use. When none is healthy all are tried, as a check may be behind."""
        healthy = [url for url in setting.base_urls if url not in self._down] or list(setting.base_urls)
        return replace(setting, base_url=min(healthy, key=self._outstanding.__getitem__))

    def begin(self, base_url: str) -> None:
        self._outstanding[base_url] += 1

    def end(self, base_url: str) -> None:
        self._outstanding[base_url] -= 1
        if self._outstanding[base_url] <= 0:
            del self._outstanding[base_url]

    def failed(self, base_url: str) -> None:
        """Nobody listens there."""
        if base_url not in self._down:
            self._down.add(base_url)
            logger.warning("replica_down", base_url=base_url)

    @property
    def down(self) -> frozenset[str]:
        """Base URLs that are left alone."""
        return frozenset(self._down)

    async def check(self, settings: Iterable[ProviderRecord], check: Check) -> None:
        """Ask every address of settings that have several, at once."""
        urls = sorted({url for setting in settings for url in setting.base_urls})
        answers = await asyncio.gather(*(check(health_url(url)) for url in urls))
        for url, healthy in zip(urls, answers, strict=True):
            if not healthy:
                self.failed(url)
            elif url in self._down:
                self._down.discard(url)
                logger.info("replica_up", base_url=url)
        self._down &= set(urls)


def health_url(base_url: str) -> str:
    """`http://host:8000/v1` is asked at `http://host:8000/health`."""
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/").removesuffix("/v1")
    return f"{parts.scheme}://{parts.netloc}{path}{HEALTH_PATH}"
