"""The pages of custom providers: where they are, and what a browser sends to them."""

from typing import Any

from providers.models import CustomProvider
from tests.providers.custom_configs import route_config

LIST = "/admin/providers/customprovider/"


def change(row: CustomProvider) -> str:
    return f"{LIST}{row.pk}/change/"


def stored(row: CustomProvider) -> list[dict[str, Any]]:
    """The paths of a provider, as its page sends them back."""
    return [{"id": str(route.pk), "custom_provider": str(row.pk), "path": route.path} for route in row.routes.all()]


def form(*configs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What a browser sends. A path with an id is one that was there."""
    sent: dict[str, Any] = {
        "provider": "acme",
        "authentication_param": "apikey",
        "routes-TOTAL_FORMS": str(len(configs)),
        "routes-INITIAL_FORMS": str(sum("id" in config for config in configs)),
        **fields,
    }
    for index, config in enumerate(configs):
        for name, value in {**route_config(), "methods": ["POST"], **config}.items():
            sent[f"routes-{index}-{name}"] = value
    return sent


def config_errors(response: Any) -> list[dict[str, list[str]]]:
    assert response.status_code == 200, "the form was accepted"
    return [dict(each.errors) for each in response.context["inline_admin_formsets"][0].formset.forms]


def paths_of(row: CustomProvider) -> list[str]:
    return [route.path for route in CustomProvider.objects.get(pk=row.pk).routes.all()]
