"""Anthropic's messages and its older completions: plain, streamed, tools, thinking, cache tokens."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import event, json_reply, whole_number
from fake_upstream.endpoints.chat import prompt_tokens_of
from fake_upstream.errors import bad_request
from fake_upstream.messages import Answer, Chunk, Stream
from fake_upstream.text import Generation, count_tokens, example_of, generate, json_text, pieces_of, text_of, words

THOUGHT = " Hm"
_FIRST_OUTPUT_TOKENS = 1


def answer(call: Call) -> Answer | None:
    """The endpoint's answer; None for another path."""
    endpoint = _ENDPOINTS.get((call.request.method, call.path))
    return None if endpoint is None else endpoint(call)


def create_message(call: Call) -> Answer:
    """POST /messages."""
    problem = _missing(call, "model", "max_tokens", "messages")
    if problem is not None:
        return problem
    conversation = call.member("messages")
    if not isinstance(conversation, list) or not conversation:
        return bad_request("messages: at least one message is required")
    tool = _called_tool(call, conversation)
    limit = whole_number(call.member("max_tokens"))
    if tool is None:
        last = conversation[-1]
        said = call.prose(text_of(last.get("content")) if isinstance(last, dict) else "", limit)
    else:
        said = generate(pieces_of(json_text(example_of(tool.get("input_schema")))), call.directives, limit)
    usage = _usage(call, said)
    name = str(tool["name"]) if tool is not None else ""
    if call.member("stream") is True:
        return Stream(_stream(call, said, name, usage))
    return json_reply(_message(call, _blocks(said, name), _reason(said, name), usage))


def count(call: Call) -> Answer:
    """POST /messages/count_tokens."""
    return _missing(call, "model", "messages") or json_reply({"input_tokens": _input_tokens(call)})


def complete(call: Call) -> Answer:
    """POST /complete, which tells no usage."""
    problem = _missing(call, "model", "max_tokens_to_sample", "prompt")
    if problem is not None:
        return problem
    said = call.prose(str(call.member("prompt")), whole_number(call.member("max_tokens_to_sample")))
    if call.member("stream") is True:
        return Stream(_completions(call, said))
    return json_reply(_completion(call, said.text, "max_tokens" if said.cut_short else "stop_sequence"))


def finished_message(call: Call, asked: dict[str, Any]) -> dict[str, Any]:
    """The message that answers a request of a batch."""
    said = Generation(words(call.state.options.tokens))
    usage = {"input_tokens": prompt_tokens_of(asked.get("messages", [])), "output_tokens": said.tokens}
    told = usage | {"service_tier": "batch"}
    return _message(call, _blocks(said, ""), "end_turn", told) | {"model": asked.get("model", "")}


_ENDPOINTS: dict[tuple[str, str], Callable[[Call], Answer]] = {
    ("POST", "/messages"): create_message,
    ("POST", "/messages/count_tokens"): count,
    ("POST", "/complete"): complete,
}


def _missing(call: Call, *names: str) -> Answer | None:
    missing = next((name for name in names if call.member(name) is None), None)
    return None if missing is None else bad_request(f"{missing}: Field required")


def _called_tool(call: Call, conversation: list[Any]) -> dict[str, Any] | None:
    """The tool chosen, else the first; none once a tool has answered."""
    tools = [tool for tool in call.member("tools") or [] if isinstance(tool, dict) and "input_schema" in tool]
    wanted = call.member("tool_choice") or {"type": "auto"}
    content = conversation[-1].get("content") if isinstance(conversation[-1], dict) else None
    parts = content if isinstance(content, list) else []
    answered = any(isinstance(part, dict) and part.get("type") == "tool_result" for part in parts)
    if not tools or wanted.get("type") == "none" or answered:
        return None
    return next((tool for tool in tools if tool.get("name") == wanted.get("name")), tools[0])


def _input_tokens(call: Call) -> int:
    tokens = prompt_tokens_of(call.member("messages")) + count_tokens(text_of(call.member("system")))
    return tokens + (count_tokens(json_text(call.member("tools"))) if call.member("tools") else 0)


