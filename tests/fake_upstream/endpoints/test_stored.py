"""Tests of the objects that are all created, listed, read, changed and deleted alike."""

from typing import Any

import openai
import pytest
from openai import OpenAI


def test_it_keeps_vector_stores_with_their_files(client: OpenAI) -> None:
    store = client.vector_stores.create(name="notes")
    client.vector_stores.files.create(store.id, file_id="file-1")
    batch = client.vector_stores.file_batches.create(store.id, file_ids=["file-2", "file-3"])
    assert client.vector_stores.update(store.id, name="other").name == "other"
    assert [item.id for item in client.vector_stores.files.list(store.id)] == ["file-1"]
    assert client.vector_stores.files.retrieve("file-1", vector_store_id=store.id).vector_store_id == store.id
    assert len(client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id).data) == 2
    assert client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id).status == "cancelled"
    assert client.vector_stores.delete(store.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.retrieve(store.id)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # The SDK still has what the provider shut down.
def test_it_runs_threads(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create()
    message = client.beta.threads.messages.create(thread.id, role="user", content="hi")
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    both = client.beta.threads.create_and_run(assistant_id=assistant.id, model="gpt-4o")
    cancelled = client.beta.threads.runs.cancel(run.id, thread_id=thread.id)
    part: Any = message.content[0]
    assert part.text.value == "hi"
    assert (run.status, cancelled.status, run.thread_id) == ("completed", "cancelled", thread.id)
    assert (both.assistant_id, both.model) == (assistant.id, "gpt-4o")


def test_it_lists_fine_tuning_jobs(client: OpenAI) -> None:
    job = client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file="file-1")
    assert [item.id for item in client.fine_tuning.jobs.list()] == [job.id]
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    assert client.fine_tuning.jobs.list_events(job.id).data == []


def test_it_names_what_is_missing(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="file_id"):
        client.post("/vector_stores/vs_1/files", body={}, cast_to=object)
