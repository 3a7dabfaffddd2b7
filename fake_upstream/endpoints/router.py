"""Which endpoint answers a path; the echo for every path nobody knows."""

from collections.abc import Callable

from fake_upstream.call import Call
from fake_upstream.endpoints import (
    audio,
    batches,
    chat,
    completions,
    embeddings,
    files,
    images,
    models,
    own_dialect,
    responses,
)
from fake_upstream.endpoints.answers import json_reply
from fake_upstream.endpoints.runs import answer_run
from fake_upstream.endpoints.stored import answer_stored
from fake_upstream.errors import not_found
from fake_upstream.messages import Answer

FIXED: dict[tuple[str, str], Callable[[Call], Answer]] = {
    ("POST", "/chat/completions"): chat.chat_completions,
    ("POST", "/completions"): completions.completions,
    ("POST", "/embeddings"): embeddings.embeddings,
    ("POST", "/responses"): responses.create_response,
    ("POST", "/responses/input_tokens"): responses.input_tokens,
    ("POST", "/moderations"): models.moderations,
    ("GET", "/models"): models.list_models,
    ("POST", "/files"): files.upload_file,
    ("GET", "/files"): files.list_files,
    ("POST", "/audio/speech"): audio.speech,
    ("POST", "/audio/transcriptions"): audio.transcription,
    ("POST", "/audio/translations"): audio.transcription,
    ("POST", "/images/generations"): images.generate_images,
    ("POST", "/images/edits"): images.edit_images,
    ("POST", "/images/variations"): images.vary_images,
    ("POST", "/batches"): batches.create_batch,
    ("GET", "/batches"): batches.list_batches,
    ("POST", "/own/generate"): own_dialect.generate,
    ("PUT", "/own/generate"): own_dialect.generate,
    ("POST", "/own/lines"): own_dialect.generate_lines,
}

NAMED: dict[tuple[str, str, str], Callable[[Call, str], Answer]] = {
    ("GET", "models", ""): models.get_model,
    ("DELETE", "models", ""): models.delete_model,
    ("GET", "files", "content"): files.file_content,
    ("DELETE", "files", ""): files.delete_file,
    ("POST", "files", ""): files.delete_file,
    ("GET", "responses", "input_items"): responses.input_items,
    ("GET", "batches", ""): batches.get_batch,
    ("POST", "batches", "cancel"): batches.cancel_batch,
    ("POST", "vector_stores", "search"): batches.search,
    ("GET", "pictures", ""): images.picture,
}
"""By method, first segment and third segment; the second is the name."""

ASKS_A_MODEL = frozenset(
    {
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/responses",
        "/audio/speech",
        "/audio/transcriptions",
        "/audio/translations",
    }
)
"""Where a missing `model` is an error."""


def answer(call: Call) -> Answer:
    """The endpoint's answer, or an echo."""
    endpoint = FIXED.get((call.request.method, call.path))
    if endpoint is not None:
        return endpoint(call)
    return _named(call) or answer_run(call) or answer_stored(call) or _echo(call)


def _named(call: Call) -> Answer | None:
    segments = call.path.strip("/").split("/")
    if len(segments) not in (2, 3):
        return None
    name = segments[1]
    endpoint = NAMED.get((call.request.method, segments[0], "/".join(segments[2:])))
    if endpoint is not None:
        return endpoint(call, name)
    if len(segments) == 2 and segments[0] in ("files", "responses"):
        return _stored_document(call, "/" + segments[0], name)
    return None


def _stored_document(call: Call, collection: str, name: str) -> Answer | None:
    """GET /files/{id}, GET and DELETE /responses/{id}."""
    item = call.state.objects.get(collection, name)
    if item is None:
        return not_found(collection.strip("/").removesuffix("s"), name)
    if call.request.method == "DELETE":
        call.state.objects.remove(collection, name)
        return json_reply({"id": name, "object": item["object"], "deleted": True})
    return json_reply(item) if call.request.method == "GET" else None


def _echo(call: Call) -> Answer:
    request = call.request
    return json_reply({"method": request.method, "path": request.path, "query": request.query})
