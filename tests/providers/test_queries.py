"""Reading settings."""

from uuid import uuid4

import pytest

from providers.queries import list_settings, setting_names, unknown_setting_ids
from providers.services import create_setting

pytestmark = pytest.mark.django_db


def ids_of_two() -> tuple[str, str]:
    first, second = (str(create_setting(provider="openai", setting={"apikey": "a"}).pk) for _ in range(2))
    return first, second


def test_it_lists_all_or_some_in_the_given_order() -> None:
    first, second = ids_of_two()
    assert {str(row.pk) for row in list_settings()} == {first, second}
    assert [str(row.pk) for row in list_settings([second, first])] == [second, first]
    assert [str(row.pk) for row in list_settings([second.upper(), "nope", str(uuid4())])] == [second]


def test_it_lists_none_for_no_ids() -> None:
    ids_of_two()
    assert list_settings([]) == []


def test_it_names_settings_for_people() -> None:
    named = create_setting(provider="openai", setting={"apikey": "a"}, name="team")
    unnamed = create_setting(provider="vllm", setting={"url": "http://gpu:8000"})
    assert setting_names() == {str(named.pk): "team (openai)", str(unnamed.pk): f"{unnamed.pk} (vllm)"}


def test_it_names_ids_that_are_none() -> None:
    first, second = ids_of_two()
    other = str(uuid4())
    assert unknown_setting_ids([first, other, "nope", second]) == [other, "nope"]
