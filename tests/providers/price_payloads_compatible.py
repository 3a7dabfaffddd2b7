"""As price_payloads: everybody who speaks OpenAI's dialect."""

from tests.providers.price_payloads import CHAT, Priced, embedded, message, used

COMPATIBLE: tuple[Priced, ...] = (
    # The setting's own costMap: 0.001 and 0.002 per thousand: 11 x 1,000 + 4 x 2,000
    Priced("costMap", "vllm", f"/v1{CHAT}", used("meta-llama/Llama-3.1-8B-Instruct", 11, 4), 19_000),
    Priced("no price", "vllm", f"/v1{CHAT}", used("acme/own-model", 11, 4), None),
    # 0.40 in, 0.40 out: 15 x 400
    Priced(
        "DeepInfra",
        "deepinfra",
        f"/v1{CHAT}",
        used("meta-llama/Meta-Llama-3.1-70B-Instruct", 11, 4, extra={"estimated_cost": 6e-06}),
        6_000,
    ),
    # 0.25 in, 0.216 cached, 0.95 out: 76 x 250 + 1,024 x 216 + 20 x 950
    Priced(
        "DeepInfra, cached",
        "deepinfra",
        f"/v1{CHAT}",
        used("deepseek-ai/DeepSeek-V3.1", 1100, 20, inside={"cached_tokens": 1024}),
        259_184,
    ),
    # 0.01: 100 x 10
    Priced("DeepInfra's embeddings", "deepinfra", "/v1/embeddings", embedded("BAAI/bge-large-en-v1.5", 100), 1_000),
    # 0.50 in, 0.05 cached, 1.50 out: 68 x 500 + 832 x 50 + 30 x 1,500
    Priced(
        "Mistral, cached",
        "mistral",
        f"/v1{CHAT}",
        used("mistral-large-2512", 900, 30, inside={"cached_tokens": 832}, extra={"num_cached_tokens": 832}),
        120_600,
    ),
    # 0.10: 15 x 100
    Priced("Mistral's embeddings", "mistral", "/v1/embeddings", embedded("mistral-embed", 15), 1_500),
    # 0.15 in, 0.075 cached, 0.60 out: 33 x 150 + 4,608 x 75 + 1,817 x 600
    Priced(
        "Groq, cached",
        "groq",
        f"/v1{CHAT}",
        used("openai/gpt-oss-120b", 4641, 1817, inside={"cached_tokens": 4608}, service_tier="on_demand"),
        1_440_750,
    ),
    # 1.04 for all, there is no cached price: 2,012 x 1,040
    Priced(
        "Together, cached",
        "together",
        f"/v1{CHAT}",
        used("meta-llama/Llama-3.3-70B-Instruct-Turbo", 2000, 12, extra={"cached_tokens": 1536}),
        2_092_480,
        apart="it has an older price, 0.88",
    ),
    # Thought tokens are beside the completion's. 2 in, 6 out: 32 x 2,000 + (9 + 94) x 6,000
    Priced(
        "xAI, thought",
        "xai",
        f"/v1{CHAT}",
        used("grok-4.7", 32, 9, made_of={"reasoning_tokens": 94}, extra={"total_tokens": 135}),
        682_000,
    ),
    # above 200,000 tokens 4 in, 1 cached, 12 out: 50,000 x 4,000 + 200,000 x 1,000 + (9 + 20) x 12,000
    Priced(
        "xAI, long",
        "xai",
        f"/v1{CHAT}",
        used(
            "grok-4.7",
            250_000,
            9,
            inside={"text_tokens": 250_000, "cached_tokens": 200_000},
            made_of={"reasoning_tokens": 20},
            extra={"total_tokens": 250_029},
        ),
        400_348_000,
    ),
    # 3 in, 15 out: 11 x 3,000 + 4 x 15,000; what a request costs besides is not told in tokens
    Priced(
        "Perplexity",
        "perplexity",
        f"/v1{CHAT}",
        used("sonar-pro", 11, 4, extra={"citation_tokens": 30, "num_search_queries": 1, "search_context_size": "low"}),
        93_000,
        apart="it adds 0.014 for the request",
    ),
    # Thought tokens are only in the total. 0.30 in, 2.50 out: 11 x 300 + 67 x 2,500
    Priced(
        "Gemini, thought",
        "gemini",
        f"/v1{CHAT}",
        used("gemini-2.5-flash", 11, 4, extra={"total_tokens": 78}),
        170_800,
        apart="it leaves out what is only in the total",
    ),
    # 0.30 in, 0.03 cached, 2.50 out: 111 x 300 + 4,089 x 30 + 12 x 2,500
    Priced(
        "Gemini, cached",
        "gemini",
        f"/v1{CHAT}",
        used("gemini-2.5-flash", 4200, 12, inside={"cached_tokens": 4089}),
        185_970,
    ),
    # 0.30 in, 1 sound in, 2.50 out: 50 x 300 + 150 x 1,000 + 10 x 2,500
    Priced(
        "Gemini, heard",
        "gemini",
        f"/v1{CHAT}",
        used("gemini-2.5-flash", 200, 10, inside={"audio_tokens": 150}),
        190_000,
    ),
    # above 200,000 tokens 2.50 in, 15 out: 200,001 x 2,500 + 10 x 15,000
    Priced("Gemini, long", "gemini", f"/v1{CHAT}", used("gemini-2.5-pro", 200_001, 10), 500_152_500),
    # 2.50 in, 10 out: 11 x 2,500 + 4 x 10,000
    Priced("Cohere", "cohere", f"/v1{CHAT}", used("command-a-03-2025", 11, 4), 67_500),
    # 0.12: 10 x 120
    Priced("Cohere's embeddings", "cohere", "/v1/embeddings", embedded("embed-v4.0", 10), 1_200),
    Priced(
        "no price", "openrouter", f"/v1{CHAT}", used("anthropic/claude-sonnet-4.5", 11, 4, extra={"cost": 0.1}), None
    ),
    Priced("no price", "ollama", f"/v1{CHAT}", used("llama3.2:3b", 11, 4), None),
    Priced("no price", "blackbox", f"/v1{CHAT}", used("blackboxai/openai/gpt-4o", 11, 4), None),
    Priced("no price", "openai", f"/v1{CHAT}", used("gpt-of-tomorrow", 11, 4), None),
    Priced("no price of its own", "openai", f"/v1{CHAT}", used("ft:gpt-4-turbo:acme::z", 11, 4), None),
    Priced("no price", "anthropic", "/v1/messages", message("claude-of-tomorrow", 11, 4), None),
    Priced("no price", "bedrock", "/model/acme.own-model-v1%3A0/invoke", {"inputTextTokenCount": 8}, None),
)
