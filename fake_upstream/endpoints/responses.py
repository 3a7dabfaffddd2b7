"""The Responses API: plain, streamed with named events and no `[DONE]`, stored for a later GET or DELETE."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import event, json_reply, whole_number
from fake_upstream.errors import missing
from fake_upstream.messages import Answer, Chunk, Stream
from fake_upstream.objects import Stored, page
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

COLLECTION = "/responses"


@dataclass(frozen=True, slots=True)
class _Output:
    """The one output item: a message, or the call of the function `tool`."""

    generation: Generation
    item_id: str
    tool: str = ""
    call_id: str = ""


def create_response(call: Call) -> Answer:
    """POST /responses."""
    given = call.member("input")
    if given is None:
        return missing("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
    output = _output(call, items)
    usage = None if "no-usage" in call.directives else _usage(call, items, output.generation)
    final = _document(call, output, usage)
    if call.member("store", True):
        call.state.objects.put(COLLECTION, final)
        for item in items:
            stored = {"id": new_id("msg_"), "type": "message", **item, "content": _parts(item.get("content"))}
            call.state.objects.put(f"{COLLECTION}/{final['id']}/input_items", stored)
    if call.member("stream") is True:
        return Stream(_stream(final, output))
    return json_reply(final)


def input_items(call: Call, response_id: str) -> Answer:
    """GET /responses/{id}/input_items."""
    return json_reply(page(call.state.objects.all(f"{COLLECTION}/{response_id}/input_items"), call.query))


def input_tokens(call: Call) -> Answer:
    """POST /responses/input_tokens."""
    given = call.member("input", "")
    items = [{"content": given}] if isinstance(given, str) else list(given)
    return json_reply({"object": "response.input_tokens", "input_tokens": _input_tokens(call, items)})


def _parts(content: Any) -> Any:
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content


def _output(call: Call, items: list[Any]) -> _Output:
    limit = whole_number(call.member("max_output_tokens"))
    functions = [tool for tool in call.member("tools") or [] if tool.get("type") == "function"]
    answered = bool(items) and items[-1].get("type") == "function_call_output"
    if functions and not answered and call.member("tool_choice", "auto") != "none":
        arguments = json_text(example_of(functions[0].get("parameters") or {"type": "object"}))
        generation = generate(pieces_of(arguments), call.directives, limit)
        return _Output(generation, new_id("fc_"), functions[0]["name"], new_id("call_"))
    form = (call.member("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        text = json_text(example_of(form.get("schema")))
        return _Output(generate(pieces_of(text), call.directives, limit), new_id("msg_"))
    last = items[-1] if items else {}
    return _Output(call.prose(text_of(last.get("content")), limit), new_id("msg_"))


def _input_tokens(call: Call, items: list[Any]) -> int:
    tokens = 3 + sum(4 + content_tokens(item.get("content", item.get("output"))) for item in items)
    tokens += count_tokens(call.member("instructions", ""))
    return tokens + (count_tokens(json_text(call.member("tools"))) if call.member("tools") else 0)


def _usage(call: Call, items: list[Any], generation: Generation) -> dict[str, Any]:
    given = _input_tokens(call, items)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": min(call.directives.get("cached") or 0, given)},
        "output_tokens": generation.tokens,
        "output_tokens_details": {"reasoning_tokens": generation.reasoning_tokens},
        "total_tokens": given + generation.tokens,
    }


def _document(call: Call, output: _Output, usage: dict[str, Any] | None) -> Stored:
    short = output.generation.cut_short
    status = "incomplete" if short else "completed"
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": call.now,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if short else None,
        "instructions": call.member("instructions"),
        "max_output_tokens": call.member("max_output_tokens"),
        "model": call.answered_model,
        "output": [_item(output, status, output.generation.text)],
        "parallel_tool_calls": True,
        "previous_response_id": call.member("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": call.member("store", True),
        "temperature": 1.0,
        "text": call.member("text", {"format": {"type": "text"}}),
        "tool_choice": call.member("tool_choice", "auto"),
        "tools": call.member("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "metadata": call.member("metadata", {}),
    }


def _item(output: _Output, status: str, text: str) -> dict[str, Any]:
    if output.tool:
        head = {"id": output.item_id, "type": "function_call", "status": status}
        return head | {"arguments": text, "call_id": output.call_id, "name": output.tool}
    parts = [{"type": "output_text", "annotations": [], "logprobs": [], "text": text}] if text else []
    return {"id": output.item_id, "type": "message", "status": status, "content": parts, "role": "assistant"}


def _stream(final: Stored, output: _Output) -> Iterator[Chunk]:
    """Every event carries its name, its type and a sequence number."""
    numbers = itertools.count()

    def named(kind: str, *, content: bool = False, **members: Any) -> Chunk:
        document = {"type": kind, "sequence_number": next(numbers), **members}
        return event(document, content=content, name=kind)

    begun = final | {"status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield named("response.created", response=begun)
    yield named("response.in_progress", response=begun)
    yield named("response.output_item.added", output_index=0, item=_item(output, "in_progress", ""))
    yield from _content_events(named, output)
    yield named("response.output_item.done", output_index=0, item=final["output"][0])
    yield named(f"response.{final['status']}", response=final)


def _content_events(named: Any, output: _Output) -> Iterator[Chunk]:
    where = {"item_id": output.item_id, "output_index": 0}
    if output.tool:
        for piece in output.generation.pieces:
            yield named("response.function_call_arguments.delta", content=True, **where, delta=piece)
        yield named("response.function_call_arguments.done", **where, arguments=output.generation.text)
        return
    where["content_index"] = 0
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    yield named("response.content_part.added", **where, part=part)
    for piece in output.generation.pieces:
        yield named("response.output_text.delta", content=True, **where, delta=piece, logprobs=[])
    text = output.generation.text
    yield named("response.output_text.done", **where, text=text, logprobs=[])
    yield named("response.content_part.done", **where, part=part | {"text": text})
