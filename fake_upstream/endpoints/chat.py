"""Chat completions: plain, streamed, tools, JSON schema, several choices."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import DONE, event, json_reply, whole_number
from fake_upstream.errors import bad_request, missing
from fake_upstream.messages import Answer, Chunk, Stream
from fake_upstream.text import (
    Generation,
    content_tokens,
    count_tokens,
    example_of,
    generate,
    json_text,
    pieces_of,
    text_of,
)

FINGERPRINT = "fp_fake000001"


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of an answer: prose, or the call of the tool `tool`."""

    generation: Generation
    tool: str = ""
    call_id: str = ""

    @property
    def finish_reason(self) -> str:
        """Why it ends."""
        if self.generation.cut_short:
            return "length"
        return "tool_calls" if self.tool else "stop"


def chat_completions(call: Call) -> Answer:
    """POST /chat/completions."""
    messages = call.member("messages")
    if not isinstance(messages, list):
        return missing("messages")
    if not messages:
        return bad_request(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.", param="messages"
        )
    count = whole_number(call.member("n")) or 1
    limit = whole_number(call.member("max_completion_tokens", call.member("max_tokens")))
    if limit is not None and limit < 1:
        return bad_request("Invalid 'max_tokens': integer below minimum value.", param="max_tokens")
    choices = [_choice(call, messages, limit) for _ in range(count)]
    usage = None if "no-usage" in call.directives else _usage(call, messages, choices)
    if call.member("stream") is True:
        asked = (call.member("stream_options") or {}).get("include_usage") is True
        return Stream(_stream(call, choices, usage=usage if asked else None))
    return json_reply(_document(call, choices, usage))


def _choice(call: Call, messages: list[Any], limit: int | None) -> Choice:
    tool = _called_tool(call, messages)
    if tool is not None:
        arguments = json_text(example_of(tool.get("parameters") or {"type": "object"}))
        return Choice(generate(pieces_of(arguments), call.directives, limit), tool["name"], new_id("call_"))
    form = call.member("response_format") or {}
    if form.get("type") == "json_schema":
        text = json_text(example_of((form.get("json_schema") or {}).get("schema")))
        return Choice(generate(pieces_of(text), call.directives, limit))
    if form.get("type") == "json_object":
        return Choice(generate(pieces_of('{"answer":"fox"}'), call.directives, limit))
    last = messages[-1]
    return Choice(call.prose(text_of(last.get("content")) if isinstance(last, dict) else "", limit))


def _called_tool(call: Call, messages: list[Any]) -> dict[str, Any] | None:
    """The function to call: the one chosen, else the first; none once a tool has answered."""
    tools = [tool["function"] for tool in call.member("tools") or [] if isinstance(tool, dict) and "function" in tool]
    wanted = call.member("tool_choice", "auto")
    answered = isinstance(messages[-1], dict) and messages[-1].get("role") == "tool"
    if not tools or wanted == "none" or answered:
        return None
    name = (wanted.get("function") or {}).get("name") if isinstance(wanted, dict) else None
    return next((tool for tool in tools if tool.get("name") == name), tools[0])


def prompt_tokens_of(messages: list[Any]) -> int:
    """3 for the request and 4 for each message beside its words, as OpenAI counts."""
    contents = (message.get("content") if isinstance(message, dict) else message for message in messages)
    return 3 + sum(4 + content_tokens(content) for content in contents)


def _usage(call: Call, messages: list[Any], choices: list[Choice]) -> dict[str, Any]:
    prompt = prompt_tokens_of(messages)
    if call.member("tools"):
        prompt += count_tokens(json_text(call.member("tools")))
    completion = sum(choice.generation.tokens for choice in choices)
    return usage_document(call, prompt, completion, choices[0].generation.reasoning_tokens * len(choices))


def usage_document(call: Call, prompt: int, completion: int, reasoning: int = 0) -> dict[str, Any]:
    """Usage as chat and text completions report it."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": min(call.directives.get("cached") or 0, prompt), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _document(call: Call, choices: list[Choice], usage: dict[str, Any] | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": call.now,
        "model": call.answered_model,
        "choices": [
            {"index": index, "message": _message(choice), "logprobs": None, "finish_reason": choice.finish_reason}
            for index, choice in enumerate(choices)
        ],
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    if usage is not None:
        document["usage"] = usage
    return document


def _message(choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.generation.text,
        "refusal": None,
        "annotations": [],
    }
    if choice.tool:
        function = {"name": choice.tool, "arguments": choice.generation.text}
        message |= {"content": None, "tool_calls": [{"id": choice.call_id, "type": "function", "function": function}]}
    return message


def _stream(call: Call, choices: list[Choice], *, usage: dict[str, Any] | None) -> Iterator[Chunk]:
    """Role chunks, content chunks of all choices in turn, finish chunks, usage when asked for, `[DONE]`."""
    head = {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": call.now,
        "model": call.answered_model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    tail: dict[str, Any] = {} if usage is None else {"usage": None}
    for index, choice in enumerate(choices):
        yield event({**head, "choices": [_delta(index, _first_delta(choice))], **tail})
    yield from _contents(head, choices, tail)
    for index, choice in enumerate(choices):
        yield event({**head, "choices": [_delta(index, {}, choice.finish_reason)], **tail})
    if usage is not None:
        yield event({**head, "choices": [], "usage": usage})
    yield DONE


def _contents(head: dict[str, Any], choices: list[Choice], tail: dict[str, Any]) -> Iterator[Chunk]:
    before = b"data: " + orjson.dumps(head)[:-1] + b',"choices":['
    after = b"]" + (b',"usage":null' if tail else b"") + b"}\n\n"
    for row in zip_longest(*(choice.generation.pieces for choice in choices)):
        for index, piece in enumerate(row):
            if piece is not None:
                yield (before + _content_choice(index, choices[index], piece) + after, True)


def _content_choice(index: int, choice: Choice, piece: str) -> bytes:
    text = orjson.dumps(piece)
    delta = (
        b'{"tool_calls":[{"index":0,"function":{"arguments":%b}}]}' % text if choice.tool else b'{"content":%b}' % text
    )
    return b'{"index":%d,"delta":%b,"logprobs":null,"finish_reason":null}' % (index, delta)


def _first_delta(choice: Choice) -> dict[str, Any]:
    if not choice.tool:
        return {"role": "assistant", "content": "", "refusal": None}
    function = {"name": choice.tool, "arguments": ""}
    started = {"index": 0, "id": choice.call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [started], "refusal": None}


def _delta(index: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
