"""`--demo`: a setting and a key that use the fake provider, so that a first curl needs no account anywhere."""

from django.conf import settings

from gateway_project.servers.listening import check_address_free
from keys.queries import find_key_id
from keys.services import create_key
from providers.queries import list_settings
from providers.services import create_setting, update_setting

DEMO_KEY = "demo-key"
_NAME = "demo"


def prepare_demo() -> list[str]:
    """Make the setting and the key unless they are there; the lines that tell the operator how to use them."""
    check_address_free(settings.DEMO_HOST, settings.DEMO_PORT, host_variable="DEMO_HOST", port_variable="DEMO_PORT")
    url = f"http://{settings.DEMO_HOST}:{settings.DEMO_PORT}/v1"
    existing = next((row for row in list_settings() if row.name == _NAME), None)
    if existing is None:
        members = {"apikey": "no-account-needed", "url": url}
        existing = create_setting(provider="openai", setting=members, name=_NAME)
    else:
        update_setting(existing.id, setting={"apikey": "no-account-needed", "url": url})
    if find_key_id(DEMO_KEY) is None:
        create_key(secret=DEMO_KEY, name=_NAME, setting_ids=[str(existing.id)])
    return _lines()


def _lines() -> list[str]:
    address = f"http://localhost:{settings.PROXY_PORT}/api/providers/openai/v1/chat/completions"
    body = '{"model": "gpt-4o-mini", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'
    return [
        f"  demo        a fake provider on port {settings.DEMO_PORT} and the key {DEMO_KEY}. Try:",
        "",
        f"    curl -N {address} \\",
        f"      -H 'Authorization: Bearer {DEMO_KEY}' -H 'Content-Type: application/json' \\",
        f"      -d '{body}'",
        "",
    ]
