import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from keys.peppers import current_peppers
from keys.secrets import Pepper


def test_it_gives_the_current_pepper_first(settings: Settings) -> None:
    settings.KEY_PEPPERS = (("b", b"2"), ("a", b"1"))
    assert current_peppers() == (Pepper("b", b"2"), Pepper("a", b"1"))


def test_it_says_what_to_set_when_there_is_none(settings: Settings) -> None:
    settings.KEY_PEPPERS = ()
    with pytest.raises(ImproperlyConfigured, match="GATEWAY_KEY_PEPPERS"):
        current_peppers()
