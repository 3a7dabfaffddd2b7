"""An installation with a key that has settings of OpenAI and Azure, and one that has OpenAI's alone."""

import pytest
from pytest_django import Settings

from keys.services import create_key
from providers.services import create_setting


@pytest.fixture(autouse=True)
def installation(settings: Settings) -> None:
    settings.KEY_PEPPERS = (("test", b"p" * 32),)
    settings.DATA_KEYS = (("test", b"d" * 32),)
    settings.ADMIN_PASS = ""


@pytest.fixture
def openai_setting(db: None) -> str:
    return str(create_setting(provider="openai", setting={"apikey": "sk-1"}, name="main").id)


@pytest.fixture
def azure_setting(db: None) -> str:
    return str(create_setting(provider="azure", setting={"apikey": "az-1", "resourceName": "acme"}, name="azure").id)


@pytest.fixture
def key_id(openai_setting: str, azure_setting: str) -> str:
    """A key that may use both providers."""
    return str(create_key(name="both", setting_ids=[openai_setting, azure_setting])[0].id)


@pytest.fixture
def openai_key_id(openai_setting: str) -> str:
    """A key without a setting of Azure."""
    return str(create_key(name="one", setting_ids=[openai_setting])[0].id)
