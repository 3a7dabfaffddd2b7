"""Every path that BricksLLM registers on its proxy, and where the gateway has to send it; what it has beyond them.

Below /api/providers; a row is methods, client's path, upstream's path after the setting's own address.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Path(NamedTuple):
    """method and path as the client sends them; upstream: the path that the provider gets."""

    provider: str
    method: str
    path: str
    upstream: str

    @property
    def name(self) -> str:
        """A test's name."""
        return f"{self.method} {self.path.removeprefix('/api/')}"


# Names in paths, with whatever a path may hold.
_IDS = {
    ":a": "id-1%3A~x",
    ":b": "b.2_(c)",
    ":model": "ft:gpt-4o:acme::7",
    ":deployment": "my-dep.1",
    ":claude": "anthropic.claude-3-haiku-20240307-v1%3A0",
    ":profile": "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.amazon.nova-pro-v1%3A0",
}

# OpenAI's, all of them sent to the same path upstream.
_SEED_OPENAI = """
POST /chat/completions
POST /embeddings
POST /audio/speech
POST /audio/transcriptions
POST /audio/translations
POST /moderations
GET /models
GET DELETE /models/:model
POST GET /assistants
GET POST DELETE /assistants/:a
POST GET /assistants/:a/files
GET DELETE /assistants/:a/files/:b
POST /threads
GET POST DELETE /threads/:a
POST GET /threads/:a/messages
GET POST /threads/:a/messages/:b
GET /threads/:a/messages/:b/files
GET /threads/:a/messages/:b/files/:a
POST GET /threads/:a/runs
GET POST /threads/:a/runs/:b
POST /threads/:a/runs/:b/submit_tool_outputs
POST /threads/:a/runs/:b/cancel
POST /threads/runs
GET /threads/:a/runs/:b/steps
GET /threads/:a/runs/:b/steps/:a
GET POST /files
GET DELETE /files/:a
GET /files/:a/content
POST GET /batches
GET /batches/:a
POST /batches/:a/cancel
POST /images/generations
POST /images/edits
POST /images/variations
POST GET /vector_stores
GET POST DELETE /vector_stores/:a
POST GET /vector_stores/:a/files
GET DELETE /vector_stores/:a/files/:b
POST /vector_stores/:a/file_batches
GET /vector_stores/:a/file_batches/:b
POST /vector_stores/:a/file_batches/:b/cancel
GET /vector_stores/:a/file_batches/:b/files
"""
_SEED_OTHERS = """
azure POST /openai/deployments/:deployment/chat/completions /openai/deployments/:deployment/chat/completions
azure POST /openai/deployments/:deployment/completions /openai/deployments/:deployment/completions
azure POST /openai/deployments/:deployment/embeddings /openai/deployments/:deployment/embeddings
anthropic POST /v1/complete /v1/complete
anthropic POST /v1/messages /v1/messages
vllm POST /v1/chat/completions /v1/chat/completions
vllm POST /v1/completions /v1/completions
deepinfra POST /v1/chat/completions /v1/openai/chat/completions
deepinfra POST /v1/completions /v1/openai/completions
deepinfra POST /v1/embeddings /v1/openai/embeddings
bedrock POST /anthropic/v1/complete /model/:claude/invoke
bedrock POST /anthropic/v1/messages /model/:claude/invoke
"""
_MORE_OPENAI = """
POST /completions
POST GET /responses
GET DELETE /responses/:a
POST /responses/:a/cancel
GET /responses/:a/input_items
POST /responses/input_tokens
POST /responses/compact
POST GET /conversations
GET POST DELETE /conversations/:a
POST GET /fine_tuning/jobs
GET /fine_tuning/jobs/:a/events
POST /fine_tuning/jobs/:a/cancel
POST /uploads
POST /uploads/:a/parts
POST GET /containers
POST /vector_stores/:a/search
GET POST /evals
POST GET /videos
GET /videos/:a/content
GET /organization/usage/completions
PUT PATCH /made/up/tomorrow
"""
_MORE_OTHERS = """
azure POST /openai/v1/chat/completions /openai/v1/chat/completions
azure POST /openai/v1/responses /openai/v1/responses
azure GET /openai/v1/models /openai/v1/models
azure POST /openai/deployments/:deployment/images/generations /openai/deployments/:deployment/images/generations
azure POST /openai/deployments/:deployment/audio/speech /openai/deployments/:deployment/audio/speech
azure GET /openai/files/:a/content /openai/files/:a/content
anthropic POST /v1/chat/completions /v1/chat/completions
anthropic POST /v1/messages/count_tokens /v1/messages/count_tokens
anthropic POST /v1/messages/batches /v1/messages/batches
anthropic GET /v1/messages/batches/:a/results /v1/messages/batches/:a/results
anthropic GET /v1/models /v1/models
anthropic GET /v1/models/:b /v1/models/:b
anthropic DELETE /v1/files/:a /v1/files/:a
bedrock POST /model/:claude/invoke /model/:claude/invoke
bedrock POST /model/:claude/invoke-with-response-stream /model/:claude/invoke-with-response-stream
bedrock POST /model/:claude/converse /model/:claude/converse
bedrock POST /model/:claude/converse-stream /model/:claude/converse-stream
bedrock POST /model/:profile/converse /model/:profile/converse
vllm POST /v1/embeddings /v1/embeddings
vllm POST /v1/responses /v1/responses
vllm POST /v1/score /v1/score
vllm POST /v1/tokenize /tokenize
vllm GET /v1/models /v1/models
deepinfra GET /v1/models /v1/openai/models
deepinfra POST /v1/images/generations /v1/openai/images/generations
mistral POST /v1/chat/completions /v1/chat/completions
mistral POST /v1/fim/completions /v1/fim/completions
mistral POST /v1/ocr /v1/ocr
groq POST /v1/chat/completions /openai/v1/chat/completions
groq POST /v1/audio/transcriptions /openai/v1/audio/transcriptions
together POST /v1/chat/completions /v1/chat/completions
together POST /v1/rerank /v1/rerank
openrouter POST /v1/chat/completions /api/v1/chat/completions
openrouter GET /v1/generation /api/v1/generation
xai POST /v1/chat/completions /v1/chat/completions
xai POST /v1/responses /v1/responses
blackbox POST /v1/chat/completions /chat/completions
cohere POST /v1/chat/completions /compatibility/v1/chat/completions
cohere POST /v1/embeddings /compatibility/v1/embeddings
perplexity POST /v1/chat/completions /chat/completions
gemini POST /v1/chat/completions /v1beta/openai/chat/completions
gemini POST /v1/embeddings /v1beta/openai/embeddings
ollama POST /v1/chat/completions /v1/chat/completions
ollama GET /v1/models /v1/models
"""


def _openai(table: str) -> Iterator[Path]:
    for row in table.split("\n"):
        if row:
            *methods, path = row.split()
            for method in methods:
                named = _named(path)
                yield Path("openai", method, f"/api/providers/openai/v1{named}", f"/v1{named}")


def _others(table: str) -> Iterator[Path]:
    for row in table.split("\n"):
        if row:
            provider, method, path, upstream = row.split()
            yield Path(provider, method, f"/api/providers/{provider}{_named(path)}", _named(upstream))


def _named(path: str) -> str:
    return "/".join(_IDS.get(part, part) for part in path.split("/"))


SEED: tuple[Path, ...] = (*_openai(_SEED_OPENAI), *_others(_SEED_OTHERS))
BEYOND: tuple[Path, ...] = (*_openai(_MORE_OPENAI), *_others(_MORE_OTHERS))
