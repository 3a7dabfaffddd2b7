"""Tests of watching requests in flight."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.watch import WATCH_AFTER_S, Sweeper, Watch


async def started(sweeper: Sweeper, within_s: float, work: Callable[[Watch], Awaitable[Any]]) -> asyncio.Task[Any]:
    async def run() -> Any:
        watch = sweeper.watch(within_s)
        try:
            return await work(watch)
        finally:
            sweeper.forget(watch)

    task = asyncio.ensure_future(run())
    await asyncio.sleep(0)
    return task


class Client:
    """A client that leaves when told."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.watched = False

    async def receive(self) -> dict[str, Any]:
        self.watched = True
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_what_takes_too_long_is_cancelled_and_knows_why() -> None:
    sweeper = Sweeper()

    async def work(watch: Watch) -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            assert watch.timed_out()
        await asyncio.sleep(0)  # it goes on as if nothing had happened
        return watch.reason

    task = await started(sweeper, 0.01, work)
    await asyncio.sleep(0.02)
    sweeper.sweep()
    assert await task == "deadline"
    assert not task.cancelled()
    assert task.cancelling() == 0


async def test_a_client_that_leaves_is_noticed_once_its_answer_takes_long() -> None:
    sweeper, client = Sweeper(), Client()

    async def work(watch: Watch) -> str:
        sweeper.expect_answer(watch, client.receive, 60)
        watch.started -= WATCH_AFTER_S
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            assert not watch.timed_out()
        return watch.reason

    task = await started(sweeper, 60, work)
    sweeper.sweep()
    await asyncio.sleep(0)
    assert client.watched
    client.left.set()
    assert await task == "client_left"


async def test_nobody_waits_for_the_client_of_a_quick_answer() -> None:
    sweeper, client = Sweeper(), Client()

    async def work(watch: Watch) -> None:
        sweeper.expect_answer(watch, client.receive, 60)
        await asyncio.sleep(0.01)

    task = await started(sweeper, 60, work)
    sweeper.sweep()
    await task
    sweeper.sweep()
    await asyncio.sleep(0)
    assert not client.watched


async def test_once_the_books_are_closed_nothing_is_cancelled() -> None:
    sweeper = Sweeper()

    async def work(watch: Watch) -> str:
        watch.disarm()
        await asyncio.sleep(0.03)
        return watch.reason

    task = await started(sweeper, 0.0, work)
    sweeper.sweep()
    sweeper.cancel_all()
    assert await task == "disarmed"


async def test_a_process_that_stops_ends_what_runs() -> None:
    sweeper = Sweeper()

    async def work(watch: Watch) -> None:
        await asyncio.sleep(10)

    tasks = [await started(sweeper, 60, work) for _ in range(3)]
    sweeper.cancel_all()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)


async def test_the_first_reason_counts() -> None:
    sweeper = Sweeper()
    watch = sweeper.watch(60)
    watch.reason = "client_left"
    watch.cancel("deadline")
    watch.disarm()
    assert watch.reason == "client_left"
    assert not watch.timed_out()


async def test_sweeping_goes_on_by_itself() -> None:
    sweeper = Sweeper()

    async def work(watch: Watch) -> None:
        await asyncio.sleep(10)

    task = await started(sweeper, 0.01, work)
    sweeping = asyncio.ensure_future(sweeper.run())
    with pytest.raises(asyncio.CancelledError):
        await task
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)


def test_only_a_task_is_watched() -> None:
    with pytest.raises(RuntimeError):
        Sweeper().watch(1)
