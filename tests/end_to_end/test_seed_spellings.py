"""Paths as the seed's documents spell them, and usage that only the answer tells."""

import io
import struct
import wave
from typing import Any

import pytest
from openai import OpenAI

from tests.proxy_gateway import Caller, RunningProxy
from tests.upstream import Upstream

# The API has been shut down at OpenAI; Azure and compatible servers have it, and so has the SDK.
SDK_DEPRECATED = pytest.mark.filterwarnings("ignore:.*[Dd]eprecated.*:DeprecationWarning")
# 12 tokens in, 16 out, at gpt-4o-mini's price.
RUN_NANO = -(-(12 * 100 + 16 * 400) // 1000)


def talk() -> bytes:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(struct.pack("<h", 0) * 8000)
    return sound.getvalue()


def test_translations_have_an_older_spelling(caller: Caller, upstream: Upstream) -> None:
    form = {"files": {"file": ("talk.wav", talk(), "audio/wav")}, "data": {"model": "whisper-1"}}
    older, newer = caller.post("/audios/translations", **form), caller.post("/audio/translations", **form)
    assert older.json() == newer.json()
    assert [seen.path for seen in upstream.requests()] == ["/v1/audio/translations"] * 2
    first, second = caller.events()
    assert first.path.endswith("/audios/translations")
    assert (first.operation, first.seconds, first.cost_nano) == (second.operation, second.seconds, second.cost_nano)
    assert first.cost_nano == 100_000


def test_a_post_without_a_body_deletes_a_file(caller: Caller, upstream: Upstream) -> None:
    client = caller.sdk()
    kept = client.files.create(file=("a.txt", b"a"), purpose="assistants")
    answer = caller.post(f"/files/{kept.id}")
    assert (answer.status_code, answer.json()["deleted"]) == (200, True)
    assert (upstream.last().method, upstream.last().path) == ("DELETE", f"/v1/files/{kept.id}")
    assert caller.post(f"/files/{kept.id}").status_code == 404
    event = caller.event(number=3)
    assert (event.method, event.operation, event.price_status) == ("POST", "files", "free")


def test_a_post_with_a_body_is_sent_as_it_is(caller: Caller, upstream: Upstream) -> None:
    caller.post("/files/file-1", json={"name": "x"})
    assert (upstream.last().method, upstream.last().json()) == ("POST", {"name": "x"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/assistants/asst_1/files"),
        ("DELETE", "/assistants/asst_1/files/file-1"),
        ("GET", "/threads/thread_1/messages/msg_1/files/file-1"),
        ("POST", "/threads/thread_1/messages/msg_1"),
        ("GET", "/threads/thread_1/runs/run_1/steps/step_1"),
        ("GET", "/vector_stores/vs_1/file_batches/b_1/files"),
        ("POST", "/threads/thread_1/runs/run_1/cancel"),
    ],
)
def test_older_paths_are_forwarded_as_they_are(caller: Caller, upstream: Upstream, method: str, path: str) -> None:
    with caller.http() as client:
        client.request(method, path, params={"a": "b"})
    assert (upstream.last().method, upstream.last().target) == (method, f"/v1{path}?a=b")


@SDK_DEPRECATED
def test_a_run_is_priced_when_its_answer_tells_usage(caller: Caller) -> None:
    client = caller.sdk()
    thread = client.beta.threads.create()
    run = client.beta.threads.runs.create(thread.id, assistant_id="asst_1")
    assert run.usage is not None
    _, event, made = caller.events()
    assert (event.operation, event.response_model, event.input_tokens, event.output_tokens) == (
        "late_usage", "gpt-4o-mini", 12, 16,
    )  # fmt: skip
    assert (event.price_status, event.usage_source, event.cost_nano) == ("priced", "upstream", RUN_NANO)
    assert (event.upstream_request_id, event.requests, event.key_id) == (run.id, 0, caller.key.id)
    assert (made.operation, made.price_status, made.cost_nano, made.requests) == ("threads", "free", 0, 1)
    # Looking at it, or changing it, tells the same usage again, and costs nothing again.
    client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    client.beta.threads.runs.update(run.id, thread_id=thread.id, metadata={"a": "b"})
    assert [(event.operation, event.cost_nano) for event in caller.events()[3:]] == [("read", 0), ("threads", 0)]


@SDK_DEPRECATED
def test_a_run_that_streams_is_priced_once(gateway: RunningProxy) -> None:
    caller = gateway.caller(cost_limit_nano=10**9, allow_unmetered=True)
    events = list(client_runs(caller.sdk()))
    assert [event.event for event in events][-2:] == ["thread.run.step.completed", "thread.run.completed"]
    late, made = caller.events()
    assert (late.operation, late.price_status, late.cost_nano) == ("late_usage", "priced", RUN_NANO)
    assert (made.stream, made.ending, made.price_status, made.cost_nano) == (True, "completed", "free", 0)


def client_runs(client: OpenAI) -> Any:
    return client.beta.threads.create_and_run(assistant_id="asst_1", stream=True)


def test_what_an_unmetered_answer_does_not_tell_is_unpriced(caller: Caller) -> None:
    caller.post("/fine_tuning/jobs", json={"model": "gpt-4o-mini", "training_file": "file-1"})
    event = caller.event()
    assert (event.operation, event.price_status, event.cost_nano) == ("fine_tuning", "unpriced", 0)
