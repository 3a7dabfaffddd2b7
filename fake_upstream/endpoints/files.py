"""Files: upload, list, read, download, delete."""

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import json_reply
from fake_upstream.errors import missing, not_found
from fake_upstream.messages import Answer, Reply
from fake_upstream.objects import Stored, page

COLLECTION = "/files"


def upload_file(call: Call) -> Answer:
    """POST /files, multipart with `purpose` and `file`."""
    sent = call.form.file("file") if call.form else None
    purpose = call.form.text("purpose") if call.form else ""
    if sent is None or not purpose:
        return missing("purpose" if sent else "file")
    return json_reply(store_file(call, sent.filename, sent.content, purpose))


def store_file(call: Call, filename: str, content: bytes, purpose: str) -> Stored:
    """Keep a file and return its document."""
    document = {
        "id": new_id("file-"),
        "object": "file",
        "bytes": len(content),
        "created_at": call.now,
        "expires_at": None,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }
    return call.state.objects.put(COLLECTION, document, content)


def list_files(call: Call) -> Answer:
    """GET /files with `purpose`, `limit`, `after`, `order`."""
    query = call.query
    files = call.state.objects.all(COLLECTION)
    chosen = [item for item in files if item["purpose"] == query.get("purpose", item["purpose"])]
    return json_reply(page(chosen, {"limit": "10000", **query}))


def file_content(call: Call, file_id: str) -> Answer:
    """GET /files/{id}/content."""
    content = call.state.objects.content(file_id)
    if content is None:
        return not_found("file", file_id)
    return Reply(content, content_type="application/octet-stream")


def delete_file(call: Call, file_id: str) -> Answer:
    """DELETE /files/{id}."""
    if not call.state.objects.remove(COLLECTION, file_id):
        return not_found("file", file_id)
    return json_reply({"id": file_id, "object": "file", "deleted": True})
