"""Azure OpenAI in front of the same endpoints: its paths, its credentials, its content filter.

A deployment `my-gpt-4o` has the model `gpt-4o`; any other is called like its model. A prompt with the word
`forbidden` is filtered.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import orjson

from fake_upstream.call import Call
from fake_upstream.endpoints.answers import event
from fake_upstream.messages import Answer, Chunk, Reply, Request, Stream
from fake_upstream.text import text_of

_DEPLOYMENT = re.compile(r"/openai/deployments/(?P<name>[^/]+)(?P<rest>/.*)")
_UNVERSIONED = re.compile(r"/openai(?P<rest>/(?!v1/|deployments/).*)")
_ENTRA_TOKEN = re.compile(r"(?i)bearer (eyJ\S*)")
_MY = "my-"
_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


def is_azure(request: Request) -> bool:
    """Its paths begin with /openai at the root of the resource's host. Groq's do too, and take another credential."""
    path = request.path
    return path.startswith("/openai/") and (not path.startswith("/openai/v1/") or bool(key_of(request)))


def path_of(path: str) -> str:
    """The path as OpenAI has it."""
    found = _DEPLOYMENT.fullmatch(path) or _UNVERSIONED.fullmatch(path)
    return found["rest"] if found else path.removeprefix("/openai/v1")


def deployment_of(request: Request) -> str:
    """The deployment a path names; "" when the body does."""
    found = _DEPLOYMENT.fullmatch(request.path)
    return unquote(found["name"]) if found else ""


def model_of(deployment: str) -> str:
    """What the answer calls a deployment's model."""
    return deployment.removeprefix(_MY)


def key_of(request: Request) -> str:
    """The key or the Entra token; a bearer that is no token counts for nothing."""
    token = _ENTRA_TOKEN.fullmatch(request.header(b"authorization"))
    return token[1] if token else request.header(b"api-key")


def problem(call: Call) -> Reply | None:
    """What the service itself refuses: no credentials, no api-version, a prompt its filter does not let through."""
    if not key_of(call.request):
        text = "Access denied due to missing subscription key. Make sure to include subscription key in the request."
        return _error(401, "401", text)
    if "/openai/v1/" not in call.request.path and "api-version" not in call.query:
        return _error(404, "404", "Resource not found")
    last = (call.member("messages") or [None])[-1]
    if isinstance(last, dict) and "forbidden" in text_of(last.get("content")):
        result = _SAFE | {"violence": {"filtered": True, "severity": "medium"}}
        inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": result}
        text = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
        return _error(400, "content_filter", text, param="prompt", status=400, innererror=inner)
    return None


def filtered(answer: Answer) -> Answer:
    """The answer with what the content filter says of it."""
    if isinstance(answer, Stream):
        if answer.content_type.startswith("text/event-stream"):
            answer.chunks = _filtered_chunks(answer.chunks)
        return answer
    document = orjson.loads(answer.body) if answer.content_type == "application/json" and answer.body else None
    if answer.status == 200 and isinstance(document, dict) and document.get("object") == "chat.completion":
        document["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _SAFE}]
        for choice in document["choices"]:
            choice["content_filter_results"] = _SAFE
        answer.body = orjson.dumps(document)
    return answer


def _filtered_chunks(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Before the first chunk of a chat one without choices, id and model."""
    first = next(chunks, None)
    if first is None:
        return
    if b'"chat.completion.chunk"' in first[0]:
        results = [{"prompt_index": 0, "content_filter_results": _SAFE}]
        head = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": results}
        yield event(head)
    yield first
    yield from chunks


def _error(status_code: int, code: str, message: str, **members: Any) -> Reply:
    return Reply(orjson.dumps({"error": {"code": code, "message": message, **members}}), status_code)
