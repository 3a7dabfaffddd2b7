"""The bundled price list: how it is made from LiteLLM's public one, and how it is read. Pure.

prices.json.gz holds rows of the list at the version written inside; prices_supplement.json rows that the list lacks,
each with its own source. A row has `provider`, `model` and the members of PriceRecord that are known, in
pico-dollars; a tier holds only what differs from the row.
"""

import gzip
import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

from gateway_project.shared.money import PICO_PER_USD

LIST_PATH = Path(__file__).with_name("prices.json.gz")
SUPPLEMENT_PATH = Path(__file__).with_name("prices_supplement.json")

# Their name of a provider: ours, and the prefix of its models that the provider's own API does not have.
PROVIDERS: Mapping[str, tuple[str, str]] = {
    "openai": ("openai", "openai/"),
    "text-completion-openai": ("openai", ""),
    "azure": ("azure", "azure/"),
    "azure_text": ("azure", "azure/"),
    "anthropic": ("anthropic", ""),
    "bedrock": ("bedrock", "bedrock/"),
    "bedrock_converse": ("bedrock", "bedrock/"),
    "deepinfra": ("deepinfra", "deepinfra/"),
    "mistral": ("mistral", "mistral/"),
    "groq": ("groq", "groq/"),
    "together_ai": ("together", "together_ai/"),
    "xai": ("xai", "xai/"),
    "cohere": ("cohere", "cohere/"),
    "cohere_chat": ("cohere", "cohere/"),
    "perplexity": ("perplexity", "perplexity/"),
    "gemini": ("gemini", "gemini/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"),
}

_TOKEN_PRICES = {
    "input_cost_per_token": "input_pico",
    "output_cost_per_token": "output_pico",
    "cache_read_input_token_cost": "cache_read_pico",
    "cache_creation_input_token_cost": "cache_write_pico",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_pico",
    "input_cost_per_audio_token": "audio_input_pico",
    "output_cost_per_audio_token": "audio_output_pico",
    "input_cost_per_image_token": "image_input_pico",
    "output_cost_per_image_token": "image_output_pico",
}
_LONG_PRICES = {
    "input_pico": "long_input_pico",
    "output_pico": "long_output_pico",
    "cache_read_pico": "long_cache_read_pico",
    "cache_write_pico": "long_cache_write_pico",
    "cache_write_1h_pico": "long_cache_write_1h_pico",
}
_TIERS = {"": "", "_priority": "priority", "_flex": "flex", "_batches": "batch"}
# Ways to be served whose price is told as a multiple of the plain one, and all of them at once.
_MULTIPLES = ("fast", "us")
_TOKEN_COST = re.compile(
    rf"(?P<unit>{'|'.join(_TOKEN_PRICES)})(?:_above_(?P<thousands>\d+)k_tokens)?(?P<tier>{'|'.join(_TIERS)})"
)
_SIZED_IMAGE = re.compile(r"(?:(?P<quality>[a-z]+)/)?(?P<width>\d+)-x-(?P<height>\d+)/(?P<model>[^/]+)")
_UNPRICED_KEY = re.compile(r"commitment|-steps/|\*")
_IMAGE_MODES = {"image_generation", "image_edit"}


@dataclass(slots=True)
class Conversion:
    """Rows by (provider, model), and what was not taken over exactly. inexact: "model: member, given, taken"."""

    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    inexact: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PriceList:
    """All bundled rows. version: changes whenever a byte of the files does."""

    version: str
    source: str
    rows: tuple[dict[str, Any], ...]
    supplement: tuple[dict[str, Any], ...]


def read_price_list(list_path: Path = LIST_PATH, supplement_path: Path = SUPPLEMENT_PATH) -> PriceList:
    """The bundled files. Raises OSError and ValueError when they are not what they should be."""
    packed, supplement = list_path.read_bytes(), supplement_path.read_bytes()
    document = json.loads(gzip.decompress(packed))
    digest = hashlib.sha256(packed + supplement).hexdigest()[:12]
    return PriceList(
        version=f"{document['version']}+{digest}",
        source=f"{document['source']}, version {document['version']}",
        rows=tuple(document["rows"]),
        supplement=tuple(json.loads(supplement)["rows"]),
    )


def price_list_version(list_path: Path = LIST_PATH, supplement_path: Path = SUPPLEMENT_PATH) -> str:
    """The end of PriceList.version, without parsing anything."""
    return hashlib.sha256(list_path.read_bytes() + supplement_path.read_bytes()).hexdigest()[:12]


def pack_price_list(rows: Iterable[Mapping[str, Any]], *, source: str, version: str) -> bytes:
    """The content of prices.json.gz; the same rows give the same bytes."""
    ordered = sorted(rows, key=lambda row: (row["provider"], row["model"]))
    document = {"source": source, "version": version, "license": "MIT", "unit": "pico-dollars", "rows": ordered}
    return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), compresslevel=9, mtime=0)


