"""Anthropic's models, files and message batches."""

from datetime import UTC, datetime
from typing import Any

import orjson

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import json_reply
from fake_upstream.endpoints.messages import finished_message
from fake_upstream.endpoints.models import UNKNOWN_MODEL
from fake_upstream.errors import bad_request, not_found, unknown_model
from fake_upstream.messages import Answer, Reply
from fake_upstream.objects import Stored

MODELS = ("claude-haiku-4-5-20251001", "claude-opus-4-8", "claude-sonnet-5")
# As the provider has it: its own host, whoever asked.
RESULTS_URL = "https://api.anthropic.com/v1/messages/batches/{}/results"
_BATCHES, _FILES = "/messages/batches", "/anthropic/files"
_DAY_S = 86_400


def answer(call: Call) -> Answer | None:
    """The endpoint's answer; None for another path."""
    method, segments = call.request.method, call.path.strip("/").split("/")
    if segments[0] == "models" and method == "GET":
        return _models(call, "/".join(segments[1:]))
    if segments[0] == "files":
        return _files(call, method, segments[1:])
    if segments[:2] == ["messages", "batches"]:
        return _batches(call, method, segments[2:])
    return None


def _models(call: Call, name: str) -> Answer:
    if not name:
        return json_reply(_page(call, [_model(each) for each in MODELS]))
    return unknown_model(name) if name == UNKNOWN_MODEL else json_reply(_model(name))


def _model(name: str) -> Stored:
    return {"type": "model", "id": name, "display_name": name.title(), "created_at": "2025-09-29T00:00:00Z"}


def _files(call: Call, method: str, rest: list[str]) -> Answer | None:
    objects = call.state.objects
    if not rest:
        return _upload(call) if method == "POST" else json_reply(_page(call, objects.all(_FILES)))
    file = objects.get(_FILES, rest[0])
    if file is None:
        return not_found("file", rest[0])
    if method == "DELETE":
        objects.remove(_FILES, rest[0])
        return json_reply({"id": rest[0], "type": "file_deleted"})
    if rest[1:] == ["content"]:
        return Reply(objects.content(rest[0]) or b"", content_type="application/octet-stream")
    return json_reply(file)


def _upload(call: Call) -> Answer:
    sent = call.form.file("file") if call.form else None
    if sent is None:
        return bad_request("file: Field required")
    document = {
        "id": new_id("file_"),
        "type": "file",
        "filename": sent.filename,
        "mime_type": "text/plain",
        "size_bytes": len(sent.content),
        "created_at": _time(call.now),
        "downloadable": True,
    }
    return json_reply(call.state.objects.put(_FILES, document, sent.content))


def _batches(call: Call, method: str, rest: list[str]) -> Answer | None:
    objects = call.state.objects
    if not rest:
        return _create(call) if method == "POST" else json_reply(_page(call, objects.all(_BATCHES)))
    batch = objects.get(_BATCHES, rest[0])
    if batch is None:
        return not_found("batch", rest[0])
    if rest[1:] == ["results"]:
        return Reply(objects.content(rest[0]) or b"", content_type="application/binary")
    if method == "DELETE":
        objects.remove(_BATCHES, rest[0])
        return json_reply({"id": rest[0], "type": "message_batch_deleted"})
    if rest[1:] == ["cancel"]:
        batch.update(processing_status="canceling", cancel_initiated_at=_time(call.now))
    elif batch["processing_status"] == "in_progress":
        _end(call, batch)
    return json_reply(batch)


def _create(call: Call) -> Answer:
    asked = call.member("requests")
    if not isinstance(asked, list) or not asked:
        return bad_request("requests: Field required")
    results = b"".join(orjson.dumps(_result(call, request)) + b"\n" for request in asked)
    document = {
        "id": new_id("msgbatch_"),
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": _counts(processing=len(asked)),
        "created_at": _time(call.now),
        "expires_at": _time(call.now + _DAY_S),
        "ended_at": None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    }
    return json_reply(call.state.objects.put(_BATCHES, document, results))


def _end(call: Call, batch: Stored) -> None:
    """It is done when somebody looks."""
    done = _counts(succeeded=batch["request_counts"]["processing"])
    url = RESULTS_URL.format(batch["id"])
    batch.update(processing_status="ended", ended_at=_time(call.now), request_counts=done, results_url=url)


def _result(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    message = finished_message(call, request.get("params", {}))
    return {"custom_id": request.get("custom_id"), "result": {"type": "succeeded", "message": message}}


def _counts(**changes: int) -> dict[str, int]:
    return dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0) | changes


def _page(call: Call, items: list[Stored]) -> Stored:
    """A page of a list, oldest first: `after_id` and `limit` honoured."""
    ids = [item["id"] for item in items]
    start = ids.index(call.query["after_id"]) + 1 if call.query.get("after_id") in ids else 0
    limit = int(call.query.get("limit", "20"))
    shown = items[start : start + limit]
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {"first_id": None, "last_id": None}
    return {"data": shown, "has_more": len(items) > start + limit, **ends}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
