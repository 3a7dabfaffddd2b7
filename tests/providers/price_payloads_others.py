"""As price_payloads: what is spoken and heard; Claude, Azure and Bedrock."""

from tests.providers.price_payloads import CHAT, NO_BATCH, Priced, embedded, message, used, written

_CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1%3A0"

SOUND: tuple[Priced, ...] = (
    # 15 per million characters: 43 x 15,000
    Priced(
        "speech",
        "openai",
        "/v1/audio/speech",
        {},
        645_000,
        {"model": "tts-1", "voice": "alloy", "input": "The quick brown fox jumped over the lazy do"},
        {"content-type": "audio/mpeg"},
    ),
    # 30 per million characters; an accented letter and a euro sign are one each: 11 x 30,000
    Priced(
        "speech, hd",
        "openai",
        "/v1/audio/speech",
        {},
        330_000,
        {"model": "tts-1-hd", "voice": "alloy", "input": "caf\u00e9 for 2\u20ac"},
        {"content-type": "audio/mpeg"},
    ),
    # 0.60 in, 12 sound out: 14 x 600 + 101 x 12,000
    Priced(
        "speech in tokens",
        "openai",
        "/v1/audio/speech",
        [
            {"type": "speech.audio.delta", "audio": "aGk="},
            {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}},
        ],
        1_220_400,
        {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello!", "stream_format": "sse"},
    ),
    # 0.006 a minute: 9 x 100,000
    Priced(
        "transcription by the second",
        "openai",
        "/v1/audio/transcriptions",
        {"text": "Hello.", "duration": 8.47, "usage": {"type": "duration", "seconds": 9}},
        900_000,
        {"model": "whisper-1"},
    ),
    # 2.50 in, 10 out: 4 x 2,500 + 10 x 2,500 + 45 x 10,000
    Priced(
        "transcription in tokens",
        "openai",
        "/v1/audio/transcriptions",
        {
            "text": "Hello.",
            "usage": {
                "type": "tokens",
                "input_tokens": 14,
                "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
                "output_tokens": 45,
                "total_tokens": 59,
            },
        },
        485_000,
        {"model": "gpt-4o-transcribe"},
        apart="it still has 6 for sound",
    ),
    # 1.85 an hour, as the list rounds it 30,830 a second: 10 x 30,830
    Priced(
        "transcription by Groq",
        "groq",
        "/v1/audio/transcriptions",
        {"task": "transcribe", "language": "English", "duration": 10, "text": "Hello.", "x_groq": {"id": "req_1"}},
        308_300,
        {"model": "whisper-large-v3"},
        apart="it has 1.85 an hour, which the list rounds",
    ),
    # 0.003 a minute, told beside tokens that have no price: 12 x 50,000
    Priced(
        "transcription by Mistral",
        "mistral",
        "/v1/audio/transcriptions",
        {
            "model": "voxtral-mini-latest",
            "text": "Hello.",
            "usage": {
                "prompt_audio_seconds": 12,
                "prompt_tokens": 3,
                "completion_tokens": 41,
                "total_tokens": 419,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 375},
            },
        },
        600_000,
        {"model": "voxtral-mini-latest"},
    ),
    Priced(
        "moderation",
        "openai",
        "/v1/moderations",
        {"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]},
        0,
        {"model": "omni-moderation-latest", "input": "hi"},
    ),
)

CLAUDE: tuple[Priced, ...] = (
    # 3 in, 15 out: 11 x 3,000 + 6 x 15,000
    Priced("plain", "anthropic", "/v1/messages", message("claude-sonnet-4-5-20250929", 11, 6), 123_000),
    # 0.30 read, 3.75 and 6 written: 21 x 3,000 + 188,086 x 300 + 456 x 3,750 + 100 x 6,000 + 393 x 15,000
    Priced(
        "cached and written",
        "anthropic",
        "/v1/messages",
        message("claude-sonnet-4-5-20250929", 21, 393, cache_read_input_tokens=188_086, **written(456, 100)),
        64_693_800,
    ),
    # Without the split all is five minutes'. 1 in, 1.25 written, 5 out: 10 x 1,000 + 1,000 x 1,250 + 5 x 5,000
    Priced(
        "written, not told for how long",
        "anthropic",
        "/v1/messages",
        message("claude-haiku-4-5-20251001", 10, 5, cache_creation_input_tokens=1000),
        1_285_000,
    ),
    # above 200,000 tokens 6 in, 0.60 read, 22.50 out: 10 x 6,000 + 200,000 x 600 + 100 x 22,500
    Priced(
        "long",
        "anthropic",
        "/v1/messages",
        message("claude-sonnet-4-20250514", 10, 100, cache_read_input_tokens=200_000),
        122_310_000,
        apart="it has no long prices of this model",
    ),
    # 3 in, 0.30 read, 3.75 and 6 written, 15 out: 11 x 3,000 + 20 x 300 + 30 x 3,750 + 40 x 6,000 + 6 x 15,000
    Priced(
        "streamed",
        "anthropic",
        "/v1/messages",
        [
            {
                "type": "message_start",
                "message": message("claude-sonnet-4-5-20250929", 11, 1, cache_read_input_tokens=20, **written(30, 40)),
            },
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 6}},
            {"type": "message_stop"},
        ],
        481_500,
        {"stream": True},
    ),
    # 5 in, 25 out: 50 x 5,000 + 1,200 x 25,000
    Priced("thought", "anthropic", "/v1/messages", message("claude-opus-4-8", 50, 1200), 30_250_000),
    # 1 in, 5 out: 105 x 1,000 + 300 x 5,000; what a search costs is not told in tokens
    Priced(
        "searched",
        "anthropic",
        "/v1/messages",
        message("claude-haiku-4-5-20251001", 105, 300, server_tool_use={"web_search_requests": 1}),
        1_605_000,
        apart="it adds 0.01 for the search",
    ),
    # 0.80 in, 4 out: 1,000 x 800 + 100 x 4,000
    Priced(
        "older",
        "anthropic",
        "/v1/messages",
        message("claude-3-5-haiku-20241022", 1000, 100),
        1_200_000,
    ),
    # half of 3 in and 15 out: 100 x 1,500 + 100 x 7,500
    Priced(
        "batch",
        "anthropic",
        "/v1/messages",
        message("claude-sonnet-4-5-20250929", 100, 100, service_tier="batch"),
        900_000,
        apart=NO_BATCH,
    ),
)

