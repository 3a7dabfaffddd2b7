import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from keys.models import Key
from keys.records import PathRule
from keys.secrets import Pepper, digests_of
from keys.services import create_key
from keys.snapshot import load_key
from providers.services import create_setting

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_key", *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_the_generated_secret_once(setting_id: str, peppers: tuple[Pepper, ...]) -> None:
    printed = run("--name", "dev", "--setting", setting_id)
    secret = printed.partition("secret:")[2].split()[0]
    found = load_key(digests_of(secret, peppers))
    assert found is not None
    assert (found[1].name, found[1].setting_ids) == ("dev", (setting_id,))


def test_it_takes_every_option(setting_id: str, other_setting_id: str, peppers: tuple[Pepper, ...]) -> None:
    numbers = ["--rate-limit", "2/m", "--cost-limit-usd", "0.25", "--cost-limit-window", "5.5/mo", "--ttl", "2d"]
    switches = ["--allow-unmetered", "--log-requests", "--log-responses", "--rotation", "--json"]
    settings = ["--setting", "second", "--setting", setting_id]
    texts = ["--name", "n", "--key", "two words", "--tag", "a", "--tag", "b", "--allow-path", "post /v1/x"]
    printed = run(*texts, *settings, *numbers, *switches)
    found = load_key(digests_of("two words", peppers))
    assert found is not None
    record = found[1]
    assert record.setting_ids == (other_setting_id, setting_id)
    assert record.tags == ("a", "b")
    assert (record.request_limit, record.request_window_unit) == (2, "m")
    assert record.cost_limit_nano == 250_000_000
    assert (record.cost_window_limit_nano, record.cost_window_unit) == (5_500_000_000, "mo")
    assert record.allowed_paths == (PathRule("POST", "/v1/x"),)
    assert record.expires_at is not None
    flags = (
        record.allow_unmetered,
        record.should_log_request,
        record.should_log_response,
        record.rotation_enabled,
    )
    assert flags == (True, True, True, True)
    shown = json.loads(printed)
    assert (shown["key"], shown["keyId"], shown["ttl"]) == ("two words", record.id, "2d")


def test_it_reads_the_secret_from_standard_input(
    setting_id: str, peppers: tuple[Pepper, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    run("--name", "n", "--setting", setting_id, "--key-stdin")
    assert load_key(digests_of("from a pipe", peppers)) is not None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--setting", "nobody"], "no such provider setting"),
        (["--rate-limit", "2"], "--rate-limit 2"),
        (["--rate-limit", "two/m"], "--rate-limit"),
        (["--rate-limit", "2/y"], "rateLimitUnit"),
        (["--rate-limit", "0/m"], "rateLimitOverTime"),
        (["--cost-limit-usd", "much"], "--cost-limit-usd"),
        (["--cost-limit-usd", "-1"], "costLimitInUsd"),
        (["--cost-limit-window", "5"], "--cost-limit-window 5"),
        (["--ttl", "soon"], "ttl"),
        (["--allow-path", "/x"], "--allow-path"),
        (["--key", "taken"], "already in use"),
        ([], "settingIds"),
    ],
)
def test_it_says_in_one_line_what_is_wrong(setting_id: str, arguments: list[str], reason: str) -> None:
    create_key(name="n", secret="taken", setting_ids=[setting_id])
    setting: list[Any] = ["--setting", setting_id] if arguments and "--setting" not in arguments else []
    with pytest.raises(CommandError) as refused:
        run("--name", "n", *setting, *arguments)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
    assert Key.objects.count() == 1


def test_it_does_not_guess_between_settings_of_one_name(setting_id: str) -> None:
    create_setting(provider="openai", setting={"apikey": "sk"}, name="first")
    with pytest.raises(CommandError, match="several provider settings"):
        run("--name", "n", "--setting", "first")
