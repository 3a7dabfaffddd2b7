"""What a provider setting and a price may hold. Pure; errors name the wrong member, never a setting's value."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

from gateway_project.shared.money import MAX_NANO, usd_to_nano
from gateway_project.shared.problems import ValidationFailed
from providers.catalog import API_KEY, AWS_CHAIN, CATALOG, DEPLOYMENT_MODELS, URL, Provider, ProviderKind, kind_in
from providers.deployments import check_deployments
from providers.destinations import check_host_part, check_url, urls_in
from providers.records import CostMap, PriceRecord

COST_MAP_MEMBERS = ("promptCostPerModel", "completionCostPerModel", "embeddingsCostPerModel")
STREAM_USAGE = ("auto", "never")
# Members of a price that are pico-dollars per unit.
PRICE_MEMBERS = tuple(each.name for each in fields(PriceRecord) if each.name.endswith("_pico"))

_MAX_VALUE_CHARS = 8192
_MAX_MODELS = 10_000
_MEMBER_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# A secret becomes a header value: anything else could smuggle a second header or not be sent at all.
_HEADER_SAFE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
# PostgreSQL stores no NUL; other control characters in a name are nobody's intention.
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_HOST_PARTS = ("resourceName",)
# What a parameter must look like, and how that is said.
_SHAPES = {
    "awsRegion": (re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}"), "must be a region of AWS, such as us-east-1"),
    AWS_CHAIN: (re.compile("true"), 'must be "true": requests are signed with the AWS identity of the gateway'),
}
_ALIASES = {"apiKey": API_KEY}


class SettingInvalid(ValidationFailed):
    title = "provider setting validation failed"


class PriceInvalid(ValidationFailed):
    title = "price validation failed"


def invalid(name: str, reason: str) -> SettingInvalid:
    """An error about one member: its name, then a phrase that says what it must be."""
    return SettingInvalid(f"{name} {reason}", fields=(name,))


def check_provider(provider: Any) -> str:
    if not provider:
        raise invalid("provider", "field cannot be empty")
    if provider not in CATALOG:
        known = ", ".join(CATALOG)
        raise SettingInvalid(f"provider {str(provider)[:64]!r} is not supported (known: {known})", fields=("provider",))
    return str(provider)


def members_of(setting: Mapping[str, Any], kind: ProviderKind | None = None) -> dict[str, str]:
    """The members as they are stored: aliases resolved, names and types checked.

    kind: of a provider that an operator described, whose member is known in lower case only.
    """
    members: dict[str, str] = {}
    own = kind.required if kind is not None and kind.origins else ()
    for given, value in setting.items():
        name = next((each for each in own if each == str(given).lower()), _ALIASES.get(given, given))
        if not isinstance(given, str) or not _MEMBER_NAME.fullmatch(given):
            raise invalid("setting", "has a member whose name is not made of letters, digits, dots, _ and -")
        if not isinstance(value, str):
            raise invalid(f"setting.{given}", "must be a string")
        if len(value) > _MAX_VALUE_CHARS:
            raise invalid(f"setting.{given}", f"must not be longer than {_MAX_VALUE_CHARS} characters")
        if members.get(name, value) != value:
            raise invalid(f"setting.{name}", "is there twice with different values")
        members[name] = value
    return members


def is_parameter(provider: Provider, name: str) -> bool:
    """Whether a member may be shown. What is not known is a secret."""
    return name in kind_in(provider).parameters


def check_members(provider: Provider, members: Mapping[str, str]) -> None:
    """Values that are not empty are what they should be."""
    for name, value in members.items():
        try:
            if value:
                _check_member(provider, name, value)
        except ValueError as error:
            raise invalid(f"setting.{name}", str(error)) from error


def _check_member(provider: Provider, name: str, value: str) -> None:
    if name == URL:
        for url in urls_in(provider, value):
            check_url(url)
    elif not is_parameter(provider, name):
        if not _HEADER_SAFE.fullmatch(value):
            raise ValueError("must consist of printable ASCII characters, without spaces at its ends")
    elif name in _SHAPES:
        _check_shape(name, value)
    elif name in _HOST_PARTS:
        check_host_part(value)
    elif name == DEPLOYMENT_MODELS:
        check_deployments(value)


def _check_shape(name: str, value: str) -> None:
    pattern, expected = _SHAPES[name]
    if not pattern.fullmatch(value):
        raise ValueError(expected)


def check_required(provider: Provider, names: set[str]) -> None:
    """names: the members that are there and not empty."""
    kind = kind_in(provider)
    missing = [name for name in kind.required if name not in names and kind.instead.get(name) not in names]
    if missing:
        fields = tuple(f"setting.{name}" for name in missing)
        raise SettingInvalid(f"provider {kind.name} is missing fields {','.join(missing)}", fields=fields)


def check_models(models: Sequence[Any]) -> list[str]:
    """Model names without doubles, in the given order."""
    if isinstance(models, str) or len(models) > _MAX_MODELS:
        raise invalid("allowedModels", f"must be a list of at most {_MAX_MODELS} model names")
    for index, model in enumerate(models):
        if not isinstance(model, str) or not model.strip() or not _PLAIN_NAME.fullmatch(model):
            raise invalid(f"allowedModels[{index}]", "must be a model name")
    return list(dict.fromkeys(models))


def cost_map_of(raw: Mapping[str, Any] | None) -> CostMap | None:
    """Prices in pico-dollars per token, by model in lower case, from USD per 1000 tokens."""
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise invalid("costMap", "must be an object or null")
    unknown = [name for name in raw if name not in COST_MAP_MEMBERS]
    if unknown:
        raise invalid(f"costMap.{str(unknown[0])[:64]}", f"is not known; members are {', '.join(COST_MAP_MEMBERS)}")
    prompts, completions, embeddings = (_prices(name, raw.get(name)) for name in COST_MAP_MEMBERS)
    return CostMap(input_pico=prompts, output_pico=completions, embeddings_pico=embeddings)


def _prices(member: str, raw: Any) -> dict[str, int]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise invalid(f"costMap.{member}", "must be an object of USD per 1000 tokens by model")
    for model in raw:
        if not isinstance(model, str) or not _PLAIN_NAME.fullmatch(model):
            raise invalid(f"costMap.{member}", "has a model name that is empty, too long or not plain text")
    return {model.lower(): _pico_per_token(f"costMap.{member}.{model}", usd) for model, usd in raw.items()}


def _pico_per_token(name: str, usd: Any) -> int:
    if isinstance(usd, bool) or not isinstance(usd, int | float | Decimal):
        raise invalid(name, "must be a number of USD per 1000 tokens")
    if not math.isfinite(usd) or usd < 0:
        raise invalid(name, "must be a finite number that is not negative")
    if usd > MAX_NANO / 10**9 / 10**6:
        raise invalid(name, "is too large")
    # A nano-dollar per 1000 tokens is a pico-dollar per token.
    pico = usd_to_nano(usd)
    if usd and not pico:
        raise invalid(name, "is smaller than the smallest price, 1e-9 USD per 1000 tokens")
    return pico


def check_price(provider: str, model: str, values: Mapping[str, Any]) -> None:
    """What an operator may store as a price. values: members of PRICE_MEMBERS, image_prices, tiers and limits."""
    if not provider or not model:
        raise PriceInvalid("provider and model must not be empty", fields=("provider", "model"))
    for name, value in values.items():
        if name == "image_prices":
            _check_pico_table(name, value, None)
        elif name == "tiers":
            _check_tiers(value)
        elif value is not None and not _is_whole(value):
            raise PriceInvalid(f"{name} must be a whole number that is not negative", fields=(name,))
    if not any(values.get(name) is not None for name in PRICE_MEMBERS) and not values.get("image_prices"):
        raise PriceInvalid("a price needs at least one number", fields=("input_pico",))


def _check_tiers(tiers: Any) -> None:
    if not isinstance(tiers, Mapping):
        raise PriceInvalid("tiers must be an object of prices by service tier", fields=("tiers",))
    for tier, prices in tiers.items():
        _check_pico_table(f"tiers.{tier}", prices, PRICE_MEMBERS)


def _check_pico_table(name: str, table: Any, members: tuple[str, ...] | None) -> None:
    if not isinstance(table, Mapping) or not all(_is_whole(value) for value in table.values()):
        raise PriceInvalid(f"{name} must be an object of whole numbers that are not negative", fields=(name,))
    unknown = [member for member in table if members is not None and member not in members]
    if unknown:
        raise PriceInvalid(f"{name}.{unknown[0]} is not known; members are {', '.join(members or ())}", fields=(name,))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NANO
