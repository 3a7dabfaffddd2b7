"""Images: generations, edits and variations, as a URL or as base64; gpt-image models report token usage."""

import base64
from typing import Any

from fake_upstream.call import Call
from fake_upstream.endpoints.answers import json_reply
from fake_upstream.errors import missing
from fake_upstream.messages import Answer, Reply
from fake_upstream.text import count_tokens

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_TOKENS_BY_QUALITY = {"low": 272, "medium": 1056, "high": 4160, "auto": 1056}


def generate_images(call: Call) -> Answer:
    """POST /images/generations."""
    return _pictures(call) if call.member("prompt") else missing("prompt")


def edit_images(call: Call) -> Answer:
    """POST /images/edits, multipart or JSON."""
    if call.form is not None and call.form.file("image") is None:
        return missing("image")
    return _pictures(call) if call.member("prompt") else missing("prompt")


def vary_images(call: Call) -> Answer:
    """POST /images/variations, multipart."""
    if call.form is None or call.form.file("image") is None:
        return missing("image")
    return _pictures(call)


def picture(_call: Call, _name: str) -> Answer:
    """GET what a `url` names."""
    return Reply(PIXEL, content_type="image/png")


def _pictures(call: Call) -> Answer:
    count = int(call.member("n", 1))
    document: dict[str, Any] = {"created": call.now, "data": [_picture(call, index) for index in range(count)]}
    if call.model.startswith("gpt-image"):
        quality = call.member("quality", "auto")
        size = {"size": call.member("size", "1024x1024"), "quality": quality}
        document |= size | {"background": "opaque", "output_format": "png"}
        if "no-usage" not in call.directives:
            document["usage"] = _usage(call, count * _TOKENS_BY_QUALITY.get(quality, 1056))
    return json_reply(document)


def _picture(call: Call, index: int) -> dict[str, Any]:
    if call.model.startswith("gpt-image") or call.member("response_format") == "b64_json":
        shown: dict[str, Any] = {"b64_json": base64.b64encode(PIXEL).decode()}
    else:
        host = call.request.header(b"host") or "127.0.0.1"
        shown = {"url": f"http://{host}/pictures/{call.request.number}-{index}.png"}
    if call.model == "dall-e-3":
        shown["revised_prompt"] = call.member("prompt", "")
    return shown


def _usage(call: Call, output_tokens: int) -> dict[str, Any]:
    text = count_tokens(str(call.member("prompt", "")))
    image = 194 * sum(1 for part in call.form.parts if part.filename) if call.form else 0
    return {
        "input_tokens": text + image,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens": output_tokens,
        "total_tokens": text + image + output_tokens,
    }
