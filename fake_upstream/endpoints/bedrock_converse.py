"""Converse: one shape for every model; plain, streamed, tools, cache tokens."""

from collections.abc import Iterator
from typing import Any

from fake_upstream import aws
from fake_upstream.call import Call, new_id
from fake_upstream.endpoints.answers import json_reply, whole_number
from fake_upstream.endpoints.chat import prompt_tokens_of
from fake_upstream.messages import Answer, Stream
from fake_upstream.text import Generation, example_of, generate, json_text, pieces_of, text_of


def answer(call: Call, streamed: bool) -> Answer:
    """The next message of the conversation."""
    conversation = call.member("messages")
    if not isinstance(conversation, list) or not conversation:
        return aws.error("A conversation must start with a user message.", 400)
    name, said = said_in(call, conversation)
    if streamed:
        return Stream((aws.event_frame(event, told), content) for event, told, content in events(call, name, said))
    block: dict[str, Any] = {"text": said.text}
    if name:
        block = {"toolUse": {"toolUseId": new_id("tooluse_"), "name": name, "input": example_of(_schema(call))}}
    document: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": [block]}},
        "stopReason": _reason(name, said),
        "metrics": {"latencyMs": 1234},
    }
    return json_reply(document if "no-usage" in call.directives else document | {"usage": usage_of(call, said)})


def said_in(call: Call, conversation: list[Any]) -> tuple[str, Generation]:
    """(the tool that is called, "" for none; what is said)."""
    configuration = call.member("inferenceConfig", {})
    limit = whole_number(configuration.get("maxTokens", configuration.get("max_new_tokens")))
    answered = any("toolResult" in block for block in conversation[-1].get("content", []))
    if call.member("toolConfig") and not answered:
        name = call.member("toolConfig")["tools"][0]["toolSpec"]["name"]
        return name, generate(pieces_of(json_text(example_of(_schema(call)))), call.directives, limit)
    return "", call.prose(text_of(conversation[-1].get("content")), limit)


def events(call: Call, name: str, said: Generation) -> Iterator[tuple[str, Any, bool]]:
    """(name, what it says, whether it is content) of each event."""
    yield "messageStart", {"role": "assistant"}, False
    if name:
        start = {"toolUse": {"toolUseId": new_id("tooluse_"), "name": name}}
        yield "contentBlockStart", {"start": start, "contentBlockIndex": 0}, False
    for piece in said.pieces:
        delta = {"toolUse": {"input": piece}} if name else {"text": piece}
        yield "contentBlockDelta", {"delta": delta, "contentBlockIndex": 0, "p": "abc"}, True
    yield "contentBlockStop", {"contentBlockIndex": 0}, False
    yield "messageStop", {"stopReason": _reason(name, said)}, False
    if "no-usage" not in call.directives:
        yield "metadata", {"usage": usage_of(call, said), "metrics": {"latencyMs": 1234}}, False


def usage_of(call: Call, said: Generation) -> dict[str, int]:
    """Cached tokens come on top of input tokens."""
    read, written = call.directives.get("cached") or 0, call.directives.get("cache-write") or 0
    prompt = prompt_tokens_of(call.member("messages"))
    return {
        "inputTokens": prompt,
        "outputTokens": said.tokens,
        "totalTokens": prompt + said.tokens + read + written,
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": written,
    }


def _schema(call: Call) -> Any:
    return call.member("toolConfig")["tools"][0]["toolSpec"]["inputSchema"]["json"]


def _reason(name: str, said: Generation) -> str:
    if said.cut_short:
        return "max_tokens"
    return "tool_use" if name else "end_turn"
