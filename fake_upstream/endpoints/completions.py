"""Text completions, the older way."""

from collections.abc import Iterator
from typing import Any

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import DONE, event, json_reply, whole_number
from fake_upstream.endpoints.chat import FINGERPRINT, usage_document
from fake_upstream.errors import missing
from fake_upstream.messages import Answer, Chunk, Stream
from fake_upstream.text import Generation, count_tokens


def completions(call: Call) -> Answer:
    """POST /completions."""
    prompts = _prompts(call.member("prompt"))
    if prompts is None:
        return missing("prompt")
    limit = whole_number(call.member("max_tokens", 16))
    count = len(prompts) * (whole_number(call.member("n")) or 1)
    last = prompts[-1] if isinstance(prompts[-1], str) else ""
    texts = [call.prose(last, limit) for _ in range(count)]
    prompt_tokens = sum(count_tokens(p) if isinstance(p, str) else len(p) for p in prompts)
    usage = usage_document(call, prompt_tokens, sum(text.tokens for text in texts))
    shown = None if "no-usage" in call.directives else usage
    if call.member("stream") is True:
        asked = (call.member("stream_options") or {}).get("include_usage") is True
        return Stream(_stream(call, texts, shown if asked else None))
    document = _head(call) | {"choices": [_choice(i, t.text, _reason(t)) for i, t in enumerate(texts)]}
    return json_reply(document if shown is None else document | {"usage": shown})


def _prompts(prompt: Any) -> list[Any] | None:
    """A list of texts or token lists; None when there is no prompt."""
    if isinstance(prompt, str):
        return [prompt]
    if not isinstance(prompt, list) or not prompt:
        return None
    return [prompt] if isinstance(prompt[0], int) else prompt


def _reason(text: Generation) -> str:
    return "length" if text.cut_short else "stop"


def _head(call: Call) -> dict[str, Any]:
    return {
        "id": new_id("cmpl-"),
        "object": "text_completion",
        "created": call.now,
        "model": call.answered_model,
        "system_fingerprint": FINGERPRINT,
    }


def _choice(index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish_reason}


def _stream(call: Call, texts: list[Generation], usage: dict[str, Any] | None) -> Iterator[Chunk]:
    head = _head(call)
    tail: dict[str, Any] = {} if usage is None else {"usage": None}
    for index, text in enumerate(texts):
        for piece in text.pieces:
            yield event({**head, "choices": [_choice(index, piece, None)], **tail}, content=True)
        yield event({**head, "choices": [_choice(index, "", _reason(text))], **tail})
    if usage is not None:
        yield event({**head, "choices": [], "usage": usage})
    yield DONE
