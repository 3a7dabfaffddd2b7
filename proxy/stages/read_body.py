"""What does the body say? Reads only the members the gateway needs; the bytes stay as they are."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from gateway_project.shared.problems import BadRequest, Problem
from providers.adapters.base import Adapter, BodyFacts
from proxy.flow import Body, Call, IncomingRequest
from proxy.json_edit import duplicate_anywhere, has_duplicate, member_names
from proxy.multipart import form_fields

_NO_BODY = Body(b"", BodyFacts())
_BAD_TYPE = "bad_content_type"
# Names of models are kept for a while in several places. The longest there are, those of AWS, have 2048 characters.
MAX_MODEL_CHARACTERS = 2048


class UnsupportedEncoding(Problem):
    """A compressed request body: its limits could only be checked by unpacking it."""

    status = 415
    default_code = "unsupported_content_encoding"
    title = "unsupported content encoding"


def read_body(request: IncomingRequest, call: Call, content: bytes) -> Body:
    """Facts of the body. Raises BadRequest when it is not what the operation takes."""
    operation = call.operation
    if request.header(b"content-encoding").lower() not in ("", "identity"):
        raise UnsupportedEncoding("Send the body without content-encoding.")
    content_type = request.header(b"content-type")
    media_type, is_json = _media_type(content_type)
    if operation.body == "json":
        # Without a content type, or as plain text, it can only be meant as JSON; a form could be read as a form.
        if not is_json and media_type not in ("", "text/plain"):
            raise BadRequest("This path takes a JSON body: send content-type: application/json.", code=_BAD_TYPE)
        document = _object(content, call)
        return Body(content, _facts(call, document), document)
    if operation.body in ("strict_json", "none"):
        return _strict(content, call, is_json=is_json or media_type in ("", "text/plain"))
    if media_type == "multipart/form-data":
        return Body(content, _facts(call, form_fields(content, content_type)))
    if operation.body == "multipart":
        raise BadRequest("This path takes a multipart/form-data body.", code=_BAD_TYPE)
    if "," in media_type or "\n" in content_type:
        raise BadRequest("The request has more than one content-type.", code=_BAD_TYPE)
    return _free_form(content, call, is_json=is_json)


@lru_cache(256)
def _media_type(content_type: str) -> tuple[str, bool]:
    """(the media type, whether it is JSON's)."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type, media_type == "application/json" or media_type.endswith("+json")


def _free_form(content: bytes, call: Call, *, is_json: bool) -> Body:
    """A body the operation says nothing about. What looks like a JSON object is read as one, whatever it is called."""
    operation = call.operation
    if content and operation.metering == "estimated" and not is_json:
        raise BadRequest("This path takes a JSON or a multipart/form-data body.", code=_BAD_TYPE)
    document = None
    if content and (is_json or content.lstrip()[:1] == b"{"):
        document = _parsed(content, must=is_json)
    if isinstance(document, dict):
        _check_members(content, call)
        return Body(content, _facts(call, document), document)
    return Body(content, BodyFacts(model=operation.model_in_path)) if content or operation.model_in_path else _NO_BODY


def _strict(content: bytes, call: Call, *, is_json: bool) -> Body:
    """A body of which any member may count, or that must not be."""
    if call.operation.body == "none":
        if content:
            raise BadRequest("This path takes no body with this method.", code="unexpected_body")
        return _NO_BODY
    if not is_json:
        raise BadRequest("This path takes a JSON body: send content-type: application/json.", code=_BAD_TYPE)
    document = _object(content, call)
    try:
        twice = duplicate_anywhere(content)
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.", code="invalid_json") from error
    if twice is not None:
        raise BadRequest(f"The body has the member {twice} twice.", code="duplicate_member")
    return Body(content, _facts(call, document), document)


def _object(content: bytes, call: Call) -> dict[str, Any]:
    document = _parsed(content, must=True)
    if not isinstance(document, dict):
        raise BadRequest("The body must be a JSON object.", code="invalid_json")
    _check_members(content, call)
    return document


def _parsed(content: bytes, *, must: bool) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if must:
            raise BadRequest(f"The body is not JSON: {error}.", code="invalid_json") from error
        return None


@lru_cache(64)
def _members_of(adapter: type[Adapter]) -> re.Pattern[bytes]:
    return member_names(adapter.read_members)


def _check_members(content: bytes, call: Call) -> None:
    try:
        twice = has_duplicate(content, _members_of(type(call.adapter)))
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.", code="invalid_json") from error
    if twice is not None:
        raise BadRequest(f"The body has the member {twice} twice.", code="duplicate_member")


def _facts(call: Call, document: Mapping[str, Any]) -> BodyFacts:
    try:
        facts = call.adapter.read_body(call.operation, document)
    except ValueError as error:
        raise BadRequest(f"{error}.", code="invalid_member") from error
    except (RecursionError, orjson.JSONEncodeError) as error:
        raise BadRequest("The body is nested too deeply.", code="invalid_json") from error
    if len(facts.model) > MAX_MODEL_CHARACTERS:
        raise BadRequest(f"The name of a model has at most {MAX_MODEL_CHARACTERS} characters.", code="invalid_member")
    return facts
