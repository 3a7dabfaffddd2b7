"""Runs of threads that stream: named events, usage with the steps and with the run, then `done`."""

from collections.abc import Iterator
from typing import Any

import orjson

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import DONE, event
from fake_upstream.endpoints.stored import answer_stored
from fake_upstream.messages import Answer, Chunk, Reply, Stream
from fake_upstream.text import words

_STREAMED = ("runs", "submit_tool_outputs")


def answer_run(call: Call) -> Answer | None:
    """Answer a run that was asked to stream; None for everything else."""
    if call.request.method != "POST" or call.member("stream") is not True:
        return None
    if not call.path.startswith("/threads/") or call.path.rpartition("/")[2] not in _STREAMED:
        return None
    answer = answer_stored(call)
    if not isinstance(answer, Reply) or answer.status != 200:
        return answer
    return Stream(_events(orjson.loads(answer.body), words(call.state.options.tokens)))


def _events(run: dict[str, Any], pieces: list[str]) -> Iterator[Chunk]:
    begun = run | {"status": "queued", "usage": None}
    yield event(begun, name="thread.run.created")
    message = new_id("msg_")
    for piece in pieces:
        content = [{"index": 0, "type": "text", "text": {"value": piece}}]
        delta = {"id": message, "object": "thread.message.delta", "delta": {"content": content}}
        yield event(delta, content=True, name="thread.message.delta")
    step = {"id": new_id("step_"), "object": "thread.run.step", "run_id": run["id"], "usage": run["usage"]}
    yield event(step, name="thread.run.step.completed")
    yield event(run, name="thread.run.completed")
    yield (b"event: done\n" + DONE[0], False)
