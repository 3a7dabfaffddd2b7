"""Tests of what Anthropic's paths mean and of what the gateway reads from request bodies."""

from typing import Any

import pytest

from providers.adapters import members
from providers.adapters.anthropic_operations import facts_of, operation_of

MESSAGES = operation_of("POST", "/messages")
COMPLETE = operation_of("POST", "/complete")
BATCHES = operation_of("POST", "/messages/batches")


@pytest.mark.parametrize(
    ("method", "tail", "name", "metering"),
    [
        ("POST", "/messages", "chat", "estimated"),
        ("POST", "/messages/", "chat", "estimated"),
        ("POST", "/mess%61ges", "chat", "estimated"),
        ("POST", "/complete", "text_completion", "estimated"),
        ("POST", "/messages/count_tokens", "count_tokens", "free"),
        ("POST", "/messages/batches", "batches", "unmetered"),
        ("POST", "/messages/batches/b/cancel", "read_batches", "free"),
        ("GET", "/messages/batches", "read_batches", "free"),
        ("GET", "/messages/batches/b", "read_batches", "free"),
        ("DELETE", "/messages/batches/b", "read_batches", "free"),
        ("GET", "/messages/batches/b/results", "read", "free"),
        ("GET", "/models", "read", "free"),
        ("POST", "/files", "files", "free"),
        ("GET", "/files/f/content", "read", "free"),
        ("DELETE", "/files/f", "read", "free"),
        ("POST", "/skills", "skills", "unmetered"),
        ("PUT", "/messages", "messages", "unmetered"),
        ("POST", "/", "unknown", "unmetered"),
    ],
)
def test_paths_mean_operations(method: str, tail: str, name: str, metering: str) -> None:
    operation = operation_of(method, tail)
    assert (operation.name, operation.metering) == (name, metering)


def test_a_model_in_the_path_is_the_calls_model() -> None:
    assert operation_of("GET", "/models/claude-opus-4-8").model_in_path == "claude-opus-4-8"


def asked(*blocks: Any, **members: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": list(blocks) or "hi"}], **members}


def test_a_plain_message() -> None:
    facts = facts_of(MESSAGES, asked(stream=True, metadata={"user_id": "u"}, inference_geo="global"))
    assert (facts.model, facts.stream, facts.user, facts.max_output_tokens) == ("m", True, "u", 9)
    assert (facts.open_input, facts.hidden_input_tokens, facts.service_tier, facts.deferred) == (False, 0, "", False)


def test_a_completion_has_a_maximum_of_another_name() -> None:
    assert facts_of(COMPLETE, {"model": "m", "max_tokens_to_sample": 7, "max_tokens": 5}).max_output_tokens == 7
    assert facts_of(MESSAGES, {"model": "m", "max_tokens_to_sample": 7, "max_tokens": 5.0}).max_output_tokens == 5
    assert facts_of(MESSAGES, {"model": "m"}).max_output_tokens is None


@pytest.mark.parametrize(
    ("members", "tier"),
    [
        ({}, "us"),
        ({"inference_geo": "us"}, "us"),
        ({"inference_geo": "global"}, ""),
        ({"speed": "fast"}, "fast_us"),
        ({"speed": "fast", "inference_geo": "global"}, "fast"),
    ],
)
def test_the_dearest_way_it_may_be_served_counts(members: dict[str, Any], tier: str) -> None:
    assert facts_of(MESSAGES, asked(**members)).service_tier == tier


TEXT = {"type": "text", "text": "x"}
PICTURE = {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}}
PAGES = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"}}


@pytest.mark.parametrize(
    ("block", "images", "is_open"),
    [
        (TEXT, 0, False),
        (PICTURE, 1, False),
        ({"type": "tool_result", "content": [TEXT, PICTURE, PICTURE]}, 2, False),
        ({"type": "tool_result", "content": "text"}, 0, False),
        ({"type": "tool_result", "content": [PAGES]}, 0, True),
        ({"type": "tool_use", "input": {"type": "image"}}, 0, False),
        ({"type": "search_result", "content": [TEXT], "source": "x"}, 0, False),
        (PAGES, 0, True),
        ({"type": "document", "source": {"type": "text", "data": "x"}}, 0, False),
        ({"type": "document", "source": {"type": "content", "content": [PICTURE]}}, 1, False),
        ({"type": "document", "source": {"type": "content", "content": "x"}}, 0, False),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, 0, True),
        ({"type": "document", "source": {"type": "url", "url": "u"}}, 0, True),
        ({"type": "document"}, 0, True),
        ({"type": "container_upload", "file_id": "f"}, 0, True),
        ({"type": "thing_of_tomorrow"}, 0, True),
        ({"type": ["text"]}, 0, True),
        ({}, 0, True),
        ("text", 0, False),
    ],
)
def test_what_the_body_does_not_hold_is_open(block: Any, images: int, is_open: bool) -> None:
    facts = facts_of(MESSAGES, asked(block))
    assert (facts.hidden_input_tokens, facts.open_input) == (5120 * images, is_open)


