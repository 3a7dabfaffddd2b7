"""Runs of threads that stream."""

import json

import httpx

from tests.upstream import Upstream


def test_a_run_streams_named_events_and_is_stored(upstream: Upstream) -> None:
    url = f"{upstream.base_url}/threads/t1/runs"
    answer = httpx.post(url, json={"assistant_id": "a", "stream": True})
    names = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names[0] == "thread.run.created"
    assert names[-3:] == ["thread.run.step.completed", "thread.run.completed", "done"]
    assert names.count("thread.message.delta") == 16
    first = json.loads(answer.text.split("data: ")[1].split("\n")[0])
    assert (first["usage"], first["status"]) == (None, "queued")
    assert httpx.get(f"{url}/{first['id']}").json()["usage"]["total_tokens"] == 28


def test_what_is_no_run_does_not_stream(upstream: Upstream) -> None:
    answer = httpx.post(f"{upstream.base_url}/threads", json={"stream": True})
    assert answer.json()["object"] == "thread"
    missing = httpx.post(f"{upstream.base_url}/threads/t1/runs/r1/submit_tool_outputs", json={"stream": True})
    assert missing.status_code == 404
