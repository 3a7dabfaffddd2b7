"""Tests of the vLLM adapter: its own paths beside OpenAI's."""

import pytest

from providers.adapters.vllm import VLLMAdapter
from providers.records import ProviderRecord

ADAPTER = VLLMAdapter()


@pytest.mark.parametrize(
    ("method", "tail", "name", "metering"),
    [
        ("POST", "/chat/completions", "chat", "estimated"),
        ("POST", "/tokenize", "tokenize", "free"),
        ("POST", "/detokenize", "detokenize", "free"),
        ("POST", "/score", "score", "estimated"),
        ("POST", "/rerank", "rerank", "estimated"),
        ("POST", "/pooling", "pooling", "estimated"),
        ("POST", "/classify", "classify", "estimated"),
        ("GET", "/score", "read", "free"),
        ("POST", "/load_lora_adapter", "load_lora_adapter", "unmetered"),
    ],
)
def test_a_path_means_an_operation(method: str, tail: str, name: str, metering: str) -> None:
    operation = ADAPTER.operation(method, tail)
    assert (operation.name, operation.metering) == (name, metering)


@pytest.mark.parametrize(
    ("base_url", "tail", "url"),
    [
        ("http://gpu:8000/v1", "/chat/completions", "http://gpu:8000/v1/chat/completions"),
        ("http://gpu:8000/v1", "/tokenize", "http://gpu:8000/tokenize"),
        ("http://gpu:8000/a/v1", "/pooling", "http://gpu:8000/a/pooling"),
        ("http://gpu:8000/v1", "/score", "http://gpu:8000/v1/score"),
    ],
)
def test_some_paths_are_beside_the_versioned_ones(base_url: str, tail: str, url: str) -> None:
    setting = ProviderRecord(id="s", provider="vllm", base_url=base_url)
    assert ADAPTER.url(setting, tail, "") == url
    assert ADAPTER.url(setting, tail, "a=b") == f"{url}?a=b"


def test_what_generates_nothing_reserves_no_output() -> None:
    score = ADAPTER.operation("POST", "/score")
    assert ADAPTER.read_body(score, {"model": "m"}).max_output_tokens == 0
    chat = ADAPTER.operation("POST", "/chat/completions")
    assert ADAPTER.read_body(chat, {"model": "m"}).max_output_tokens is None
