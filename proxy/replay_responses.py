"""Responses: a stream's last event holds the answer; an answer is taken apart into the events that build it up.

Source: OpenAI API reference, streaming events of the Responses API.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from proxy.replaying import CannotTurn, Document, list_of, text_member

Told = Callable[..., Document]
_BEGUN: Document = {
    "status": "in_progress",
    "output": [],
    "usage": None,
    "incomplete_details": None,
    "completed_at": None,
}
_TEXT_PARTS = {"output_text": "text", "refusal": "refusal"}


def put_together(events: Sequence[Document]) -> Document:
    """The answer, as the terminal event tells it. Raises CannotTurn."""
    for event in reversed(events):
        if event.get("type") == "response.completed" and isinstance(event.get("response"), dict):
            answer: Document = event["response"]
            return answer
    raise CannotTurn("the answer is not complete")


def take_apart(answer: Document) -> Iterator[Document]:
    """The events of a stream of this answer, numbered. Raises CannotTurn."""
    numbers = count()

    def told(kind: str, **members: Any) -> Document:
        return {"type": kind, "sequence_number": next(numbers), **members}

    begun = answer | {name: value for name, value in _BEGUN.items() if name in answer}
    yield told("response.created", response=begun)
    yield told("response.in_progress", response=begun)
    for index, item in enumerate(list_of(answer, "output")):
        yield from _item(told, index, item)
    yield told("response.completed", response=answer)


def _item(told: Told, index: int, item: Document) -> Iterator[Document]:
    inner = _INNER.get(str(item.get("type")))
    if inner is None:
        raise CannotTurn(f"an output of the type {item.get('type')}")
    empty, events = inner(told, {"item_id": item.get("id"), "output_index": index}, item)
    if "status" in item:
        empty["status"] = "in_progress"
    yield told("response.output_item.added", output_index=index, item=empty)
    yield from events
    yield told("response.output_item.done", output_index=index, item=item)


def _message(told: Told, where: Document, item: Document) -> tuple[Document, Iterator[Document]]:
    parts = list_of(item, "content")
    if not all(part.get("type") in _TEXT_PARTS for part in parts):
        raise CannotTurn("a message that is more than text")

    def events() -> Iterator[Document]:
        for number, part in enumerate(parts):
            kind, name = part["type"], _TEXT_PARTS[part["type"]]
            at = {**where, "content_index": number}
            text = text_member(part, name) or ""
            logprobs = {"logprobs": part.get("logprobs") or []} if kind == "output_text" else {}
            bare = {**part, name: ""} | ({"annotations": []} if "annotations" in part else {})
            yield told("response.content_part.added", **at, part=bare)
            yield told(f"response.{kind}.delta", **at, delta=text, **logprobs)
            for position, annotation in enumerate(list_of(part, "annotations")):
                yield told(
                    "response.output_text.annotation.added", **at, annotation_index=position, annotation=annotation
                )
            yield told(f"response.{kind}.done", **at, **{name: text}, **logprobs)
            yield told("response.content_part.done", **at, part=part)

    return {**item, "content": []}, events()


def _call(member: str, kind: str) -> Callable[[Told, Document, Document], tuple[Document, Iterator[Document]]]:
    def call(told: Told, where: Document, item: Document) -> tuple[Document, Iterator[Document]]:
        text = text_member(item, member) or ""

        def events() -> Iterator[Document]:
            yield told(f"response.{kind}.delta", **where, delta=text)
            named = {"name": item.get("name")} if kind == "function_call_arguments" else {}
            yield told(f"response.{kind}.done", **where, **named, **{member: text})

        return {**item, member: ""}, events()

    return call


def _reasoning(told: Told, where: Document, item: Document) -> tuple[Document, Iterator[Document]]:
    if item.get("content"):
        raise CannotTurn("reasoning in clear")
    parts = list_of(item, "summary")

    def events() -> Iterator[Document]:
        for number, part in enumerate(parts):
            at, text = {**where, "summary_index": number}, text_member(part, "text") or ""
            yield told("response.reasoning_summary_part.added", **at, part={**part, "text": ""})
            yield told("response.reasoning_summary_text.delta", **at, delta=text)
            yield told("response.reasoning_summary_text.done", **at, text=text)
            yield told("response.reasoning_summary_part.done", **at, part=part)

    return {**item, "summary": []}, events()


_INNER = {
    "message": _message,
    "function_call": _call("arguments", "function_call_arguments"),
    "custom_tool_call": _call("input", "custom_tool_call_input"),
    "reasoning": _reasoning,
}
