"""manage.py reseal_secrets."""

from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from providers.services import create_setting

pytestmark = pytest.mark.django_db


def test_it_seals_under_the_current_key(monkeypatch: pytest.MonkeyPatch) -> None:
    create_setting(provider="openai", setting={"apikey": "sk-canary"})
    monkeypatch.setattr(settings, "DATA_KEYS", (("new", b"n" * 32), *settings.DATA_KEYS))
    said = StringIO()
    call_command("reseal_secrets", stdout=said)
    assert said.getvalue() == "1 provider settings sealed under the current key.\n"


def test_it_changes_nothing_when_a_key_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    create_setting(provider="openai", setting={"apikey": "sk-canary"})
    monkeypatch.setattr(settings, "DATA_KEYS", (("new", b"n" * 32),))
    with pytest.raises(CommandError, match="Nothing was changed") as error:
        call_command("reseal_secrets")
    assert "sk-canary" not in str(error.value)
