from typing import Any

import pytest
from rest_framework import serializers

from gateway_project.shared.problems import ValidationFailed
from gateway_project.shared.rest_fields import (
    FlagField,
    TextField,
    TextListField,
    UsdField,
    WholeNumberField,
    flat_errors,
    validated,
)


class Part(serializers.Serializer[Any]):
    path = TextField()


class Example(serializers.Serializer[Any]):
    text = TextField(required=False, max_length=3)
    flag = FlagField(required=False)
    number = WholeNumberField(required=False, allow_null=True)
    usd = UsdField(required=False, allow_null=True)
    texts = TextListField(required=False)
    parts = Part(many=True, required=False)


def read(**data: Any) -> dict[str, Any]:
    return validated(Example(data=data))


@pytest.mark.parametrize(
    ("given", "number"), [(2, 2), ("2", 2), (" 2 ", 2), (2.0, 2), ("2.0", 2), (0, 0), (None, None)]
)
def test_it_reads_whole_numbers_also_as_text(given: object, number: int | None) -> None:
    assert read(number=given) == {"number": number}


@pytest.mark.parametrize("given", [-1, 2.5, "x", "", True, [], {}, 2**63, 1e400, "NaN", "Infinity", "1e999999999"])
def test_it_refuses_what_is_no_whole_number(given: object) -> None:
    with pytest.raises(ValidationFailed, match="number"):
        read(number=given)


@pytest.mark.parametrize(
    ("given", "nano"),
    [
        (5.5, 5_500_000_000),
        ("5.5", 5_500_000_000),
        (0.1, 100_000_000),
        (0, 0),
        ("1e-9", 1),
        (9_223_372_036, 9_223_372_036 * 10**9),
    ],
)
def test_it_reads_usd_as_exact_nano_dollars(given: object, nano: int) -> None:
    assert read(usd=given) == {"usd": nano}


@pytest.mark.parametrize("given", [-0.01, "x", "", True, [], float("nan"), float("inf"), 9_223_372_037, 1e300, 1e-10])
def test_it_refuses_what_is_no_amount(given: object) -> None:
    with pytest.raises(ValidationFailed, match="usd"):
        read(usd=given)


@pytest.mark.parametrize("given", [1, True, [], {}, "long", "a\x00"])
def test_it_refuses_what_is_no_such_text(given: object) -> None:
    with pytest.raises(ValidationFailed, match="text"):
        read(text=given)


def test_it_keeps_text_as_it_is() -> None:
    assert read(text=" a ") == {"text": " a "}


@pytest.mark.parametrize("given", ["true", 1, 0, "", []])
def test_it_takes_only_true_and_false_for_a_flag(given: object) -> None:
    assert read(flag=True) == {"flag": True}
    with pytest.raises(ValidationFailed, match="flag"):
        read(flag=given)


def test_it_takes_one_text_for_a_list_of_one() -> None:
    assert read(texts="a") == {"texts": ["a"]}
    assert read(texts=[]) == {"texts": []}


def test_it_names_every_wrong_member_with_its_place() -> None:
    with pytest.raises(ValidationFailed) as refused:
        read(texts=["a", ""], parts=[{"path": "/x"}, {}, 3], number="x")
    assert refused.value.fields == ("number", "texts[1]", "parts[1].path", "parts[2]")
    assert refused.value.detail.startswith(
        "fields [number, texts[1], parts[1].path, parts[2]] are invalid: number: must"
    )
    assert refused.value.extra == {"fields": list(refused.value.fields)}


def test_it_raises_the_error_it_is_given() -> None:
    class ExampleInvalid(ValidationFailed):
        title = "example is invalid"

    with pytest.raises(ExampleInvalid):
        validated(Example(data={"flag": 1}), ExampleInvalid)


def test_it_flattens_errors_of_the_whole() -> None:
    assert list(flat_errors({"non_field_errors": ["This field is bad."]}, "a")) == [("a", "is bad")]