def test_what_is_nested_too_deeply_to_look_is_open() -> None:
    nested: Any = TEXT
    for _ in range(10):
        nested = {"type": "tool_result", "content": [nested]}
    assert facts_of(MESSAGES, asked(nested)).open_input


def test_the_system_prompt_is_looked_at_too() -> None:
    assert not facts_of(MESSAGES, asked(system=[TEXT])).open_input
    assert facts_of(MESSAGES, asked(system=[PAGES])).open_input


@pytest.mark.parametrize(
    ("tools", "hidden", "is_open"),
    [
        ([], 0, False),
        ([{"name": "f", "input_schema": {}}], 1024, False),
        ([{"type": "custom", "name": "f", "input_schema": {}}], 1024, False),
        ([{"type": "bash_20250124", "name": "bash"}], 1024 + 4096, False),
        ([{"type": "computer_20250124"}, {"type": "text_editor_20250728"}, {"name": "f"}], 1024 + 2 * 4096, False),
        ([{"type": "web_search_20250305", "name": "web_search"}], 1024 + 4096, True),
        ([{"type": "code_execution_20250825", "name": "code_execution"}], 1024 + 4096, True),
        ([{"type": 5}], 1024 + 4096, True),
        ({"a": 1}, 1024, True),
    ],
)
def test_tools_add_tokens_of_their_own(tools: Any, hidden: int, is_open: bool) -> None:
    facts = facts_of(MESSAGES, asked(tools=tools))
    assert (facts.hidden_input_tokens, facts.open_input) == (hidden, is_open)


@pytest.mark.parametrize("name", ["thinking", "output_config", "output_format"])
def test_members_the_provider_has_prompts_for_add_tokens(name: str) -> None:
    facts = facts_of(MESSAGES, asked(tools=[{"name": "f"}], **{name: {"type": "adaptive"}}))
    assert (facts.hidden_input_tokens, facts.open_input) == (2 * 1024, False)


@pytest.mark.parametrize("name", ["container", "context_management", "compaction", "mcp_servers", "thread"])
def test_members_that_bring_in_more_make_it_open(name: str) -> None:
    assert facts_of(MESSAGES, asked(**{name: {"id": "x"}})).open_input
    assert not facts_of(MESSAGES, asked(**{name: None})).open_input


@pytest.mark.parametrize(
    ("members", "others"),
    [
        ({"fallbacks": [{"model": "n"}, {"model": "o"}]}, ("n", "o")),
        ({"fallbacks": [{"model": "m"}]}, ()),
        ({"fallbacks": "default"}, ("default",)),
        ({"fallbacks": [None, {"model": 5}]}, ()),
        ({"tools": [{"type": "advisor_20260301", "model": "n"}]}, ("n",)),
        ({"tools": [{"name": "f", "input_schema": {"model": "n"}}]}, ()),
    ],
)
def test_models_that_may_answer_beside_are_told(members: dict[str, Any], others: tuple[str, ...]) -> None:
    facts = facts_of(MESSAGES, asked(**members))
    assert (facts.other_models, facts.deferred) == (others, bool(others))


def test_a_batch_has_the_models_of_all_its_requests() -> None:
    requests = [{"params": asked()}, {"params": {"model": "a", "fallbacks": [{"model": "z"}]}}, {"params": None}, 5]
    facts = facts_of(BATCHES, {"requests": requests})
    assert (facts.model, facts.other_models) == ("a", ("m", "z"))
    assert facts_of(BATCHES, {}).model == ""
    with pytest.raises(ValueError, match="model must be a string"):
        facts_of(BATCHES, {"requests": [{"params": {"model": 5}}]})


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"model": 5}, "model"),
        ({"stream": "true"}, "stream"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"metadata": "u"}, "metadata"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
    ],
)
def test_impossible_members_are_named(members: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named} must be"):
        facts_of(MESSAGES, asked(**members))


class Noting(dict[str, Any]):
    """A document that notes which members are asked for."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


@pytest.mark.parametrize("operation", [MESSAGES, COMPLETE, BATCHES])
def test_every_member_that_counts_may_be_there_only_once(operation: Any) -> None:
    document = Noting(asked(tools=[], prompt="x", system="x"))
    facts_of(operation, document)
    assert document.asked
    assert document.asked <= set(members.ANTHROPIC)
