from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from keys import queries
from keys.models import Key
from keys.queries import (
    KeyFilter,
    find_key_id,
    find_keys,
    key_exists,
    key_names,
    limits_text,
    provide_spend,
    providers_of_keys,
    spend_nano,
)
from keys.services import create_key, revoke_key
from providers.services import create_setting

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(setting_id: str) -> Callable[..., Key]:
    """Makes a key with a setting."""
    return lambda **fields: create_key(**{"setting_ids": [setting_id], **fields})[0]


@pytest.fixture
def own_spend() -> Iterator[None]:
    """What the test provides does not outlast it."""
    loaders = list(queries._spend_loaders)
    yield
    queries._spend_loaders[:] = loaders


def names(wanted: KeyFilter) -> list[str]:
    return sorted(key.name for key in find_keys(wanted))


def test_it_filters_by_everything_at_once(make: Callable[..., Key]) -> None:
    make(name="Alpha", tags=["x"])
    beta = make(name="Beta", tags=["x", "y"])
    revoke_key(beta.id)
    assert names(KeyFilter()) == ["Alpha", "Beta"]
    assert names(KeyFilter(name="alp")) == ["Alpha"]
    assert names(KeyFilter(revoked=True)) == ["Beta"]
    assert names(KeyFilter(revoked=False, tags=["y"])) == []
    assert names(KeyFilter(ids=[str(beta.id), "no-uuid"], provider="openai")) == ["Beta"]
    assert names(KeyFilter(ids=[])) == []


def test_it_finds_a_key_by_id_name_or_secret(make: Callable[..., Key]) -> None:
    key = make(name="the name", secret="the secret")
    assert {find_key_id(text) for text in (str(key.id), "the name", "the secret")} == {key.id}
    assert find_key_id("nobody") is None


def test_it_takes_a_secret_that_looks_like_an_id_for_a_secret(make: Callable[..., Key]) -> None:
    secret = str(uuid4())
    assert find_key_id(secret) is None
    assert make(name="n", secret=secret).id == find_key_id(secret)


def test_it_does_not_guess_between_keys_of_one_name(make: Callable[..., Key]) -> None:
    make(name="twin")
    make(name="twin")
    with pytest.raises(ValueError, match="several keys"):
        find_key_id("twin")


def test_it_names_keys_that_exist(make: Callable[..., Key]) -> None:
    key = make(name="n")
    assert key_names([key.id, uuid4(), "no-uuid"]) == {str(key.id): "n"}
    assert key_exists(str(key.id))
    assert not key_exists(uuid4())
    assert not key_exists("no-uuid")


def test_it_tells_limits_in_a_few_words(make: Callable[..., Key]) -> None:
    limited: dict[str, Any] = {
        "request_limit": 2,
        "request_window_unit": "m",
        "cost_limit_nano": 250_000_000,
        "cost_window_limit_nano": 5_000_000_000,
        "cost_window_unit": "d",
        "ttl_text": "2d",
    }
    assert limits_text(make(name="n", **limited)) == "2 requests/m, $0.25 in all, $5/d, ttl 2d"
    assert limits_text(make(name="n")) == ""


@pytest.mark.usefixtures("own_spend")
def test_it_shows_the_spend_of_whoever_keeps_the_books() -> None:
    queries._spend_loaders.clear()
    assert spend_nano(["a"]) is None
    provide_spend(lambda ids: dict.fromkeys(ids, 7))
    assert spend_nano(["a"]) == {"a": 7}


def test_it_tells_the_providers_of_keys(make: Callable[..., Key], setting_id: str, other_setting_id: str) -> None:
    azure = create_setting(provider="azure", setting={"apikey": "az", "resourceName": "acme"})
    one = make(name="one", setting_ids=[setting_id, other_setting_id])
    both = make(name="both", setting_ids=[azure.pk, setting_id])
    assert providers_of_keys([one.id, str(both.id), uuid4(), "no-uuid"]) == {
        str(one.id): {"openai"},
        str(both.id): {"openai", "azure"},
    }
    one.setting_links.all().delete()
    assert providers_of_keys([one.id]) == {str(one.id): frozenset()}
