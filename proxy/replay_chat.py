"""Chat completions: a stream's chunks put together to an answer, and an answer taken apart into chunks.

Sources: OpenAI API reference, chat completion object and chunk object; the streams of vLLM and Azure.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proxy.replaying import CannotTurn, Document, head_of, list_of, object_member, only, text_member

_CHUNK_MEMBERS = frozenset(
    {
        "id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage", "obfuscation",
        "prompt_filter_results",
    }
)  # fmt: skip
_CHOICE_MEMBERS = frozenset(
    {"index", "delta", "message", "finish_reason", "logprobs", "stop_reason", "content_filter_results"}
)
_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")
_MESSAGE_MEMBERS = frozenset({"role", "tool_calls", "function_call", "annotations", *_TEXTS})
_CALL_MEMBERS = frozenset({"index", "id", "type", "function", "custom"})
# The part of a call that grows, by the part's name.
_GROWING = {"function": "arguments", "custom": "input"}


def put_together(chunks: Sequence[Document]) -> Document:
    """The answer these chunks are the stream of. Raises CannotTurn."""
    choices: dict[int, _Choice] = {}
    for chunk in chunks:
        only(chunk, _CHUNK_MEMBERS)
        for part in list_of(chunk, "choices"):
            index = part.get("index", 0)
            if not isinstance(index, int):
                raise CannotTurn("a choice without a number")
            choices.setdefault(index, _Choice(index)).add(part)
    answer: Document = {**head_of(chunks, "chat.completion"), "choices": [choices[i].whole() for i in sorted(choices)]}
    for chunk in chunks:
        for name in ("usage", "prompt_filter_results"):
            if chunk.get(name):
                answer[name] = chunk[name]
    return answer


class _Choice:
    """One choice as it grows."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._role = "assistant"
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, Document] = {}
        self._function: Document = {}
        self._annotations: list[Any] = []
        self._logprobs: dict[str, list[Any]] = {}
        self._filtered: Document = {}
        self._ending: Document = {"finish_reason": None}

    def add(self, part: Mapping[str, Any]) -> None:
        only(part, _CHOICE_MEMBERS)
        self._add_delta(object_member(part, "delta"))
        for name, tokens in object_member(part, "logprobs").items():
            if isinstance(tokens, list):
                self._logprobs.setdefault(name, []).extend(tokens)
        for name, found in object_member(part, "content_filter_results").items():
            if self._filtered.setdefault(name, found) != found:
                raise CannotTurn("filters that found different things in different pieces")
        for name in ("finish_reason", "stop_reason"):
            if part.get(name) is not None:
                self._ending[name] = part[name]

    def _add_delta(self, delta: Document) -> None:
        only(delta, _MESSAGE_MEMBERS)
        self._role = delta.get("role") or self._role
        for name in _TEXTS:
            if (text := text_member(delta, name)) is not None:
                self._texts.setdefault(name, []).append(text)
        for call in list_of(delta, "tool_calls"):
            self._add_call(call)
        grow(self._function, object_member(delta, "function_call"), "arguments")
        self._annotations += list_of(delta, "annotations")

    def _add_call(self, call: Mapping[str, Any]) -> None:
        only(call, _CALL_MEMBERS)
        index = call.get("index")
        if not isinstance(index, int):
            raise CannotTurn("a tool call without a number")
        whole = self._calls.setdefault(index, {})
        for name in ("id", "type"):
            if call.get(name):
                whole[name] = call[name]
        for name, growing in _GROWING.items():
            if piece := object_member(call, name):
                grow(whole.setdefault(name, {}), piece, growing)

    def whole(self) -> Document:
        texts = {name: "".join(parts) for name, parts in self._texts.items()}
        message: Document = {"role": self._role, "content": None, "refusal": None, **texts}
        # An empty text beside what was called, or refused, is how a stream begins.
        if not message["content"] and (self._calls or self._function or message["refusal"]):
            message["content"] = None
        message["refusal"] = message["refusal"] or None
        if self._calls:
            message["tool_calls"] = [_typed(self._calls[i]) for i in sorted(self._calls)]
        if self._function:
            message["function_call"] = self._function
        if self._annotations:
            message["annotations"] = self._annotations
        whole = {"index": self._index, "message": message, "logprobs": self._logprobs or None, **self._ending}
        return whole | ({"content_filter_results": self._filtered} if self._filtered else {})


def _typed(call: Document) -> Document:
    """Some servers leave out what there used to be only one of."""
    return {"type": "custom" if "custom" in call else "function", **call}


def grow(whole: Document, part: Mapping[str, Any], growing: str) -> None:
    """Add a piece of a call: its name comes once, what it is called with in pieces. Raises CannotTurn."""
    only(part, {"name", growing})
    if part.get("name"):
        whole["name"] = part["name"]
    if (text := text_member(part, growing)) is not None:
        whole[growing] = whole.get(growing, "") + text


def take_apart(answer: Document, *, usage_asked: bool) -> Iterator[Document]:
    """The chunks of a stream of this answer. Raises CannotTurn."""
    usage = answer.get("usage")
    if usage_asked and not isinstance(usage, dict):
        raise CannotTurn("no usage is known")
    only(answer, _CHUNK_MEMBERS)
    head = head_of([answer], "chat.completion.chunk")
    rest: Document = {"usage": None} if usage_asked else {}
    if answer.get("prompt_filter_results"):
        yield {**head, "choices": [], "prompt_filter_results": answer["prompt_filter_results"], **rest}
    for choice in list_of(answer, "choices"):
        for delta in _deltas(choice):
            yield {**head, "choices": [delta], **rest}
    if usage_asked:
        yield {**head, "choices": [], "usage": usage}


def _deltas(choice: Mapping[str, Any]) -> Iterator[Document]:
    only(choice, _CHOICE_MEMBERS)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise CannotTurn("a choice without a message")
    only(message, _MESSAGE_MEMBERS)
    index = choice.get("index", 0)
    calls = [_numbered(number, call) for number, call in enumerate(list_of(message, "tool_calls"))]
    first = {"role": message.get("role") or "assistant", "content": None if calls else "", "refusal": None}
    yield _delta(index, first)
    for name in ("reasoning_content", "reasoning"):
        if text := text_member(message, name):
            yield _delta(index, {name: text})
    said: Document = {name: text for name in ("content", "refusal") if (text := text_member(message, name))}
    if annotations := list_of(message, "annotations"):
        said["annotations"] = annotations
    if calls:
        said["tool_calls"] = calls
    if message.get("function_call"):
        said["function_call"] = message["function_call"]
    if said or choice.get("logprobs"):
        yield _delta(index, said) | {"logprobs": choice.get("logprobs")}
    last = _delta(index, {}) | {"finish_reason": choice.get("finish_reason")}
    yield last | {name: choice[name] for name in ("stop_reason", "content_filter_results") if name in choice}


def _numbered(number: int, call: Mapping[str, Any]) -> Document:
    only(call, _CALL_MEMBERS)
    return {"index": number, **call}


def _delta(index: Any, delta: Document) -> Document:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
