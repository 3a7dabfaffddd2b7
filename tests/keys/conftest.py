"""Peppers, and provider settings to give to keys."""

import pytest
from pytest_django import Settings

from keys.secrets import Pepper
from providers.services import create_setting

PEPPERS = (Pepper("new", b"n" * 32), Pepper("old", b"o" * 32))


@pytest.fixture(autouse=True)
def peppers(settings: Settings) -> tuple[Pepper, ...]:
    """The current pepper and an older one."""
    settings.KEY_PEPPERS = tuple((pepper.id, pepper.value) for pepper in PEPPERS)
    settings.DATA_KEYS = (("test", b"d" * 32),)
    settings.ADMIN_PASS = ""
    return PEPPERS


@pytest.fixture
def setting_id(db: None) -> str:
    """An OpenAI setting."""
    return str(create_setting(provider="openai", setting={"apikey": "sk-first"}, name="first").id)


@pytest.fixture
def other_setting_id(db: None) -> str:
    """Another one."""
    return str(create_setting(provider="openai", setting={"apikey": "sk-second"}, name="second").id)
