"""Start the fake upstream: in this process, or in a thread of it."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable

from fake_upstream.app import FakeUpstream
from fake_upstream.call import Options
from fake_upstream.connection import Connection

try:
    from uvloop import new_event_loop
except ImportError:  # Slower, and just as good for a test.
    from asyncio import new_event_loop  # type: ignore[assignment]


async def serve(options: Options, host: str, port: int, *, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set. `ready` is called with the base URL; port 0 picks a free port."""
    loop = asyncio.get_running_loop()
    app = FakeUpstream(options)
    server = await loop.create_server(lambda: Connection(app, loop), host, port, backlog=2048)
    ready(f"http://{host}:{server.sockets[0].getsockname()[1]}")
    try:
        await stop.wait()
    finally:
        server.close()


def run(options: Options, host: str, port: int) -> None:
    """Serve in the main thread until SIGINT or SIGTERM."""

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(options, host, port, ready=lambda url: print(f"listening on {url}", flush=True), stop=stop)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())


class ServerThread:
    """The server in a thread: starts in milliseconds, shares the interpreter lock."""

    def __init__(self, options: Options, host: str = "127.0.0.1", port: int = 0) -> None:
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(options, host, port), daemon=True, name="fake-upstream")
        self.url = ""

    def start(self) -> str:
        """The base URL. Raises RuntimeError when the server does not start."""
        self._thread.start()
        if not self._started.wait(10) or not self.url:
            raise RuntimeError("the fake upstream did not start")
        return self.url

    def stop(self) -> None:
        """Close the listener and end the thread."""
        with contextlib.suppress(RuntimeError):  # The loop has closed already.
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self, options: Options, host: str, port: int) -> None:
        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await serve(options, host, port, ready=self._ready, stop=self._stop)

        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(main())
        finally:
            self._started.set()

    def _ready(self, url: str) -> None:
        self.url = url
        self._started.set()
