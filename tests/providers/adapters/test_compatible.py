"""Tests of the rows: where their requests go, and the small differences of their dialects."""

from typing import Any

import pytest

from providers.adapters.compatible import CompatibleAdapter
from providers.adapters.registry import ADAPTERS
from providers.catalog import CATALOG
from providers.destinations import base_url
from providers.records import ProviderRecord, TokenUsage

ADDRESSES = {
    "deepinfra": "https://api.deepinfra.com/v1/openai/chat/completions",
    "mistral": "https://api.mistral.ai/v1/chat/completions",
    "groq": "https://api.groq.com/openai/v1/chat/completions",
    "together": "https://api.together.xyz/v1/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "xai": "https://api.x.ai/v1/chat/completions",
    "blackbox": "https://api.blackbox.ai/chat/completions",
    "cohere": "https://api.cohere.ai/compatibility/v1/chat/completions",
    "perplexity": "https://api.perplexity.ai/chat/completions",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
    "ollama": "http://127.0.0.1:11434/v1/chat/completions",
}
ROWS = [name for name, kind in CATALOG.items() if kind.dialect is not None]


def adapter(name: str) -> CompatibleAdapter:
    found = next(each for each in ADAPTERS if each.provider == name)
    assert isinstance(found, CompatibleAdapter)
    return found


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_its_own_address(name: str) -> None:
    row = adapter(name)
    setting = ProviderRecord(id="s", provider=name, base_url=base_url(name, {}), secrets={"apikey": "k"})
    assert row.url(setting, "/chat/completions", "") == ADDRESSES[name]
    assert row.credentials(setting) == (("authorization", "Bearer k"),)


def test_a_server_without_a_key_gets_none() -> None:
    assert adapter("ollama").credentials(ProviderRecord(id="s", provider="ollama")) == ()


@pytest.mark.parametrize(
    ("name", "forces", "ends"),
    [("groq", True, True), ("mistral", False, True), ("perplexity", False, False), ("gemini", True, True)],
)
def test_streams_tell_usage_and_end_as_the_row_says(name: str, forces: bool, ends: bool) -> None:
    row = adapter(name)
    dialect = row.stream(row.operation("POST", "/chat/completions"))
    assert (dialect.forces_usage, dialect.always_ends) == (forces, ends)
    assert row.stream(row.operation("POST", "/responses")).last_types


def test_usage_beside_the_usual_place_is_read() -> None:
    row = adapter("groq")
    chat = row.operation("POST", "/chat/completions")
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    told = {"model": "m", "choices": [], "x_groq": {"id": "req_1", "usage": usage}}
    assert row.read_usage(chat, told) == (TokenUsage(input_tokens=3, output_tokens=4), "m", True)
    for nothing in ({"x_groq": {"id": "req_1"}}, {"x_groq": None}, {"x_groq": {"usage": 5}}):
        assert row.read_usage(chat, nothing).usage is None


@pytest.mark.parametrize(
    ("content", "usage"),
    [
        ("https://pictures.example/1.webp", TokenUsage(images=1)),
        ("a picture is a thing", TokenUsage()),
        (None, TokenUsage()),
    ],
)
def test_a_picture_in_a_chat_is_a_picture(content: Any, usage: TokenUsage) -> None:
    row = adapter("blackbox")
    chat = row.operation("POST", "/chat/completions")
    none = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "prompt_tokens_details": "None"}
    payload = {"choices": [{"message": {"content": content}}], "usage": none}
    assert row.read_usage(chat, payload).usage == usage
    assert row.read_answer(chat, b'{"usage": {"prompt_tokens": 0, "completion_tokens": 0}}') is None


def test_openais_default_model_is_nobody_elses() -> None:
    row = adapter("xai")
    images = row.operation("POST", "/images/generations")
    assert row.read_body(images, {"prompt": "x"}).model == ""
    assert row.read_body(images, {"prompt": "x", "model": "grok-2-image"}).model == "grok-2-image"


@pytest.mark.parametrize(
    ("models", "others"),
    [(["m", "n", "o"], ("n", "o")), ("n", ("n",)), ([], ()), (["m"], ()), ([["n"]], ("['n']",)), (None, ())],
)
def test_the_models_that_may_answer_instead_are_known(models: Any, others: tuple[str, ...]) -> None:
    row = adapter("openrouter")
    facts = row.read_body(row.operation("POST", "/chat/completions"), {"model": "m", "models": models, "messages": []})
    assert (facts.model, facts.other_models, facts.deferred) == ("m", others, bool(others))
