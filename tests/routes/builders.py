"""Routes and their steps as services and the REST take them."""

from typing import Any

from routes.models import Route
from routes.rules import StepFields
from routes.services import create_route

OPENAI: StepFields = {"provider": "openai", "model": "gpt-4o-mini"}
AZURE: StepFields = {
    "provider": "azure",
    "model": "gpt-4o",
    "params": {"deploymentId": "gpt-4o-eu", "apiVersion": "2024-10-21"},
}


def a_route(key_id: str, **fields: Any) -> Route:
    return create_route(**{"name": "route", "path": "/a/chat", "key_ids": [key_id], "steps": [OPENAI], **fields})


def a_body(key_id: str, **members: Any) -> dict[str, Any]:
    """What a POST sends; `...` leaves a member out."""
    body = {
        "name": "staging-openai-azure-completion-route",
        "path": "/production/chat/completion",
        "keyIds": [key_id],
        "steps": [{"provider": "openai", "model": "gpt-4o-mini"}],
        "cacheConfig": {"enabled": False},
        **members,
    }
    return {name: value for name, value in body.items() if value is not ...}
