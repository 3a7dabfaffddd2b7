"""Tests of turning text completions into streams and back."""

from typing import Any

import pytest
from openai.types import Completion

from proxy.replay_text import put_together, take_apart
from proxy.replaying import CannotTurn

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
HEAD = {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "gpt-3.5-turbo-instruct"}
LOGPROBS = {"tokens": ["a", "b"], "token_logprobs": [-1.0, -2.0], "top_logprobs": [{}, {}], "text_offset": [0, 1]}


def answer(**changes: Any) -> dict[str, Any]:
    choices = [
        {"index": 0, "text": "ab", "logprobs": LOGPROBS, "finish_reason": "stop"},
        {"index": 1, "text": "", "logprobs": None, "finish_reason": "length", "stop_reason": None},
    ]
    return {**HEAD, "choices": choices, "usage": USAGE, **changes}


@pytest.mark.parametrize("asked", [True, False])
def test_what_is_taken_apart_goes_together_again(asked: bool) -> None:
    chunks = list(take_apart(answer(), usage_asked=asked))
    again = put_together(chunks)
    assert ("usage" in again) is asked
    assert again["choices"][0] == answer()["choices"][0]
    assert [choice["text"] for choice in again["choices"]] == ["ab", ""]
    Completion.model_validate(again)
    for chunk in chunks:
        assert ("usage" in chunk) is asked


def test_pieces_are_joined_by_choice() -> None:
    def chunk(index: int, text: str, **members: Any) -> dict[str, Any]:
        return {**HEAD, "choices": [{"index": index, "text": text, "finish_reason": None, **members}]}

    first = chunk(0, "a", logprobs={"tokens": ["a"], "token_logprobs": [-1.0]})
    then = chunk(0, "c", logprobs={"tokens": ["c"], "token_logprobs": [-3.0]})
    whole = put_together([first, chunk(1, "b"), then, chunk(0, "", finish_reason="stop")])
    assert whole["choices"][0] == {
        "index": 0,
        "text": "ac",
        "logprobs": {"tokens": ["a", "c"], "token_logprobs": [-1.0, -3.0]},
        "finish_reason": "stop",
    }
    assert whole["choices"][1]["text"] == "b"


def test_usage_that_is_not_known_cannot_be_told() -> None:
    with pytest.raises(CannotTurn):
        list(take_apart(answer(usage=None), usage_asked=True))


@pytest.mark.parametrize(
    "choice", [{"index": "0", "text": "a"}, {"index": 0, "text": ["a"]}, {"index": 0, "text": "a", "token_ids": [1]}]
)
def test_what_is_not_understood_is_not_turned(choice: dict[str, Any]) -> None:
    document = {**HEAD, "choices": [choice]}
    with pytest.raises(CannotTurn):
        put_together([document])
    if choice["index"] == 0:
        with pytest.raises(CannotTurn):
            list(take_apart(document, usage_asked=False))