AZURE: tuple[Priced, ...] = (
    # 0.15 in, 0.075 cached, 0.60 out: 86 x 150 + 1,920 x 75 + 412 x 600
    Priced(
        "cached",
        "azure",
        f"/openai/deployments/chat/{CHAT[1:]}?api-version=2024-10-21",
        used("gpt-4o-mini-2024-07-18", 2006, 412, inside={"cached_tokens": 1920}),
        404_100,
    ),
    # Azure's spelling. 0.50 in, 1.50 out: 25 x 500 + 12 x 1,500
    Priced(
        "its own spelling",
        "azure",
        f"/openai/deployments/old/{CHAT[1:]}?api-version=2024-10-21",
        used("gpt-35-turbo", 25, 12),
        30_500,
    ),
    # The answer says which model the deployment is. 2.50 in, 10 out: 1,000 x 2,500 + 10 x 10,000
    Priced(
        "v1", "azure", f"/openai/v1{CHAT}", used("gpt-4o-2024-08-06", 1000, 10), 2_600_000, {"model": "my-deployment"}
    ),
    # 0.143: 100 x 143
    Priced(
        "embeddings",
        "azure",
        "/openai/deployments/emb/embeddings?api-version=2024-10-21",
        embedded("text-embedding-3-large", 100),
        14_300,
        apart="it has OpenAI's own 0.13",
    ),
)

BEDROCK: tuple[Priced, ...] = (
    # 3 in, 15 out: 11 x 3,000 + 6 x 15,000
    Priced(
        "Claude",
        "bedrock",
        f"/model/{_CLAUDE}/invoke",
        message("claude-sonnet-4-5-20250929", 11, 6),
        123_000,
        apart="it has only the regional price",
    ),
    # A tenth more in the region. 3.30 in, 0.33 read, 4.125 written, 16.50 out:
    # 100 x 3,300 + 1,000 x 330 + 200 x 4,125 + 50 x 16,500
    Priced(
        "Claude in a region",
        "bedrock",
        f"/model/us.{_CLAUDE}/invoke",
        message("claude-sonnet-4-5-20250929", 100, 50, cache_read_input_tokens=1000, **written(200, 0)),
        2_310_000,
    ),
    # 0.25 in, 1.25 out: 1,000 x 250 + 100 x 1,250
    Priced(
        "Claude in Anthropic's dialect",
        "bedrock",
        "/anthropic/v1/messages",
        message("claude-3-haiku-20240307", 1000, 100),
        375_000,
        {"model": "anthropic.claude-3-haiku-20240307-v1:0"},
    ),
    # 0.80 in and written, which has no price of its own, 0.20 read, 3.20 out: 477 x 800 + 1,800 x 200 + 393 x 3,200
    Priced(
        "conversation",
        "bedrock",
        "/model/us.amazon.nova-pro-v1%3A0/converse",
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "Hello there!"}]}},
            "stopReason": "end_turn",
            "usage": {
                "inputTokens": 21,
                "outputTokens": 393,
                "totalTokens": 2670,
                "cacheReadInputTokens": 1800,
                "cacheWriteInputTokens": 456,
            },
            "metrics": {"latencyMs": 551},
        },
        1_999_200,
    ),
    # 0.72: 20 x 720 + 30 x 720
    Priced(
        "Llama",
        "bedrock",
        "/model/meta.llama3-1-70b-instruct-v1%3A0/invoke",
        {"generation": "Hello!", "prompt_token_count": 20, "generation_token_count": 30, "stop_reason": "stop"},
        36_000,
        {"prompt": "Say hello."},
    ),
    # 0.02: 8 x 20
    Priced(
        "Titan's embeddings",
        "bedrock",
        "/model/amazon.titan-embed-text-v2%3A0/invoke",
        {"embedding": [0.1], "inputTextTokenCount": 8},
        160,
        {"inputText": "Say hello."},
    ),
    # Told in headers only. 2 in, 6 out: 12 x 2,000 + 34 x 6,000
    Priced(
        "Mistral, by headers",
        "bedrock",
        "/model/mistral.mistral-large-2407-v1%3A0/invoke",
        {"outputs": [{"text": "Hello!", "stop_reason": "stop"}]},
        228_000,
        {"prompt": "Say hello."},
        {"x-amzn-bedrock-input-token-count": "12", "x-amzn-bedrock-output-token-count": "34"},
    ),
)
