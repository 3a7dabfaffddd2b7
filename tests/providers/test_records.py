"""Records of providers: what they add up, and what they keep to themselves."""

from providers.records import ProviderRecord, TokenUsage


def test_it_adds_up_what_went_in_and_came_out() -> None:
    usage = TokenUsage(
        input_tokens=1,
        cache_read_tokens=2,
        cache_write_tokens=4,
        cache_write_1h_tokens=8,
        audio_input_tokens=16,
        image_input_tokens=32,
        output_tokens=1,
        reasoning_tokens=1,
        audio_output_tokens=2,
        image_output_tokens=4,
    )
    assert (usage.prompt_tokens, usage.completion_tokens) == (63, 7)


def test_it_shows_no_secret() -> None:
    assert "canary" not in repr(ProviderRecord("id", "openai", secrets={"apikey": "sk-canary"}))
