import io
import json

import pytest
from django.core.management import CommandError, call_command

from keys.models import Key
from keys.services import create_key

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("revoke_key", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def key(setting_id: str) -> Key:
    """A key with a name and a secret."""
    return create_key(name="the name", secret="the secret", setting_ids=[setting_id])[0]


@pytest.mark.parametrize("by", ["id", "name", "secret"])
def test_it_revokes_by_id_name_or_secret(key: Key, by: str) -> None:
    given = str(key.id) if by == "id" else f"the {by}"
    assert run(given, "--reason", "leaked") == f"revoked the name ({key.id})\n"
    key.refresh_from_db()
    assert (key.revoked, key.revoked_reason) == (True, "leaked")


def test_it_prints_json(key: Key) -> None:
    shown = json.loads(run(str(key.id), "--json"))
    assert (shown["keyId"], shown["revoked"]) == (str(key.id), True)


def test_it_does_not_repeat_what_may_be_a_secret(key: Key) -> None:
    with pytest.raises(CommandError) as refused:
        run("the secret with a typo")
    assert "typo" not in str(refused.value)


def test_it_does_not_guess_between_keys_of_one_name(key: Key, setting_id: str) -> None:
    create_key(name="the name", setting_ids=[setting_id])
    with pytest.raises(CommandError, match="several keys"):
        run("the name")
    assert not Key.objects.filter(revoked=True).exists()