def _usage(call: Call, said: Generation) -> dict[str, Any]:
    """What caches have a part in comes on top of `input_tokens`."""
    wanted = call.directives
    minutes, hour = wanted.get("cache-write") or 0, wanted.get("cache-write-1h") or 0
    usage = {
        "input_tokens": _input_tokens(call),
        "cache_creation_input_tokens": minutes + hour,
        "cache_read_input_tokens": wanted.get("cached") or 0,
        "cache_creation": {"ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour},
        "output_tokens": said.tokens,
        "service_tier": "standard",
    }
    if said.reasoning_tokens:
        usage["output_tokens_details"] = {"thinking_tokens": said.reasoning_tokens}
    told = {name: value for name in ("speed", "inference_geo") if (value := call.member(name)) is not None}
    return usage | told


def _reason(said: Generation, tool: str) -> str:
    if said.cut_short:
        return "max_tokens"
    return "tool_use" if tool else "end_turn"


def _blocks(said: Generation, tool: str) -> list[dict[str, Any]]:
    thinking = {"type": "thinking", "thinking": THOUGHT * said.reasoning_tokens, "signature": "c2ln"}
    block: dict[str, Any] = {"type": "text", "text": said.text, "citations": None}
    if tool:
        parsed = _example_input(said)
        block = {"type": "tool_use", "id": new_id("toolu_"), "name": tool, "input": parsed}
    return [thinking, block] if said.reasoning_tokens else [block]


def _example_input(said: Generation) -> Any:
    """What the tool is called with; nothing when there was no room to say all of it."""
    return {} if said.cut_short else orjson.loads(said.text)


def _message(call: Call, blocks: list[dict[str, Any]], reason: str | None, usage: dict[str, Any]) -> dict[str, Any]:
    message = {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": call.answered_model,
        "content": blocks,
        "stop_reason": reason,
        "stop_sequence": None,
    }
    return message if "no-usage" in call.directives else message | {"usage": usage}


def _stream(call: Call, said: Generation, tool: str, usage: dict[str, Any]) -> Iterator[Chunk]:
    details = {name: value for name, value in usage.items() if name == "output_tokens_details"}
    begun = {name: value for name, value in usage.items() if name not in details}
    begun["output_tokens"] = min(_FIRST_OUTPUT_TOKENS, said.tokens)
    yield _named({"type": "message_start", "message": _message(call, [], None, begun)})
    yield _named({"type": "ping"})
    index = 0
    if said.reasoning_tokens:
        yield from _thinking(said.reasoning_tokens)
        index = 1
    empty: dict[str, Any] = {"input": {}} if tool else {"text": ""}
    block = _blocks(said, tool)[-1] | empty
    yield _named({"type": "content_block_start", "index": index, "content_block": block})
    for piece in said.pieces:
        delta = {"type": "input_json_delta", "partial_json": piece} if tool else {"type": "text_delta", "text": piece}
        yield _named({"type": "content_block_delta", "index": index, "delta": delta}, content=True)
    yield _named({"type": "content_block_stop", "index": index})
    ended: dict[str, Any] = {"type": "message_delta"}
    ended["delta"] = {"stop_reason": _reason(said, tool), "stop_sequence": None}
    if "no-usage" not in call.directives:
        ended["usage"] = {"output_tokens": said.tokens, **details}
    yield _named(ended)
    yield _named({"type": "message_stop"})


def _thinking(tokens: int) -> Iterator[Chunk]:
    block = {"type": "thinking", "thinking": "", "signature": ""}
    yield _named({"type": "content_block_start", "index": 0, "content_block": block})
    for _ in range(tokens):
        delta = {"type": "thinking_delta", "thinking": THOUGHT}
        yield _named({"type": "content_block_delta", "index": 0, "delta": delta}, content=True)
    delta = {"type": "signature_delta", "signature": "c2ln"}
    yield _named({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _named({"type": "content_block_stop", "index": 0})


def _named(document: dict[str, Any], *, content: bool = False) -> Chunk:
    return event(document, content=content, name=document["type"])


def _completion(call: Call, text: str, reason: str | None) -> dict[str, Any]:
    return {
        "type": "completion",
        "id": new_id("compl_"),
        "completion": text,
        "stop_reason": reason,
        "model": call.answered_model,
        "stop": "\n\nHuman:" if reason == "stop_sequence" else None,
        "log_id": "compl_log",
    }


def _completions(call: Call, said: Generation) -> Iterator[Chunk]:
    yield _named({"type": "ping"})
    for piece in said.pieces:
        yield _named(_completion(call, piece, None), content=True)
    yield _named(_completion(call, "", "max_tokens" if said.cut_short else "stop_sequence"))
