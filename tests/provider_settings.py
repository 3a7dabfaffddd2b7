"""Settings of every provider in the catalogue that point at a server of the test's own."""

from urllib.parse import urlsplit

from providers.catalog import API_KEY, CATALOG, URL
from providers.destinations import base_url
from providers.records import ProviderRecord

REGION = "us-east-1"
_HOST_PARTS = {"resourceName": "resource", "awsRegion": REGION}


def setting_at(origin: str, provider: str, **changes: object) -> ProviderRecord:
    """A setting whose requests go to `origin`, below the same path as the provider's own address has."""
    kind = CATALOG[provider]
    own = urlsplit(kind.base_url.format_map(_HOST_PARTS)) if kind.base_url else urlsplit("")
    parameters = {name: _HOST_PARTS[name] for name in kind.parameters if name in _HOST_PARTS}
    parameters[URL] = origin.rstrip("/") + own.path
    values = {
        "id": f"setting-{provider}",
        "provider": provider,
        "base_url": base_url(provider, parameters),
        "parameters": parameters,
        "secrets": {name: secret_of(provider, name) for name in (*kind.required, API_KEY) if name in kind.secrets},
    }
    return ProviderRecord(**{**values, **changes})  # type: ignore[arg-type]


def secret_of(provider: str, name: str) -> str:
    """What `setting_at` puts in a secret member."""
    return f"upstream-{provider}-{name}"
