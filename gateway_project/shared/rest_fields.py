"""Serializer fields as strict as the seed's typed members, and errors that name the wrong field."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gateway_project.shared.money import NANO_PER_USD, usd_to_nano
from gateway_project.shared.problems import ValidationFailed

MAX_INTEGER = 2**63 - 1
MAX_USD = MAX_INTEGER // NANO_PER_USD


class TextField(serializers.CharField):
    """A string; a number is refused, not turned into one."""

    default_error_messages = {"invalid": "must be a string"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """true or false and nothing like them."""

    default_error_messages = {"invalid": "must be true or false"}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


@extend_schema_field(OpenApiTypes.INT64)
class WholeNumberField(serializers.Field[Any, Any, Any, Any]):
    """A whole number from 0 to 2^63-1, also written as a string."""

    default_error_messages = {
        "invalid": "must be a whole number",
        "negative": "must not be negative",
        "too_large": "is too large",
    }

    def to_internal_value(self, data: Any) -> int:
        number = _decimal(data)
        if number is None or number != number.to_integral_value():
            self.fail("invalid")
        if number < 0:
            self.fail("negative")
        if number > MAX_INTEGER:
            self.fail("too_large")
        return int(number)

    def to_representation(self, value: int) -> int:
        return value


@extend_schema_field(OpenApiTypes.DOUBLE)
class UsdField(serializers.Field[Any, Any, Any, Any]):
    """An amount in USD on the wire, also written as a string; whole nano-dollars inside."""

    default_error_messages = {
        "invalid": "must be an amount in USD",
        "negative": "must not be negative",
        "too_large": "is too large",
        "too_small": "is smaller than a nano-dollar",
    }

    def to_internal_value(self, data: Any) -> int:
        amount = _decimal(data)
        if amount is None:
            self.fail("invalid")
        if amount < 0:
            self.fail("negative")
        if amount > MAX_USD:
            self.fail("too_large")
        nano = usd_to_nano(amount)
        if amount and not nano:
            self.fail("too_small")  # it would be stored as 0, which means no limit
        return nano

    def to_representation(self, value: int) -> float:
        return value / NANO_PER_USD


class TextListField(serializers.ListField):
    """A list of non-empty strings; a bare string means a list of one."""

    default_error_messages = {"not_a_list": "must be a list of strings"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"child": TextField(), "allow_empty": True, **options})

    def to_internal_value(self, data: Any) -> list[str]:
        return super().to_internal_value([data] if isinstance(data, str) else data)


def validated(
    serializer: serializers.BaseSerializer[Any], error: type[ValidationFailed] = ValidationFailed
) -> dict[str, Any]:
    """The serializer's checked data, or `error` with a detail that names every wrong field."""
    if serializer.is_valid():
        return dict(serializer.validated_data)
    wrong = list(flat_errors(serializer.errors))
    raise error(invalid_fields(wrong), fields=tuple(name for name, _ in wrong))


def invalid_fields(wrong: list[tuple[str, str]]) -> str:
    """The seed's text ("fields [a, b] are invalid") and after it what is wrong with each."""
    names = ", ".join(name for name, _ in wrong)
    reasons = "; ".join(f"{name}: {reason}" for name, reason in wrong)
    return f"fields [{names}] are invalid: {reasons}"


def flat_errors(errors: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(path, message) pairs of DRF's nested errors; a path looks like `allowedPaths[0].path`."""
    if isinstance(errors, Mapping):
        for part, nested in errors.items():
            yield from flat_errors(nested, _joined(name, part))
    elif errors and isinstance(errors, list) and all(isinstance(item, Mapping) for item in errors):
        for index, nested in enumerate(errors):
            yield from flat_errors(nested, _joined(name, index))
    elif errors:
        yield name, " ".join(map(_plain, errors))


def _joined(name: str, part: str | int) -> str:
    if part == "non_field_errors":
        return name
    if isinstance(part, int):
        return f"{name}[{part}]"
    return f"{name}.{part}" if name else part


def _plain(message: Any) -> str:
    """DRF's sentences in the form of ours, which follow the field's name."""
    text = str(message).rstrip(".")
    return text.removeprefix("This field ") if text.startswith("This field ") else text


def _decimal(data: Any) -> Decimal | None:
    """The finite number that a JSON number or string is; None for anything else, booleans too."""
    if isinstance(data, bool) or not isinstance(data, int | float | str):
        return None
    if isinstance(data, float) and not math.isfinite(data):
        return None
    try:
        number = Decimal(str(data).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
