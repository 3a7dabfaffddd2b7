"""The table of the contract: for every adapter what is asked, what was recorded, and what it has to mean.

payloads/<folder>/ holds per case plain.json, cached.json, error.json, stream.sse and failed.sse (or .bin), shaped as
the provider's documentation and SDK types say, with its own members beside those that everybody has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from anthropic.types import Message, RawMessageStreamEvent
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from providers.records import CustomProviderRecord, CustomRouteRecord, TokenUsage
from tests.providers.adapters.contract_streams import EVENT_STREAM

PAYLOADS = Path(__file__).with_name("payloads")
_CHAT = "/chat/completions"
_HELLO = [{"role": "user", "content": "Say hello."}]


@dataclass(frozen=True, slots=True)
class Case:
    """One row. model: the one asked for; answered_by: the one the answer names, "" when it names none.

    plain, cached, stream: the usage that the recorded answers tell. text: what the stream says. error_status: of the
    recorded error. translated: the client gets another framing than the provider sent. says_end: a last event ends the
    stream. sdk, sdk_chunk: the official SDK's types for the answer and for an event, where it fits them.
    """

    folder: str
    prefix: str
    model: str
    plain: TokenUsage
    cached: TokenUsage
    stream: TokenUsage
    text: str
    answered_by: str = ""
    tail: str = _CHAT
    stream_tail: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    stream_body: Mapping[str, Any] = field(default_factory=dict)
    error_status: int = 429
    stream_type: str = "text/event-stream"
    translated: bool = False
    says_end: bool = True
    sdk: Any = None
    sdk_chunk: Any = None

    @property
    def stream_file(self) -> str:
        return "stream.sse" if self.stream_type == "text/event-stream" else "stream.bin"

    @property
    def failed_file(self) -> str:
        return self.stream_file.replace("stream", "failed")

    def read(self, name: str) -> bytes:
        """A recorded payload."""
        return (PAYLOADS / self.folder / name).read_bytes()


def chat(folder: str, model: str, plain: TokenUsage, cached: TokenUsage, stream: TokenUsage, **changes: Any) -> Case:
    """A chat in OpenAI's dialect; the folder is the provider's name."""
    values = {
        "prefix": f"/api/providers/{folder}/v1",
        "answered_by": model,
        "text": "Hello there!",
        "body": {"model": model, "messages": _HELLO},
        "stream_body": {"stream": True, "stream_options": {"include_usage": True}},
        "sdk": ChatCompletion,
        "sdk_chunk": ChatCompletionChunk,
    }
    return Case(folder, model=model, plain=plain, cached=cached, stream=stream, **{**values, **changes})


# A provider that an operator described.
CUSTOM = CustomProviderRecord(
    "custom-1",
    "acme",
    "apikey",
    {
        "/generate": CustomRouteRecord(
            path="/generate",
            target_url="set by the test",
            model_location="engine",
            request_prompt_location="say",
            response_completion_location="said",
            stream_location="live",
            stream_response_completion_location="piece",
            stream_end_word="[END]",
        )
    },
)
_SHORT = TokenUsage(input_tokens=11, output_tokens=4)


def _cached(fresh: int, cached: int, made: int) -> TokenUsage:
    return TokenUsage(input_tokens=fresh, cache_read_tokens=cached, output_tokens=made)


_MESSAGES: dict[str, Any] = {
    "tail": "/messages",
    "body": {"model": "claude-sonnet-4-5-20250929", "max_tokens": 100, "messages": _HELLO},
    "stream_body": {"stream": True},
    "sdk": Message,
    "sdk_chunk": RawMessageStreamEvent,
}

_CLAUDE_CACHED = TokenUsage(
    input_tokens=21, cache_read_tokens=188_086, cache_write_tokens=456, cache_write_1h_tokens=100, output_tokens=393
)
# The first event tells what went in, a later one how much came out.
_CLAUDE_STREAM = TokenUsage(
    input_tokens=11, cache_read_tokens=20, cache_write_tokens=30, cache_write_1h_tokens=40, output_tokens=6
)

CASES: tuple[Case, ...] = (
    chat(
        "openai",
        "gpt-4o-mini-2024-07-18",
        TokenUsage(input_tokens=11, output_tokens=4),
        # 2006 of the prompt, 1920 of them from the cache; 300 of 412 were thought.
        TokenUsage(input_tokens=86, cache_read_tokens=1920, output_tokens=412, reasoning_tokens=300),
        TokenUsage(input_tokens=11, output_tokens=4),
    ),
    chat(
        "openai_responses",
        "gpt-5.4",
        TokenUsage(input_tokens=36, output_tokens=87, reasoning_tokens=64),
        TokenUsage(input_tokens=328, cache_read_tokens=1280, output_tokens=20, service_tier="flex"),
        TokenUsage(input_tokens=37, output_tokens=11),
        prefix="/api/providers/openai/v1",
        answered_by="gpt-5.4-2026-03-05",
        tail="/responses",
        body={"model": "gpt-5.4", "input": "Say hello."},
        stream_body={"stream": True},
        sdk=Response,
        sdk_chunk=None,
    ),
    chat(
        "openai_completions",
        "gpt-3.5-turbo-instruct",
        TokenUsage(input_tokens=5, output_tokens=7),
        TokenUsage(input_tokens=5, output_tokens=7),
        TokenUsage(input_tokens=5, output_tokens=7),
        prefix="/api/providers/openai/v1",
        answered_by="gpt-3.5-turbo-instruct:20230824-v2",
        tail="/completions",
        body={"model": "gpt-3.5-turbo-instruct", "prompt": "Say hello."},
        sdk=Completion,
        sdk_chunk=None,  # the type does not know that a chunk has no finish_reason yet
    ),
    chat(
        "azure",
        "chat-deployment",
        TokenUsage(input_tokens=11, output_tokens=4),
        TokenUsage(input_tokens=86, cache_read_tokens=1920, output_tokens=412, reasoning_tokens=300),
        TokenUsage(input_tokens=11, output_tokens=4),
        prefix="/api/providers/azure/openai",
        answered_by="gpt-4o-mini-2024-07-18",
        tail="/deployments/chat-deployment/chat/completions?api-version=2024-10-21",
        body={"messages": _HELLO},
        sdk_chunk=None,  # the first event has neither choices nor a name of its own
    ),
    chat("vllm", "meta-llama/Llama-3.1-8B-Instruct", _SHORT, _cached(20, 1280, 9), _SHORT, error_status=400),
    chat("deepinfra", "meta-llama/Meta-Llama-3.1-70B-Instruct", _SHORT, _cached(76, 1024, 20), _SHORT),
    chat("mistral", "mistral-large-2512", _SHORT, _cached(68, 832, 30), _SHORT, stream_body={"stream": True}),
    chat(
        "groq",
        "openai/gpt-oss-120b",
        msgspec.structs.replace(_SHORT, service_tier="on_demand"),
        msgspec.structs.replace(_cached(33, 4608, 1817), reasoning_tokens=900, service_tier="on_demand"),
        _SHORT,
        sdk=None,  # it has a service tier that OpenAI does not have
    ),
    chat("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", _SHORT, _cached(464, 1536, 12), _SHORT),
    chat(
        "openrouter",
        "anthropic/claude-sonnet-4.5",
        _SHORT,
        msgspec.structs.replace(_cached(100, 2000, 40), cache_write_tokens=900, reasoning_tokens=10),
        _SHORT,
    ),
    chat(
        "xai",
        "grok-4.7",
        # 9 tokens were written and 94 thought: the total has both.
        TokenUsage(input_tokens=32, output_tokens=103, reasoning_tokens=94),
        msgspec.structs.replace(_cached(112, 1088, 29), reasoning_tokens=20),
        TokenUsage(input_tokens=26, cache_read_tokens=6, output_tokens=103, reasoning_tokens=94),
        error_status=503,
    ),
    chat("blackbox", "blackboxai/openai/gpt-4o", _SHORT, _cached(148, 1152, 6), _SHORT, error_status=401),
    chat("cohere", "command-a-03-2025", _SHORT, _cached(76, 1024, 4), _SHORT),
    chat(
        "perplexity",
        "sonar-pro",
        _SHORT,
        _SHORT,  # it tells of no cache
        _SHORT,  # in every event, the last one counts
        error_status=400,
        stream_body={"stream": True},
        says_end=False,
        sdk_chunk=None,  # its last event has a name of its own
    ),
    chat(
        "gemini",
        "gemini-2.5-flash",
        # 4 tokens were written; 63 thought ones are in nothing but the total.
        TokenUsage(input_tokens=11, output_tokens=67, reasoning_tokens=63),
        _cached(111, 4089, 12),
        TokenUsage(input_tokens=11, output_tokens=67, reasoning_tokens=63),
    ),
    chat("ollama", "llama3.2:3b", _SHORT, _cached(4, 7, 4), _SHORT, error_status=404),
    chat(
        "anthropic",
        "claude-sonnet-4-5-20250929",
        TokenUsage(input_tokens=11, output_tokens=6),
        _CLAUDE_CACHED,
        _CLAUDE_STREAM,
        **_MESSAGES,
        error_status=529,
    ),
    chat(
        "anthropic_chat",
        "claude-sonnet-4-5-20250929",
        _SHORT,
        _SHORT,  # in this dialect it tells of no cache
        _SHORT,
        prefix="/api/providers/anthropic/v1/chat",
        tail="/completions",
        error_status=529,
    ),
    chat(
        "bedrock_invoke",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        TokenUsage(input_tokens=11, output_tokens=6),
        _CLAUDE_CACHED,
        _CLAUDE_STREAM,
        prefix="/api/providers/bedrock",
        answered_by="claude-sonnet-4-5-20250929",
        tail="/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke",
        stream_tail="/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream",
        body={"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": _HELLO},
        stream_body={},
        stream_type=EVENT_STREAM,
        sdk=Message,
        sdk_chunk=RawMessageStreamEvent,
    ),
    chat(
        "bedrock_converse",
        "us.amazon.nova-pro-v1:0",
        TokenUsage(input_tokens=11, output_tokens=6),
        TokenUsage(input_tokens=21, cache_read_tokens=1800, cache_write_tokens=456, output_tokens=393),
        TokenUsage(input_tokens=11, cache_read_tokens=20, cache_write_tokens=30, output_tokens=6),
        prefix="/api/providers/bedrock",
        answered_by="",
        tail="/model/us.amazon.nova-pro-v1%3A0/converse",
        stream_tail="/model/us.amazon.nova-pro-v1%3A0/converse-stream",
        body={"messages": [{"role": "user", "content": [{"text": "Say hello."}]}]},
        stream_body={},
        stream_type=EVENT_STREAM,
        error_status=400,
        sdk=None,  # botocore has no types
        sdk_chunk=None,
    ),
    chat(
        "bedrock_anthropic",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        TokenUsage(input_tokens=11, output_tokens=6),
        _CLAUDE_CACHED,
        _CLAUDE_STREAM,
        prefix="/api/providers/bedrock/anthropic/v1",
        answered_by="claude-sonnet-4-5-20250929",
        **{
            **_MESSAGES,
            "body": {"model": "anthropic.claude-sonnet-4-5-20250929-v1:0", "max_tokens": 100, "messages": _HELLO},
        },
        stream_type=EVENT_STREAM,
        translated=True,
    ),
    chat(
        "custom",
        "acme-1",
        TokenUsage(input_tokens=11, output_tokens=4),
        TokenUsage(input_tokens=36, cache_read_tokens=64, output_tokens=4),
        TokenUsage(input_tokens=11, output_tokens=4),
        prefix="/api/custom/providers/acme",
        answered_by="",
        tail="/generate",
        body={"engine": "acme-1", "say": "Say hello."},
        stream_body={"live": True},
        error_status=503,
        sdk=None,
        sdk_chunk=None,
        says_end=False,  # nobody promised that the end word comes
    ),
)
