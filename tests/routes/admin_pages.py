"""The pages of routes: where they are, and what a browser sends to them."""

from typing import Any

from routes.models import Route

LIST, ADD = "/admin/routes/route/", "/admin/routes/route/add/"


def change(route: Route) -> str:
    return f"{LIST}{route.pk}/change/"


def form_of(*steps: dict[str, Any], key_ids: list[str], **fields: Any) -> dict[str, Any]:
    """What a browser sends. A step with an id is one that was there."""
    form: dict[str, Any] = {
        "name": "route",
        "path": "/a/chat",
        "key_ids": key_ids,
        "request_format": "",
        "retry_strategy": "",
        "deadline_text": "10m",
        "cache_ttl_text": "168h",
        "steps-TOTAL_FORMS": str(len(steps)),
        "steps-INITIAL_FORMS": str(sum("id" in step for step in steps)),
        "steps-MIN_NUM_FORMS": "0",
        "steps-MAX_NUM_FORMS": "50",
        **fields,
    }
    for index, step in enumerate(steps):
        form |= {f"steps-{index}-{name}": value for name, value in step_of(**step).items()}
    return form


def step_of(**fields: Any) -> dict[str, Any]:
    return {
        "provider": "openai",
        "model": "gpt-4o-mini",
        "param_deploymentId": "",
        "param_apiVersion": "",
        "retries": "0",
        "retry_interval_text": "1s",
        "timeout_text": "5m",
        "request_params": "",
        "position": "",
        **fields,
    }


def stored_steps(route: Route) -> list[dict[str, Any]]:
    """The steps that a route has, as its page sends them back."""
    return [
        {
            "id": str(step.pk),
            "route": str(route.pk),
            "provider": step.provider,
            "model": step.model,
            "param_deploymentId": step.params.get("deploymentId", ""),
            "param_apiVersion": step.params.get("apiVersion", ""),
            "position": str(step.position),
        }
        for step in route.steps.order_by("position")
    ]
