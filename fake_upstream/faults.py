"""Turn directives into refusals, spoilt answers and deliveries that go wrong."""

import gzip
import zlib
from collections.abc import Iterator

from fake_upstream import anthropic, bedrock, errors
from fake_upstream.call import Call
from fake_upstream.endpoints.answers import event
from fake_upstream.messages import Answer, Chunk, Delivery, Reply, Stream

_STOPS = {"cut": "reset", "cut-close": "close", "cut-clean": "end", "hang": "hang"}
_SPACES = b" " * (1 << 20)


def refusal(call: Call) -> Answer | None:
    """The error that comes instead of an answer; None when the request is answered."""
    wanted = call.directives
    if "429" in wanted:
        return errors.rate_limited(wanted["429"])
    if "429-quota" in wanted:
        return errors.out_of_quota()
    if "503" in wanted:
        return errors.server_error(503, wanted["503"])
    if "bad-status" in wanted:
        return errors.bad_request("Something odd happened.", status=wanted["bad-status"] or 418)
    if "empty" in wanted:
        return Reply(b"")
    failures = wanted.get("500-then-200")
    if failures and call.state.script.fails_again(call.path, call.request.body, failures):
        return errors.server_error()
    if "reject-stream-options" in wanted and call.member("stream_options") is not None:
        return _no_stream_options(wanted["reject-stream-options"] or 400)
    return None


def _no_stream_options(status: int) -> Reply:
    text = "Unrecognized request argument supplied: stream_options"
    return errors.bad_request(text, param="stream_options", code="unknown_parameter", status=status)


def never_answers(call: Call) -> Delivery | None:
    """A hang or a dropped connection before the first byte; None otherwise."""
    if "drop" in call.directives:
        return Delivery(None, stop_how="close")
    if "hang" in call.directives and call.directives["hang"] is None:
        return Delivery(None, stop_how="hang")
    return None


def spoil(call: Call, answer: Answer) -> Answer:
    """Break, enlarge or compress the body."""
    wanted = call.directives
    if isinstance(answer, Stream):
        return _spoil_stream(call, answer)
    if "huge" in wanted and answer.content_type == "application/json":
        megabytes = wanted["huge"] or 0
        missing = megabytes - (len(answer.body) >> 20)
        answer.body += _SPACES * max(0, missing)
    if "malformed" in wanted:
        answer.body = answer.body[: max(1, len(answer.body) // 2)]
    if "gzip" in wanted:
        answer.body = gzip.compress(answer.body, compresslevel=1)
        answer.headers["content-encoding"] = "gzip"
    return answer


def _spoil_stream(call: Call, answer: Stream) -> Stream:
    wanted = call.directives
    if "error-event" in wanted:
        answer.chunks = _then(answer.chunks, wanted["error-event"] or 0, _error_event(call))
    if "malformed" in wanted:
        answer.chunks = _with_broken_event(answer.chunks, wanted["malformed"] or 0, _broken_event(call))
    if "gzip" in wanted:
        answer.chunks = _compressed(answer.chunks)
        answer.headers["content-encoding"] = "gzip"
    return answer


def _error_event(call: Call) -> Chunk:
    if bedrock.is_bedrock(call.request):
        return bedrock.error_frame()
    if anthropic.is_anthropic(call.request):
        return anthropic.error_event()
    message = "The server had an error while processing your request. Sorry about that!"
    return event({"error": {"message": message, "type": "server_error", "param": None, "code": None}})


def _broken_event(call: Call) -> Chunk:
    if bedrock.is_bedrock(call.request):
        return bedrock.broken_frame()
    if anthropic.is_anthropic(call.request):
        return anthropic.broken_event()
    return b'data: {"id":"chatcmpl-broken","object":"chat.comp\n\n', False


def _then(chunks: Iterator[Chunk], after: int, last: Chunk) -> Iterator[Chunk]:
    count = 0
    for data, is_content in chunks:
        if is_content and count >= after:
            break
        count += is_content
        yield data, is_content
    yield last


def _with_broken_event(chunks: Iterator[Chunk], after: int, broken: Chunk) -> Iterator[Chunk]:
    count = 0
    for data, is_content in chunks:
        if is_content and count == after:
            yield broken
        count += is_content
        yield data, is_content


def _compressed(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for data, is_content in chunks:
        yield packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH), is_content
    yield packer.flush(), False


def delivery(call: Call, answer: Answer) -> Delivery:
    """When, how fast and how completely the answer is sent."""
    wanted = call.directives
    pause_ms = wanted.get("slow", call.state.options.pause_ms)
    found = Delivery(answer, (wanted.get("slow-first-byte") or 0) / 1000, (pause_ms or 0) / 1000)
    for name, how in _STOPS.items():
        if name in wanted:
            found.stop_after, found.stop_how = wanted[name] or 0, how
    return found
