"""Amazon Bedrock's runtime: its paths, its signatures, its errors, and which endpoint answers."""

import re
from urllib.parse import unquote

from fake_upstream import aws
from fake_upstream.call import Call, new_id
from fake_upstream.endpoints import bedrock_claude, bedrock_converse, bedrock_families
from fake_upstream.messages import Answer, Chunk, Reply, Request, Stream

_PATH = re.compile(r".*?/model/(?P<model>.+)/(?P<api>invoke(?:-with-response-stream)?|converse(?:-stream)?)")
_STREAM_TYPE = "application/vnd.amazon.eventstream"
UNKNOWN_MODEL = "no.such-model-v1:0"


def is_bedrock(request: Request) -> bool:
    """Whether the path is one of a model's."""
    return request.method == "POST" and _PATH.fullmatch(aws.raw_path(request)) is not None


def model_of(request: Request) -> str:
    """The model the path names, decoded."""
    found = _PATH.fullmatch(aws.raw_path(request))
    return unquote(found["model"]) if found else ""


def api_of(request: Request) -> str:
    """What the path asks of the model."""
    found = _PATH.fullmatch(aws.raw_path(request))
    return found["api"] if found else ""


def problem(call: Call) -> Reply | None:
    """Why the request is not answered at all; None when it is."""
    refused = aws.signature_problem(call.request, "bedrock")
    if refused is not None:
        return refused
    if call.model == UNKNOWN_MODEL:
        return aws.error("The provided model identifier is invalid.", 400)
    if not isinstance(call.body, dict):
        return aws.error("Malformed input request, please reformat your input and try again.", 400)
    return None


def refused(given: Answer) -> Answer:
    """A refusal in Amazon's words."""
    if isinstance(given, Stream) or given.status < 400 or "x-amzn-errortype" in given.headers:
        return given
    return aws.spoken(given)


def answer(call: Call) -> Answer:
    """The answer of the model or of the conversation, with the headers of every one."""
    api = api_of(call.request)
    streamed = api.endswith("stream")
    if api.startswith("converse"):
        given = bedrock_converse.answer(call, streamed)
    elif "anthropic." in call.model:
        given = bedrock_claude.answer(call, streamed)
    else:
        given = bedrock_families.answer(call, streamed)
    given.headers["x-amzn-requestid"] = new_id("req-")
    if tier := call.request.header(b"x-amzn-bedrock-service-tier"):
        given.headers["x-amzn-bedrock-service-tier"] = tier
    if isinstance(given, Stream):
        given.content_type = _STREAM_TYPE
        given.headers["x-amzn-bedrock-content-type"] = "application/json"
        return given
    return refused(given)


def error_frame() -> Chunk:
    """What a stream says when it fails."""
    return aws.exception_frame("throttlingException", "Too many tokens, please wait before trying again."), False


def broken_frame() -> Chunk:
    """A frame whose checksum is wrong."""
    return aws.broken_frame(), True
