"""Create a key on the command line."""

import json
import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from gateway_project.shared import clock
from gateway_project.shared.commands import OperatorCommand
from gateway_project.shared.money import usd_to_nano
from keys.models import Key
from keys.queries import key_object, limits_text
from keys.records import PathRule
from keys.rules import KeyFields
from keys.services import create_key
from providers.queries import list_settings

_SWITCHES = {
    "allow_unmetered": "endpoints whose cost cannot be told in advance, despite a cost limit",
    "should_log_request": "store request bodies with the events",
    "should_log_response": "store answers with the events",
    "rotation_enabled": "take the settings in turn",
}
_SWITCH_NAMES = {"should_log_request": "--log-requests", "should_log_response": "--log-responses"}


class Command(OperatorCommand):
    help = "Create a key. Its secret is printed once and cannot be read again."

    def add_arguments(self, parser: CommandParser) -> None:
        """One option per field of a key."""
        parser.add_argument("--name", required=True)
        secret = parser.add_mutually_exclusive_group()
        secret.add_argument("--key", metavar="SECRET", help="the secret; generated if not given")
        secret.add_argument("--key-stdin", action="store_true", help="read the secret from standard input, one line")
        parser.add_argument(
            "--setting",
            action="append",
            default=[],
            metavar="ID|NAME",
            help="provider setting, in order; default: the one of OPENAI_API_KEY",
        )
        parser.add_argument("--tag", action="append", default=[])
        parser.add_argument("--rate-limit", metavar="N/UNIT", help="requests per s, m, h or d, such as 2/m")
        parser.add_argument("--cost-limit-usd", metavar="USD", help="spend in all")
        parser.add_argument("--cost-limit-window", metavar="USD/UNIT", help="spend per s, m, h, d or mo, such as 5/d")
        parser.add_argument("--ttl", default="", help="time to live: 30m, 12h, 2d")
        parser.add_argument("--allow-path", action="append", default=[], metavar="'METHOD /PATH'", help="default: all")
        for field, text in _SWITCHES.items():
            option = _SWITCH_NAMES.get(field, "--" + field.removesuffix("_enabled").replace("_", "-"))
            parser.add_argument(option, dest=field, action="store_true", help=text)
        parser.add_argument("--json", action="store_true", help="print the key as JSON, with `key`, the secret")

    def run(self, **options: Any) -> None:
        """Create, and print."""
        secret = sys.stdin.readline().rstrip("\r\n") if options["key_stdin"] else options["key"]
        key, secret = create_key(secret=secret, **_fields(options))
        if options["json"]:
            self.stdout.write(json.dumps({**key_object(key, clock.now()), "key": secret}, indent=2))
            return
        self._print(key, secret)

    def _print(self, key: Key, secret: str) -> None:
        settings = ", ".join(str(link.setting_id) for link in key.setting_links.order_by("position"))
        lines = {
            "id": str(key.id),
            "name": key.name,
            "settings": settings,
            "limits": limits_text(key) or "none",
            "secret": f"{secret}   (shown this once)",
        }
        for title, text in lines.items():
            self.stdout.write(f"{title + ':':10}{text}")


def _fields(options: dict[str, Any]) -> KeyFields:
    fields: KeyFields = {
        "name": options["name"],
        "tags": options["tag"],
        "ttl_text": options["ttl"],
        "allowed_paths": [_path_rule(text) for text in options["allow_path"]],
        "should_log_request": options["should_log_request"],
        "should_log_response": options["should_log_response"],
        "rotation_enabled": options["rotation_enabled"],
        "allow_unmetered": options["allow_unmetered"],
    }
    if options["setting"]:
        fields["setting_ids"] = [_setting_id(text) for text in options["setting"]]
    if options["cost_limit_usd"] is not None:
        fields["cost_limit_nano"] = _parsed("--cost-limit-usd", options["cost_limit_usd"], usd_to_nano)
    if options["rate_limit"]:
        limit, unit = _per_window("--rate-limit", options["rate_limit"])
        fields["request_limit"], fields["request_window_unit"] = _parsed("--rate-limit", limit, int), unit
    if options["cost_limit_window"]:
        limit, unit = _per_window("--cost-limit-window", options["cost_limit_window"])
        fields["cost_window_limit_nano"] = _parsed("--cost-limit-window", limit, usd_to_nano)
        fields["cost_window_unit"] = unit
    return fields


def _per_window(option: str, text: str) -> tuple[str, str]:
    limit, slash, unit = text.partition("/")
    if not slash:
        raise CommandError(f"{option} {text}: write a number, a slash and a unit, such as 2/m")
    return limit, unit


def _parsed(option: str, text: str, parse: Callable[[str], int]) -> int:
    try:
        return parse(text)
    except ValueError as error:
        raise CommandError(f"{option} {text}: {text!r} is not a number it can take") from error


def _path_rule(text: str) -> PathRule:
    method, _, path = text.strip().partition(" ")
    if not path.strip():
        raise CommandError(f"--allow-path {text!r}: write a method and a path, such as 'POST /v1/chat/completions'")
    return PathRule(method, path.strip())


def _setting_id(text: str) -> str:
    settings = list_settings()
    ids = [str(each.id) for each in settings if text in (str(each.id), each.name)]
    if len(ids) > 1:
        raise CommandError(f"--setting {text}: several provider settings have this name; give the id")
    if not ids:
        known = ", ".join(f"{each.name or '(no name)'} {each.id}" for each in settings[:10]) or "none"
        raise CommandError(f"--setting {text}: there is no such provider setting; there are: {known}")
    return ids[0]
