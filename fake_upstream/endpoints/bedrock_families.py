"""Other makers' models on Bedrock, each in its own words: Nova, Titan, Llama, Mistral, Cohere, AI21; embeddings."""

from collections.abc import Callable, Iterator
from typing import Any

from fake_upstream import aws
from fake_upstream.call import Call
from fake_upstream.endpoints import bedrock_converse
from fake_upstream.endpoints.answers import json_reply, whole_number
from fake_upstream.endpoints.bedrock_claude import chunk, metrics
from fake_upstream.messages import Answer, Chunk, Stream
from fake_upstream.text import Generation, count_tokens

_Document = dict[str, Any]


def answer(call: Call, streamed: bool) -> Answer:
    """The answer in the words of the model's family."""
    if "embed" in call.model:
        return _counted({"embedding": [0.5, -0.5], **_embedded(call)}, count_tokens(_prompt(call)), 0)
    family = next((name for name in _WORDS if name in call.model), None)
    if family is None:
        return aws.error("The provided model identifier is invalid.", 400)
    if family == "amazon.nova":
        return _nova(call, streamed)
    said = call.prose(_prompt(call), _limit(call))
    whole, piece = _WORDS[family]
    prompt = count_tokens(_prompt(call))
    if not streamed:
        return _counted(whole(said, prompt), prompt, said.tokens)
    return Stream(_stream(call, said, piece))


def _stream(call: Call, said: Generation, piece: Callable[[str, bool], _Document]) -> Iterator[Chunk]:
    for text in said.pieces:
        yield chunk(piece(text, False), content=True)
    told = {"input_tokens": count_tokens(_prompt(call)), "output_tokens": said.tokens}
    yield chunk({**piece("", True), **metrics(call, told)}, content=False)


def _nova(call: Call, streamed: bool) -> Answer:
    if not streamed:
        return bedrock_converse.answer(call, streamed)
    name, said = bedrock_converse.said_in(call, call.member("messages"))
    return Stream(_nova_chunks(call, name, said))


def _nova_chunks(call: Call, name: str, said: Generation) -> Iterator[Chunk]:
    for event, told, content in bedrock_converse.events(call, name, said):
        more: _Document = {}
        if event == "metadata":
            usage = told["usage"]
            more = metrics(call, {"input_tokens": usage["inputTokens"], "output_tokens": usage["outputTokens"]})
        yield chunk({event: told, **more}, content=content)


def _counted(document: _Document, prompt: int, made: int) -> Answer:
    reply = json_reply(document)
    reply.headers["x-amzn-bedrock-input-token-count"] = str(prompt)
    reply.headers["x-amzn-bedrock-output-token-count"] = str(made)
    return reply


def _embedded(call: Call) -> _Document:
    return {"inputTextTokenCount": count_tokens(_prompt(call))} if "titan" in call.model else {}


def _prompt(call: Call) -> str:
    texts = call.member("texts")
    if isinstance(texts, list):
        return " ".join(texts)
    said = call.member("prompt") or call.member("inputText") or call.member("message")
    return said if isinstance(said, str) else " ".join(str(turn.get("content")) for turn in call.member("messages", []))


def _limit(call: Call) -> int | None:
    configuration = call.member("textGenerationConfig", {})
    names = ("max_gen_len", "max_tokens")
    told = [call.member(name) for name in names] + [configuration.get("maxTokenCount")]
    return whole_number(next((value for value in told if value is not None), None))


def _llama(said: Generation, prompt: int) -> _Document:
    counts = {"prompt_token_count": prompt, "generation_token_count": said.tokens}
    return {"generation": said.text, "stop_reason": "stop", **counts}


def _titan(said: Generation, prompt: int) -> _Document:
    result = {"tokenCount": said.tokens, "outputText": said.text, "completionReason": "FINISH"}
    return {"inputTextTokenCount": prompt, "results": [result]}


def _jamba(said: Generation, prompt: int) -> _Document:
    choice = {"index": 0, "message": {"role": "assistant", "content": said.text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": prompt, "completion_tokens": said.tokens, "total_tokens": prompt + said.tokens}
    return {"id": "chat-1", "choices": [choice], "usage": usage}


_WORDS: dict[str, tuple[Callable[[Generation, int], _Document], Callable[[str, bool], _Document]]] = {
    "amazon.nova": (_llama, lambda text, last: {}),
    "amazon.titan": (
        _titan,
        lambda text, last: {"outputText": text, "index": 0, "completionReason": "FINISH" if last else None},
    ),
    "meta.llama": (
        _llama,
        lambda text, last: {"generation": text, "prompt_token_count": None, "generation_token_count": 1,
                            "stop_reason": "stop" if last else None},
    ),
    "mistral.": (
        lambda said, prompt: {"outputs": [{"text": said.text, "stop_reason": "stop"}]},
        lambda text, last: {"outputs": [{"text": text, "stop_reason": "stop" if last else None}]},
    ),
    "cohere.command": (
        lambda said, prompt: {"generations": [{"id": "g", "text": said.text, "finish_reason": "COMPLETE"}]},
        lambda text, last: {"text": text, "is_finished": last},
    ),
    "ai21.jamba": (
        _jamba,
        lambda text, last: {"id": "chat-1", "choices": [{"index": 0, "delta": {"content": text},
                                                         "finish_reason": "stop" if last else None}]},
    ),
}  # fmt: skip
"""By a part of the model's id: the whole answer of what was said and the prompt's tokens, and a piece of a stream."""