def convert(document: Mapping[str, Mapping[str, Any]]) -> Conversion:
    """Rows from LiteLLM's model_prices_and_context_window_backup.json, parsed with Decimal for floats."""
    done = Conversion()
    sized: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for key, entry in document.items():
        known = PROVIDERS.get(entry.get("litellm_provider", ""))
        if known is None:
            continue
        provider, prefix = known
        name = key.lower().removeprefix(prefix)
        image = _SIZED_IMAGE.fullmatch(name)
        if _UNPRICED_KEY.search(name):
            done.left_out.append(key)
        elif image:
            kind = "/".join(part for part in (image["quality"], f"{image['width']}x{image['height']}") if part)
            _put_price(sized[provider, image["model"]], kind, entry.get("input_cost_per_image"), done, key)
        else:
            _put_row(done, (provider, name), entry, key)
    for (provider, model), prices in sized.items():
        if prices:
            row = done.rows.setdefault((provider, model), {"provider": provider, "model": model})
            row["image_prices"] = row.get("image_prices", {}) | prices
    return done


def _put_row(done: Conversion, place: tuple[str, str], entry: Mapping[str, Any], key: str) -> None:
    row = _token_prices(entry, done, key) | _unit_prices(entry, done, key)
    _drop_unknown_as_free(row, str(entry.get("mode")))
    if not row:
        done.left_out.append(key)
        return
    if multiples := _multiples(row, entry.get("provider_specific_entry")):
        row["tiers"] = dict(sorted((row.get("tiers", {}) | multiples).items()))
    for name in ("max_input_tokens", "max_output_tokens"):
        if isinstance(entry.get(name), int) and entry[name] > 0:
            row[name] = entry[name]
    # The first spelling of a model wins: a provider's own section comes before its variants.
    done.rows.setdefault(place, {"provider": place[0], "model": place[1], **row})


def _token_prices(entry: Mapping[str, Any], done: Conversion, key: str) -> dict[str, Any]:
    tiers: dict[str, dict[str, Any]] = defaultdict(dict)
    threshold: int | None = None
    for member, value in entry.items():
        match = _TOKEN_COST.fullmatch(member)
        if match is None:
            continue
        name = _TOKEN_PRICES[match["unit"]]
        if match["thousands"]:
            if name not in _LONG_PRICES:
                continue
            name = _LONG_PRICES[name]
            threshold = int(match["thousands"]) * 1000
        _put_price(tiers[_TIERS[match["tier"]]], name, value, done, f"{key}: {member}")
    row = tiers.pop("", {})
    if threshold is not None and any(name.startswith("long_") for name in row):
        row["long_context_from"] = threshold
    if row and tiers:
        row["tiers"] = dict(sorted(tiers.items()))
    return row


def _multiples(row: Mapping[str, Any], factors: Any) -> dict[str, dict[str, int]]:
    """Tiers whose prices are multiples, rounded up: fast, us, fast_us."""
    known = [
        name for name in _MULTIPLES if isinstance(factors, Mapping) and isinstance(factors.get(name), int | Decimal)
    ]
    prices = {name: value for name, value in row.items() if name.endswith("_pico")}
    tiers = {}
    for size in range(1, len(known) + 1):
        for names in combinations(known, size):
            factor = math.prod(Decimal(factors[name]) for name in names)
            tiers["_".join(names)] = {name: math.ceil(value * factor) for name, value in prices.items()}
    return tiers


def _unit_prices(entry: Mapping[str, Any], done: Conversion, key: str) -> dict[str, Any]:
    mode = entry.get("mode")
    row: dict[str, Any] = {}
    if mode in ("audio_transcription", "audio_speech"):
        seconds = entry.get("input_cost_per_second")
        if seconds is None and mode == "audio_speech":
            seconds = entry.get("output_cost_per_second")
        _put_price(row, "second_pico", seconds, done, key)
        _put_price(row, "character_pico", entry.get("input_cost_per_character"), done, key)
    if mode in _IMAGE_MODES:
        images: dict[str, int] = {}
        _put_price(images, "", entry.get("output_cost_per_image") or entry.get("input_cost_per_image"), done, key)
        if images.get(""):
            row["image_prices"] = images
    return row


def _drop_unknown_as_free(row: dict[str, Any], mode: str) -> None:
    """The list writes 0 both for free and for unknown. Free are only the outputs that do not exist, and moderation."""
    if mode == "moderation":
        return
    _drop_zeros(row)
    for tier in row.get("tiers", {}).values():
        _drop_zeros(tier)
    if mode == "embedding" and "input_pico" in row:
        row["output_pico"] = 0
    if not any(name in row for name in ("input_pico", "second_pico", "character_pico", "image_prices")):
        row.clear()


def _drop_zeros(prices: dict[str, Any]) -> None:
    for name in [name for name, value in prices.items() if value == 0]:
        del prices[name]


def _put_price(prices: dict[str, Any], name: str, value: Any, done: Conversion, key: str) -> None:
    """Store a price; one finer than a pico-dollar is rounded up, so that it never gets lost."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | Decimal):
        return
    exact = Decimal(value) * PICO_PER_USD
    pico = int(exact.to_integral_value(rounding=ROUND_CEILING))
    if pico < 0:
        done.left_out.append(f"{key} (negative)")
        return
    if pico != exact:
        done.inexact.append(f"{key}: {name or 'image'}, {exact.normalize():f} taken as {pico}")
    prices[name] = pico
