"""The bundled list: how rows are made from the public one, and that every model our interfaces name has a price."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.costs import find_price
from providers.price_list import (
    LIST_PATH,
    SUPPLEMENT_PATH,
    convert,
    pack_price_list,
    price_list_version,
    read_price_list,
)
from tests.providers.price_records import bundled_prices

# Models that the interfaces we are compatible with name in their documents.
NAMED = [
    ("openai", "gpt-3.5-turbo"),
    ("openai", "gpt-4"),
    ("openai", "gpt-4-turbo-preview"),
    ("openai", "gpt-4-1105-preview"),
    ("openai", "gpt-5"),
    ("openai", "text-embedding-ada-002"),
    ("openai", "text-davinci-003"),
    ("openai", "dall-e-3"),
    ("anthropic", "claude-3-sonnet-20240229"),
    ("anthropic", "claude-3-opus-20240229"),
]
# Models that BricksLLM itself has prices for.
OPENAI = [
    "o1",
    "o1-2024-12-17",
    "o1-preview",
    "o1-preview-2024-09-12",
    "gpt-4o",
    "gpt-4o-2024-08-06",
    "gpt-4o-mini",
    "gpt-4o-mini-2024-07-18",
    "gpt-4o-2024-05-13",
    "gpt-4-1106-preview",
    "gpt-4-turbo-preview",
    "gpt-4-turbo",
    "gpt-4-turbo-2024-04-09",
    "gpt-4-0125-preview",
    "gpt-4-1106-vision-preview",
    "gpt-4-vision-preview",
    "gpt-4",
    "gpt-4-0314",
    "gpt-4-0613",
    "gpt-4-32k",
    "gpt-4-32k-0613",
    "gpt-4-32k-0314",
    "gpt-3.5-turbo",
    "gpt-3.5-turbo-0301",
    "gpt-3.5-turbo-instruct",
    "gpt-3.5-turbo-0613",
    "gpt-3.5-turbo-1106",
    "gpt-3.5-turbo-0125",
    "gpt-3.5-turbo-16k",
    "gpt-3.5-turbo-16k-0613",
    "text-davinci-003",
    "text-davinci-002",
    "code-davinci-002",
    "davinci",
    "text-curie-001",
    "curie",
    "text-babbage-001",
    "babbage",
    "text-ada-001",
    "ada",
    "ft:gpt-4-0613",
    "ft:gpt-3.5-turbo-0125",
    "ft:gpt-3.5-turbo-1106",
    "ft:gpt-3.5-turbo-0613",
    "ft:babbage-002",
    "ft:davinci-002",
    "text-embedding-ada-002",
    "text-embedding-3-small",
    "text-embedding-3-large",
    "whisper-1",
    "tts-1",
    "tts-1-hd",
]
AZURE = [
    "gpt-4o",
    "gpt-4o-2024-05-13",
    "gpt-4o-2024-08-06",
    "gpt-4-turbo",
    "gpt-4-turbo-2024-04-09",
    "gpt-4",
    "gpt-4-0125-preview",
    "gpt-4-32k",
    "gpt-4-vision",
    "gpt-35-turbo",
    "gpt-35-turbo-instruct",
    "gpt-35-turbo-16k",
    "ada",
    "text-embedding-3-large",
    "text-embedding-3-small",
]
ANTHROPIC = [
    "claude-instant",
    "claude",
    "claude-3-opus",
    "claude-3-sonnet",
    "claude-3.5-sonnet",
    "claude-3.5-haiku",
    "claude-3-haiku",
    "claude-2",
    "claude-2.1",
    "claude-instant-1.2",
]
DEEPINFRA = [
    "BAAI/bge-large-en-v1.5",
    "intfloat/e5-large-v2",
    "thenlper/gte-large",
    "BAAI/bge-base-en-v1.5",
    "intfloat/e5-base-v2",
    "sentence-transformers/all-MiniLM-L12-v2",
    "sentence-transformers/all-MiniLM-L6-v2",
    "sentence-transformers/all-mpnet-base-v2",
    "sentence-transformers/clip-ViT-B-32",
    "sentence-transformers/clip-ViT-B-32-multilingual-v1",
    "sentence-transformers/multi-qa-mpnet-base-dot-v1",
    "sentence-transformers/paraphrase-MiniLM-L6-v2",
    "shibing624/text2vec-base-chinese",
    "thenlper/gte-base",
]
# And those our own supplement is for.
OTHERS = [
    "dall-e-2",
    "gpt-4o-audio-preview",
    "gpt-4o-mini-audio-preview",
    "gpt-4o-realtime-preview",
    "o1-mini",
    "gpt-image-1",
    "omni-moderation-latest",
    "text-moderation-latest",
    "gpt-4.1",
    "gpt-5-mini",
    "o3",
    "o4-mini",
]


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        *NAMED,
        *(("openai", model) for model in (*OPENAI, *OTHERS)),
        *(("azure", model) for model in AZURE),
        *(("anthropic", model) for model in ANTHROPIC),
        *(("deepinfra", model) for model in DEEPINFRA),
        ("bedrock", "anthropic.claude-3-sonnet-20240229-v1:0"),
        ("bedrock", "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
    ],
)
def test_it_has_a_price_for_every_model_named_somewhere(provider: str, model: str) -> None:
    assert find_price(bundled_prices(), provider, model) is not None


def test_it_says_where_every_price_is_from() -> None:
    prices = read_price_list()
    assert prices.source == "LiteLLM model_prices_and_context_window_backup.json, version 1.109.1"
    assert all(row["source_text"] for row in prices.supplement)


def test_it_supplements_only_what_the_list_lacks() -> None:
    prices = read_price_list()
    listed = {(row["provider"], row["model"]) for row in prices.rows}
    assert not [row["model"] for row in prices.supplement if (row["provider"], row["model"]) in listed]


def test_it_holds_whole_pico_dollars_in_lower_case_once_per_model() -> None:
    prices = read_price_list()
    rows = [*prices.rows, *prices.supplement]
    assert len({(row["provider"], row["model"]) for row in rows}) == len(rows)
    assert all(row["model"] == row["model"].lower() for row in rows)
    values = [value for row in rows for name, value in row.items() if name.endswith(("_pico", "_tokens"))]
    assert all(isinstance(value, int) and value >= 0 for value in values)


def test_it_is_small() -> None:
    assert LIST_PATH.stat().st_size < 100_000


def test_it_changes_its_version_with_any_byte(tmp_path: Path) -> None:
    other = tmp_path / "supplement.json"
    other.write_bytes(SUPPLEMENT_PATH.read_bytes() + b"\n")
    assert read_price_list().version.endswith(price_list_version())
    assert price_list_version(LIST_PATH, other) != price_list_version()


def converted(**entry: Any) -> dict[str, Any]:
    """The row that one entry of the public list becomes, without its name; {} when it is left out."""
    document = json.loads(
        json.dumps({"m": {"litellm_provider": "openai", "mode": "chat", **entry}}), parse_float=Decimal
    )
    row = convert(document).rows.get(("openai", "m"), {})
    return {name: value for name, value in row.items() if name not in ("provider", "model")}


def test_it_converts_tokens_caches_and_limits() -> None:
    row = converted(
        input_cost_per_token=3e-06,
        output_cost_per_token=1.5e-05,
        cache_read_input_token_cost=3e-07,
        cache_creation_input_token_cost=3.75e-06,
        cache_creation_input_token_cost_above_1hr=6e-06,
        input_cost_per_audio_token=4e-05,
        output_cost_per_audio_token=8e-05,
        max_input_tokens=200_000,
        max_output_tokens=64_000,
    )
    assert row == {
        "input_pico": 3_000_000,
        "output_pico": 15_000_000,
        "cache_read_pico": 300_000,
        "cache_write_pico": 3_750_000,
        "cache_write_1h_pico": 6_000_000,
        "audio_input_pico": 40_000_000,
        "audio_output_pico": 80_000_000,
        "max_input_tokens": 200_000,
        "max_output_tokens": 64_000,
    }


def test_it_converts_long_contexts_and_tiers() -> None:
    row = converted(
        input_cost_per_token=1e-06,
        input_cost_per_token_above_272k_tokens=2e-06,
        cache_creation_input_token_cost_above_1hr_above_272k_tokens=4e-06,
        input_cost_per_token_priority=3e-06,
        input_cost_per_token_above_272k_tokens_flex=1e-06,
        output_cost_per_token_batches=5e-07,
    )
    assert row == {
        "input_pico": 1_000_000,
        "long_input_pico": 2_000_000,
        "long_cache_write_1h_pico": 4_000_000,
        "long_context_from": 272_000,
        "tiers": {
            "batch": {"output_pico": 500_000},
            "flex": {"long_input_pico": 1_000_000},
            "priority": {"input_pico": 3_000_000},
        },
    }


def test_it_converts_multiples_of_the_plain_price() -> None:
    row = converted(
        input_cost_per_token=5e-06,
        cache_read_input_token_cost=0.0000005,
        output_cost_per_token_batches=5e-07,
        provider_specific_entry={"fast": 2.0, "us": 1.1, "other": "x"},
    )
    assert row["tiers"] == {
        "batch": {"output_pico": 500_000},
        "fast": {"input_pico": 10_000_000, "cache_read_pico": 1_000_000},
        "fast_us": {"input_pico": 11_000_000, "cache_read_pico": 1_100_000},
        "us": {"input_pico": 5_500_000, "cache_read_pico": 550_000},
    }
    assert "tiers" not in converted(input_cost_per_token=5e-06, provider_specific_entry={"fast": "x"})


def test_it_leaves_out_what_the_list_calls_free_without_knowing() -> None:
    assert converted(input_cost_per_token=0.0, output_cost_per_token=0.0, max_input_tokens=5) == {}
    assert converted(input_cost_per_token=1e-06, output_cost_per_token=0.0) == {"input_pico": 1_000_000}
    assert converted(mode="moderation", input_cost_per_token=0.0, output_cost_per_token=0.0) == {
        "input_pico": 0,
        "output_pico": 0,
    }
    assert converted(mode="embedding", input_cost_per_token=1e-08)["output_pico"] == 0


def test_it_converts_sound() -> None:
    assert converted(mode="audio_transcription", input_cost_per_second=0.0001, output_cost_per_second=0.0001) == {
        "second_pico": 100_000_000
    }
    assert converted(mode="audio_speech", input_cost_per_character=1.5e-05) == {"character_pico": 15_000_000}
    assert converted(mode="chat", input_cost_per_second=0.01) == {}


def test_it_gathers_the_sizes_of_an_image_model() -> None:
    document = {
        "hd/1024-x-1792/dall-e-3": {"litellm_provider": "openai", "input_cost_per_image": Decimal("0.12")},
        "azure/1024-x-1024/dall-e-3": {"litellm_provider": "azure", "input_cost_per_image": Decimal("0.04")},
        "512-x-512/50-steps/stable": {"litellm_provider": "bedrock", "input_cost_per_image": Decimal("0.1")},
    }
    rows = convert(document).rows
    assert rows["openai", "dall-e-3"]["image_prices"] == {"hd/1024x1792": 120_000_000_000}
    assert rows["azure", "dall-e-3"]["image_prices"] == {"1024x1024": 40_000_000_000}
    assert len(rows) == 2


def test_it_rounds_up_and_reports_a_price_finer_than_a_pico_dollar() -> None:
    entry = {
        "litellm_provider": "openai",
        "mode": "audio_transcription",
        "input_cost_per_second": Decimal("0.0000000000004"),
    }
    done = convert({"m": entry})
    assert done.rows["openai", "m"]["second_pico"] == 1
    assert done.inexact == ["m: second_pico, 0.4 taken as 1"]


def test_it_leaves_out_other_providers_and_commitments() -> None:
    price = {"mode": "chat", "input_cost_per_token": Decimal("0.1")}
    document = {
        "sample_spec": {**price, "litellm_provider": "one of the providers"},
        "bedrock/us-east-1/1-month-commitment/x": {**price, "litellm_provider": "bedrock"},
    }
    assert convert(document).rows == {}


def test_it_packs_the_same_rows_to_the_same_bytes() -> None:
    rows = [{"provider": "b", "model": "m"}, {"provider": "a", "model": "m"}]
    packed = pack_price_list(rows, source="s", version="1")
    assert packed == pack_price_list(rows[::-1], source="s", version="1")
    assert [row["provider"] for row in json.loads(gzip.decompress(packed))["rows"]] == ["a", "b"]
