"""A provider that speaks nobody else's dialect: `/own/generate` with events, `/own/lines` with lines of JSON.

A request is {"engine": {"name"}, "input": {"turns": [{"say"}]}, "live"}. An answer is {"result": {"pieces"}}. A stream
says {"piece"} over and over, begins with two messages without text, and ends with `<<end>>`; one more message follows,
which nobody should wait for. Two more members of a request: `silent` makes so many of the messages be without text,
`told` adds usage as OpenAI has it.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from fake_upstream.call import Call
from fake_upstream.endpoints.answers import json_reply, whole_number
from fake_upstream.errors import missing
from fake_upstream.messages import Answer, Chunk, Stream
from fake_upstream.text import Generation

END_WORD = b"<<end>>"


def generate(call: Call) -> Answer:
    """POST /own/generate: streams are server-sent events."""
    return _answer(call, "data: {}\n\n", "text/event-stream; charset=utf-8")


def generate_lines(call: Call) -> Answer:
    """POST /own/lines: streams are lines of JSON."""
    return _answer(call, "{}\n", "application/stream+json")


def _answer(call: Call, frame: str, content_type: str) -> Answer:
    turns = (call.member("input") or {}).get("turns")
    if not turns:
        return missing("input.turns")
    said = call.prose(turns[-1].get("say", ""), whole_number(call.member("most")))
    if call.member("live") is True:
        return Stream(_stream(call, said, frame), content_type=content_type)
    usage = {"usage": _usage(said)} if call.member("told") else {}
    return json_reply({"result": {"pieces": said.pieces}, **usage})


def _usage(said: Generation) -> dict[str, int]:
    return {"input_tokens": 1000, "output_tokens": said.tokens}


def _stream(call: Call, said: Generation, frame: str) -> Iterator[Chunk]:
    def message(document: Any, *, content: bool = False) -> Chunk:
        return frame.format(orjson.dumps(document).decode()).encode(), content

    yield message({"began": True})
    yield message({"piece": ""})
    for _ in range(whole_number(call.member("silent")) or 0):
        yield message({"thinking": True})
    for piece in said.pieces:
        yield message({"piece": piece}, content=True)
    if call.member("told"):
        yield message({"usage": _usage(said)})
    yield frame.format(END_WORD.decode()).encode(), False
    yield message({"piece": " of nobody's business"})
