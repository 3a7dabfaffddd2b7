"""Top-level members of bodies that adapters read: those must not occur twice, since a provider may read the other one.

Kept apart by dialect: each is looked for in every body of its dialect.
"""

OPENAI: tuple[str, ...] = (
    "model", "stream", "stream_options", "n", "best_of", "user", "max_tokens", "max_completion_tokens",
    "max_output_tokens", "messages", "input", "tools", "previous_response_id", "conversation", "prompt",
    "web_search_options", "size", "quality", "service_tier", "instructions",
)  # fmt: skip
ANTHROPIC: tuple[str, ...] = (
    "model", "stream", "max_tokens", "max_tokens_to_sample", "messages", "system", "prompt", "tools", "metadata",
    "service_tier", "speed", "inference_geo", "fallbacks", "container", "context_management", "compaction",
    "mcp_servers", "thread", "requests", "thinking", "output_config", "output_format",
)  # fmt: skip
BEDROCK: tuple[str, ...] = tuple(
    {
        **dict.fromkeys(OPENAI),
        **dict.fromkeys(ANTHROPIC),
        **dict.fromkeys(
            ("max_gen_len", "maxTokens", "max_new_tokens", "inferenceConfig", "textGenerationConfig", "serviceTier",
             "additionalModelRequestFields", "numResults", "num_generations", "toolConfig", "imageGenerationConfig",
             "anthropic_version", "anthropic_beta", "modelId")
        ),
    }
)  # fmt: skip
