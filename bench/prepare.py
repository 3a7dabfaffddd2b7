"""Runs in the gateway's environment: `python -m bench.prepare UPSTREAM` prints the secret of a new key.

The key has a request window and a cost limit, so that every request pays for admission; both are out of reach.
"""

import os
import sys

import django
from django.core.management import call_command


def main() -> None:
    """Migrate, load prices, and create the setting, the key and the routes through the services, as the REST does."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    django.setup()
    from keys.services import create_key  # noqa: PLC0415  Django must be set up first
    from providers.services import create_setting  # noqa: PLC0415
    from routes.rules import StepFields  # noqa: PLC0415
    from routes.services import create_route  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    call_command("load_prices")
    setting = create_setting(provider="openai", setting={"apikey": "sk-bench", "url": sys.argv[1]}, name="bench")
    key, secret = create_key(
        name="bench",
        setting_ids=[setting.pk],
        request_limit=1_000_000_000,
        request_window_unit="d",
        cost_limit_nano=1_000_000 * 10**9,
    )
    step: StepFields = {"provider": "openai", "model": "gpt-4o-mini"}
    steps: list[StepFields] = [step, {**step, "model": "gpt-4o", "retries": 1}]
    create_route(name="steps", path="/bench/steps", key_ids=[key.pk], steps=steps, cache_enabled=False)
    create_route(name="kept", path="/bench/kept", key_ids=[key.pk], steps=[step], cache_enabled=True)
    print(secret)


if __name__ == "__main__":
    main()
