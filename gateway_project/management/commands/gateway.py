"""`manage.py gateway`: the whole gateway, supervised, in the foreground."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from gateway_project.env import SettingError
from gateway_project.logs import configure_logging
from gateway_project.supervisor.banner import banner
from gateway_project.supervisor.children import ChildSpec
from gateway_project.supervisor.prepare import Prepared, prepare
from gateway_project.supervisor.supervisor import Supervisor

ROLES = ("admin", "proxy", "worker")
# Streams end first, then what they reported is stored, then the admin site goes, then what the streams came from.
_STOP_RANK = {"proxy": 0, "worker": 1, "admin": 2, "demo": 3}


class Command(BaseCommand):
    help = "Run the gateway: admin listener, proxy listener and worker, supervised. Ctrl-C stops it cleanly."
    # It runs the checks itself, and says what is wrong in one line.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "-m", dest="mode", choices=("dev", "production"), help="log lines: readable on a terminal, or always JSON"
        )
        parser.add_argument(
            "-p", dest="privacy", choices=("strict", "verbose"), help="verbose logs request bodies too, prompts and all"
        )
        parser.add_argument(
            "--role", choices=("all", *ROLES), default="all", help="run one role only, for several machines"
        )
        parser.add_argument(
            "--workers", type=_positive, help="proxy processes on this machine (more than 1 needs Redis)"
        )
        parser.add_argument(
            "--demo", action="store_true", help="also run a fake provider, and a key that uses it (development only)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            code = _run(options)
        except SettingError as error:
            sys.stderr.write(f"gatehouse: {error}\n")
            code = 1
        except KeyboardInterrupt:
            code = 130
        sys.exit(code)


def _run(options: Mapping[str, Any]) -> int:
    settings.GATEWAY_LOG_MODE = options["mode"] or settings.GATEWAY_LOG_MODE
    settings.GATEWAY_PRIVACY = options["privacy"] or settings.GATEWAY_PRIVACY
    settings.PROXY_WORKERS = options["workers"] or settings.PROXY_WORKERS
    roles = frozenset(ROLES if options["role"] == "all" else (options["role"],))
    configure_logging(mode=settings.GATEWAY_LOG_MODE, privacy="strict", role="supervisor")
    prepared = prepare(roles=roles)
    demo = _prepare_demo() if options["demo"] else ()
    supervisor = Supervisor(
        _specs(roles, prepared, with_demo=options["demo"]),
        stop_grace_s=settings.STOP_GRACE_S,
        on_ready=lambda: _say([*banner(roles, prepared.new_password), *demo]),
    )
    return supervisor.run()


def _specs(roles: frozenset[str], prepared: Prepared, *, with_demo: bool) -> list[ChildSpec]:
    counts = {role: settings.PROXY_WORKERS if role == "proxy" else 1 for role in ROLES if role in roles}
    if with_demo:
        counts = {"demo": 1, **counts}
    common = {"GATEWAY_LOG_MODE": settings.GATEWAY_LOG_MODE, "GATEWAY_PRIVACY": settings.GATEWAY_PRIVACY}
    if prepared.redis_urls:
        common["REDIS_URL"] = ",".join(prepared.redis_urls)
    return [
        ChildSpec(
            name=role if count == 1 else f"{role} {number}",
            role=role,
            stop_rank=_STOP_RANK[role],
            environment={**common, "GATEWAY_ROLE": "manage" if role == "demo" else role},
        )
        for role, count in counts.items()
        for number in range(1, count + 1)
    ]


def _prepare_demo() -> list[str]:
    from gateway_project.supervisor.demo import prepare_demo  # noqa: PLC0415  (a development tool: not in every start)

    return prepare_demo()


def _say(lines: list[str]) -> None:
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value
