"""Text completions: chunks put together to an answer, an answer taken apart into chunks.

Source: OpenAI API reference, completion object; chunks have the same form.
"""

from collections.abc import Iterator, Sequence

from proxy.replaying import CannotTurn, Document, head_of, list_of, object_member, only, text_member

_MEMBERS = frozenset({"id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage"})
_CHOICE_MEMBERS = frozenset({"index", "text", "finish_reason", "logprobs", "stop_reason"})


def put_together(chunks: Sequence[Document]) -> Document:
    """The answer these chunks are the stream of. Raises CannotTurn."""
    choices: dict[int, Document] = {}
    usage = None
    for chunk in chunks:
        only(chunk, _MEMBERS)
        usage = chunk.get("usage") or usage
        for part in list_of(chunk, "choices"):
            only(part, _CHOICE_MEMBERS)
            index = part.get("index", 0)
            if not isinstance(index, int):
                raise CannotTurn("a choice without a number")
            whole = choices.setdefault(index, {"index": index, "text": "", "logprobs": None, "finish_reason": None})
            _add(whole, part)
    answer = {**head_of(chunks, "text_completion"), "choices": [choices[index] for index in sorted(choices)]}
    return {**answer, "usage": usage} if usage else answer


def _add(whole: Document, part: Document) -> None:
    whole["text"] += text_member(part, "text") or ""
    for name in ("finish_reason", "stop_reason"):
        if part.get(name) is not None:
            whole[name] = part[name]
    if told := object_member(part, "logprobs"):
        kept = whole["logprobs"] = whole["logprobs"] or {}
        for name, tokens in told.items():
            if isinstance(tokens, list):
                kept[name] = [*(kept.get(name) or ()), *tokens]


def take_apart(answer: Document, *, usage_asked: bool) -> Iterator[Document]:
    """The chunks of a stream of this answer. Raises CannotTurn."""
    usage = answer.get("usage")
    if usage_asked and not isinstance(usage, dict):
        raise CannotTurn("no usage is known")
    only(answer, _MEMBERS)
    head = head_of([answer], "text_completion")
    rest: Document = {"usage": None} if usage_asked else {}
    for choice in list_of(answer, "choices"):
        only(choice, _CHOICE_MEMBERS)
        text = text_member(choice, "text") or ""
        yield {**head, "choices": [{**choice, "text": text, "finish_reason": None}], **rest}
        yield {**head, "choices": [{**choice, "text": "", "logprobs": None}], **rest}
    if usage_asked:
        yield {**head, "choices": [], "usage": usage}
