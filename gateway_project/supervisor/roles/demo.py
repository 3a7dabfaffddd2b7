"""The fake provider as a child of `--demo`. Never part of a plain start."""

import asyncio
import signal

from django.conf import settings

from fake_upstream.call import Options
from fake_upstream.server import serve
from gateway_project.servers.listening import Announce

_PAUSE_MS = 40.0
_TOKENS = 40


def run(announce: Announce) -> None:
    asyncio.run(_serve(announce))


async def _serve(announce: Announce) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    options = Options(pause_ms=_PAUSE_MS, tokens=_TOKENS, record=False)
    await serve(options, settings.DEMO_HOST, settings.DEMO_PORT, ready=lambda _url: announce(), stop=stop)
