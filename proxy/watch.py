"""Watches requests in flight: for clients that leave, bodies that do not come, answers that take too long.

One sweep over all of them instead of timers for each: a request that ends soon costs a dictionary entry.
"""

import asyncio
import time
from typing import Literal

from proxy.messages import Receive

SWEEP_EVERY_S = 0.1
# Answers that come sooner need no task that waits for their client to leave, and most refusals and short ones do.
WATCH_AFTER_S = 0.25

Reason = Literal["", "client_left", "deadline", "disarmed", "stopping"]


class Watch:
    """One request being watched. reason: why its task was cancelled, "" while it was not."""

    __slots__ = ("deadline", "reason", "receive", "started", "task", "watcher")

    def __init__(self, task: asyncio.Task[None], started: float, deadline: float) -> None:
        self.task = task
        self.started = started
        self.deadline = deadline
        self.reason: Reason = ""
        self.receive: Receive | None = None
        self.watcher: asyncio.Task[None] | None = None

    def disarm(self) -> None:
        """The books are closed: whatever happens to the client or the clock, the task goes on."""
        if not self.reason:
            self.reason = "disarmed"

    def timed_out(self) -> bool:
        """True, once, for the cancellation that came from the deadline; the task is no longer being cancelled then."""
        if self.reason != "deadline":
            return False
        self.task.uncancel()
        return True

    def cancel(self, reason: Reason) -> None:
        if not self.reason:
            self.reason = reason
            self.task.cancel()

    async def wait_for_disconnect(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.cancel("client_left")


class Sweeper:
    """Knows every watched request. Times are time.monotonic()'s."""

    def __init__(self) -> None:
        self._watched: dict[Watch, None] = {}

    def watch(self, within_s: float) -> Watch:
        """Watch the current task: it is cancelled with reason "deadline" after within_s."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be watched")
        now = time.monotonic()
        watch = Watch(task, now, now + within_s)
        self._watched[watch] = None
        return watch

    def expect_answer(self, watch: Watch, receive: Receive, within_s: float) -> None:
        """The body is here: from now on a client that leaves is noticed, and the answer has within_s."""
        watch.receive = receive
        watch.deadline = time.monotonic() + within_s

    def forget(self, watch: Watch) -> None:
        """Nothing cancels the task any more."""
        self._watched.pop(watch, None)
        if watch.watcher is not None and not watch.watcher.done():
            watch.watcher.cancel()

    def cancel_all(self) -> None:
        """The process stops: end every request that still runs."""
        for watch in list(self._watched):
            watch.cancel("stopping")

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            self.sweep()

    def sweep(self) -> None:
        now = time.monotonic()
        for watch in list(self._watched):
            if now >= watch.deadline:
                watch.cancel("deadline")
            elif watch.receive is not None and watch.watcher is None and now - watch.started >= WATCH_AFTER_S:
                watch.watcher = asyncio.ensure_future(watch.wait_for_disconnect(watch.receive))
