"""Combinations of settings that must not run. `manage.py gateway` refuses to start on each of them."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

TAG = "gateway"


@checks.register(TAG)
def check_secrets_given(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    if settings.SECRETS_GIVEN:
        return []
    return [
        checks.Error(
            "With PostgreSQL every process must be given the same secrets.",
            hint="Set GATEWAY_KEY_PEPPERS, GATEWAY_DATA_KEYS and DJANGO_SECRET_KEY "
            "(`manage.py new_secrets` prints a set), or put them into var/secrets.env.",
            id="gateway.E001",
        )
    ]


@checks.register(TAG, deploy=True)
def check_admin_password(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    if settings.ADMIN_PASS:
        return []
    if not is_loopback(settings.ADMIN_HOST):
        why = f"ADMIN_HOST is {settings.ADMIN_HOST}: others could use the admin REST without a password."
    elif settings.GATEWAY_ENV == "production":
        why = "GATEWAY_ENV is production: the admin REST needs a password."
    else:
        return []
    return [checks.Error(why, hint="Set ADMIN_PASS.", id="gateway.E002")]


@checks.register(TAG, deploy=True)
def check_workers_share_counters(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    if settings.PROXY_WORKERS == 1 or settings.REDIS_URL:
        return []
    return [
        checks.Error(
            f"{settings.PROXY_WORKERS} proxy processes need Redis: limits must be counted in one place.",
            hint="Set REDIS_URL (or REDIS_HOSTS), or run one process (--workers 1).",
            id="gateway.E003",
        )
    ]


@checks.register(TAG, deploy=True)
def check_broker_is_shared(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[checks.CheckMessage]:
    if not settings.CELERY_BROKER_URL.startswith("redis") or settings.REDIS_URL or settings.ON_POSTGRESQL:
        return []
    return [
        checks.Warning(
            "CELERY_BROKER_URL names Redis, but counters and cache stay in the process.",
            hint="Set REDIS_URL too.",
            id="gateway.W001",
        )
    ]


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
