"""Everything that is created, listed, read, changed and deleted alike: threads, vector stores, jobs and so on."""

from dataclasses import dataclass, field
from typing import Any

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import json_reply
from fake_upstream.errors import missing, not_found
from fake_upstream.messages import Answer
from fake_upstream.objects import Stored, page


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of stored object: how its ids begin, its `object` member, and what it has when nobody says otherwise."""

    prefix: str
    name: str
    defaults: dict[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()


_COUNTS = {"in_progress": 0, "completed": 1, "failed": 0, "cancelled": 0, "total": 1}
_RUN = {
    "status": "completed",
    "model": "gpt-4o-mini",
    "instructions": "",
    "tools": [],
    "metadata": {},
    "parallel_tool_calls": True,
    "usage": {"prompt_tokens": 12, "completion_tokens": 16, "total_tokens": 28},
}
_JOB = {
    "status": "queued",
    "model": "gpt-4o-mini",
    "training_file": "",
    "result_files": [],
    "hyperparameters": {"n_epochs": "auto"},
    "organization_id": "org-fake",
    "seed": 7,
}

KINDS = {
    "/assistants": Kind(
        "asst_", "assistant", {"tools": [], "metadata": {}, "name": None, "description": None, "instructions": None}
    ),
    "/assistants/*/files": Kind("file-", "assistant.file"),
    "/threads": Kind("thread_", "thread", {"metadata": {}, "tool_resources": {}}),
    "/threads/*/messages": Kind(
        "msg_", "thread.message", {"role": "user", "attachments": [], "metadata": {}, "status": "completed"}
    ),
    "/threads/*/messages/*/files": Kind("file-", "thread.message.file"),
    "/threads/*/runs": Kind("run_", "thread.run", _RUN),
    "/threads/*/runs/*/steps": Kind("step_", "thread.run.step"),
    "/vector_stores": Kind(
        "vs_",
        "vector_store",
        {"name": "", "status": "completed", "usage_bytes": 0, "file_counts": _COUNTS, "metadata": {}},
    ),
    "/vector_stores/*/files": Kind(
        "file-", "vector_store.file", {"status": "completed", "usage_bytes": 0}, ("file_id",)
    ),
    "/vector_stores/*/file_batches": Kind(
        "vsfb_", "vector_store.files_batch", {"status": "completed", "file_counts": _COUNTS}, ("file_ids",)
    ),
    "/fine_tuning/jobs": Kind("ftjob-", "fine_tuning.job", _JOB),
    "/fine_tuning/jobs/*/events": Kind("ftevent-", "fine_tuning.job.event"),
    "/fine_tuning/jobs/*/checkpoints": Kind("ftckpt_", "fine_tuning.job.checkpoint"),
    "/conversations": Kind("conv_", "conversation", {"metadata": {}}),
    "/containers": Kind("cntr_", "container", {"status": "running"}),
    "/evals": Kind("eval_", "eval", {"metadata": {}}),
}
_ACTIONS = {"cancel": "cancelled", "pause": "paused", "resume": "running", "submit_tool_outputs": "completed"}


def answer_stored(call: Call) -> Answer | None:
    """Answer by the table of kinds; None when the path is none of theirs."""
    segments = call.path.strip("/").split("/")
    if segments[0] == "fine_tuning":
        segments = ["/".join(segments[:2]), *segments[2:]]
    if segments == ["threads", "runs"] and call.request.method == "POST":
        return _create_thread_and_run(call)
    last_is_id = len(segments) % 2 == 0
    if last_is_id and segments[-1] == "search":
        return None
    collection = "/" + "/".join(segments[:-1] if last_is_id else segments)
    kind = KINDS.get(_shape(segments[:-1] if last_is_id else segments))
    if kind is not None:
        return _one(call, kind, collection, segments[-1]) if last_is_id else _many(call, kind, collection)
    return _act(call, segments) if segments[-1] in _ACTIONS else _batch_files(call, segments)


def _shape(segments: list[str]) -> str:
    return "/" + "/".join("*" if index % 2 else segment for index, segment in enumerate(segments))


def _many(call: Call, kind: Kind, collection: str) -> Answer | None:
    if call.request.method == "GET":
        return json_reply(page(call.state.objects.all(collection), call.query))
    if call.request.method != "POST":
        return None
    absent = next((name for name in kind.required if not call.member(name)), None)
    return missing(absent) if absent else json_reply(create(call, kind, collection, call.body or {}))


def create(call: Call, kind: Kind, collection: str, members: dict[str, Any]) -> Stored:
    """Store a new object: its defaults, what the client sent, and the ids of what it belongs to."""
    name = members.get("file_id") if kind.prefix == "file-" else None
    owners = collection.strip("/").split("/")
    owned = {f"{owners[i].removesuffix('s').split('/')[-1]}_id": owners[i + 1] for i in range(0, len(owners) - 1, 2)}
    if kind.name == "thread.message":
        members = members | {"content": _message_parts(members.get("content"))}
    head = {"id": name or new_id(kind.prefix), "object": kind.name, "created_at": call.now}
    return call.state.objects.put(collection, head | kind.defaults | owned | members)


def _message_parts(content: Any) -> Any:
    if not isinstance(content, str):
        return content
    return [{"type": "text", "text": {"value": content, "annotations": []}}]


def _one(call: Call, kind: Kind, collection: str, name: str) -> Answer | None:
    item = call.state.objects.get(collection, name)
    if item is None:
        return not_found(kind.name, name)
    if call.request.method == "DELETE":
        call.state.objects.remove(collection, name)
        return json_reply({"id": name, "object": f"{kind.name}.deleted", "deleted": True})
    if call.request.method == "POST":
        item.update(call.body or {})
    return json_reply(item)


def _act(call: Call, segments: list[str]) -> Answer | None:
    *owners, name, action = segments
    item = call.state.objects.get("/" + "/".join(owners), name)
    if item is None:
        return not_found("object", name)
    item["status"] = _ACTIONS[action]
    return json_reply(item)


def _batch_files(call: Call, segments: list[str]) -> Answer | None:
    """GET /vector_stores/{id}/file_batches/{id}/files."""
    if len(segments) != 5 or segments[2] != "file_batches":
        return None
    batch = call.state.objects.get("/" + "/".join(segments[:3]), segments[3]) or {}
    files = [{"id": file_id, **KINDS["/vector_stores/*/files"].defaults} for file_id in batch.get("file_ids", ())]
    shown = [item | {"object": "vector_store.file", "created_at": call.now} for item in files]
    return json_reply(page(shown, call.query))


def _create_thread_and_run(call: Call) -> Answer:
    body = call.body or {}
    thread = create(call, KINDS["/threads"], "/threads", {})
    for message in (body.get("thread") or {}).get("messages", ()):
        create(call, KINDS["/threads/*/messages"], f"/threads/{thread['id']}/messages", message)
    members = {name: value for name, value in body.items() if name != "thread"}
    return json_reply(create(call, KINDS["/threads/*/runs"], f"/threads/{thread['id']}/runs", members))
