"""Batches, and the search of a vector store."""

from typing import Any

import orjson

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import json_reply
from fake_upstream.endpoints.chat import prompt_tokens_of, usage_document
from fake_upstream.endpoints.files import store_file
from fake_upstream.errors import missing, not_found
from fake_upstream.messages import Answer
from fake_upstream.objects import Stored, page
from fake_upstream.text import words

COLLECTION = "/batches"
_DAY_S = 86_400


def create_batch(call: Call) -> Answer:
    """POST /batches. The batch is completed at its first GET."""
    for name in ("input_file_id", "endpoint", "completion_window"):
        if not call.member(name):
            return missing(name)
    if call.state.objects.content(call.member("input_file_id")) is None:
        return not_found("file", call.member("input_file_id"))
    document = {
        "id": new_id("batch_"),
        "object": "batch",
        "endpoint": call.member("endpoint"),
        "errors": None,
        "input_file_id": call.member("input_file_id"),
        "completion_window": call.member("completion_window"),
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": call.now,
        "expires_at": call.now + _DAY_S,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": call.member("metadata"),
    }
    return json_reply(call.state.objects.put(COLLECTION, document))


def list_batches(call: Call) -> Answer:
    """GET /batches."""
    return json_reply(page(call.state.objects.all(COLLECTION), call.query))


def get_batch(call: Call, batch_id: str) -> Answer:
    """GET /batches/{id}."""
    batch = call.state.objects.get(COLLECTION, batch_id)
    if batch is None:
        return not_found("batch", batch_id)
    if batch["status"] == "validating":
        _complete(call, batch)
    return json_reply(batch)


def cancel_batch(call: Call, batch_id: str) -> Answer:
    """POST /batches/{id}/cancel."""
    batch = call.state.objects.get(COLLECTION, batch_id)
    if batch is None:
        return not_found("batch", batch_id)
    batch["status"] = "cancelling"
    return json_reply(batch)


def search(call: Call, store_id: str) -> Answer:
    """POST /vector_stores/{id}/search: every file of the store is a hit."""
    if not call.member("query"):
        return missing("query")
    hits = [_hit(call, item["id"]) for item in call.state.objects.all(f"/vector_stores/{store_id}/files")]
    found = {"object": "vector_store.search_results.page", "search_query": [call.member("query")]}
    return json_reply(found | {"data": hits, "has_more": False, "next_page": None})


def _hit(call: Call, file_id: str) -> dict[str, Any]:
    file = call.state.objects.get("/files", file_id) or {}
    text = (call.state.objects.content(file_id) or b"")[:200].decode("utf-8", "replace")
    shown = {"file_id": file_id, "filename": file.get("filename", ""), "score": 0.87, "attributes": {}}
    return shown | {"content": [{"type": "text", "text": text}]}


def _complete(call: Call, batch: Stored) -> None:
    content = call.state.objects.content(batch["input_file_id"]) or b""
    lines = [orjson.loads(line) for line in content.splitlines() if line.strip()]
    output = b"".join(orjson.dumps(_result(call, line)) + b"\n" for line in lines)
    counts = {"total": len(lines), "completed": len(lines), "failed": 0}
    file = store_file(call, "output.jsonl", output, "batch_output")
    batch.update(status="completed", output_file_id=file["id"], completed_at=call.now, request_counts=counts)
    batch.update(model=lines[0].get("body", {}).get("model", "") if lines else "", usage=_usage(output))


def _usage(output: bytes) -> dict[str, Any]:
    """The sum of all results, in the words of the Responses API."""
    results = [orjson.loads(line)["response"]["body"]["usage"] for line in output.splitlines()]
    given = sum(result["prompt_tokens"] for result in results)
    made = sum(result["completion_tokens"] for result in results)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }


def _result(call: Call, line: dict[str, Any]) -> dict[str, Any]:
    asked = line.get("body", {})
    said = words(call.state.options.tokens)
    message = {"role": "assistant", "content": "".join(said)}
    body = {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": call.now,
        "model": asked.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage_document(call, prompt_tokens_of(asked.get("messages", [])), len(said)),
    }
    response = {"status_code": 200, "request_id": new_id("req_"), "body": body}
    return {"id": new_id("batch_req_"), "custom_id": line.get("custom_id"), "response": response, "error": None}
