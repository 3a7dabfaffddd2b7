"""Tests of batches and of the search of a vector store."""

import json
from typing import Any

from openai import OpenAI

LINE = {
    "custom_id": "one",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]},
}


def test_it_completes_a_batch_with_usage_per_line(client: OpenAI) -> None:
    file = client.files.create(file=json.dumps(LINE).encode(), purpose="batch")
    made = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert made.status == "validating"
    done = client.batches.retrieve(made.id)
    assert (done.status, [batch.id for batch in client.batches.list()]) == ("completed", [made.id])
    output = json.loads(client.files.content(done.output_file_id or "").content)
    assert output["custom_id"] == "one"
    assert output["response"]["body"]["usage"]["total_tokens"] == 24


def test_it_cancels_a_batch(client: OpenAI) -> None:
    file = client.files.create(file=b"", purpose="batch")
    made = client.batches.create(input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h")
    assert client.batches.cancel(made.id).status == "cancelling"


def test_it_finds_the_files_of_a_vector_store(client: OpenAI) -> None:
    file: Any = ("notes.txt", b"foxes rest under trees")
    uploaded = client.files.create(file=file, purpose="assistants")
    store = client.vector_stores.create(name="notes")
    client.vector_stores.files.create(store.id, file_id=uploaded.id)
    hits = client.vector_stores.search(store.id, query="foxes").data
    assert (hits[0].filename, hits[0].content[0].text) == ("notes.txt", "foxes rest under trees")
